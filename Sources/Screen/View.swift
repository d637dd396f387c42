package import Chat

/// Draws a chat: a pure function of its arguments.
package func view(_ state: ChatState, _ size: Size, _ ui: UIState) -> Frame {
    var frame = Frame(size: size)
    guard let layout = Layout(size) else {
        frame.put("terminal too small:", x: 0, y: 0, end: size.width)
        frame.put("40x10 is needed", x: 0, y: 1, end: size.width)
        return frame
    }
    let listings = Listings(state, ui)
    title(state, on: &frame)
    let more = listings.of(.messages).draw(on: &frame, in: layout.messages, scroll: ui.scrolls[.messages])
    if state.room?.lines.isEmpty ?? true { welcome(state, layout.messages, on: &frame) }
    if let area = layout.peers {
        for y in 1..<area.y + area.height { frame.put("│", x: area.x - 1, y: y, end: area.x, style: Style(.faint)) }
        let count = state.room?.peers.count ?? 0
        heading("Peers \(count)", ui.focus == .peers, Area(x: area.x, y: 1, width: area.width, height: 1), &frame)
        _ = listings.of(.peers).draw(on: &frame, in: area, scroll: ui.scrolls[.peers])
    }
    if let area = layout.connections {
        let row = Area(x: 0, y: area.y - 1, width: area.width, height: 1)
        let reachability = state.reachability.map { ", \($0)" } ?? ""
        heading("Connections \(state.connections.count)\(reachability)", ui.focus == .connections, row, &frame)
        _ = listings.of(.connections).draw(on: &frame, in: area, scroll: ui.scrolls[.connections])
    }
    if let area = layout.log {
        heading("System", ui.focus == .log, Area(x: 0, y: area.y - 1, width: area.width, height: 1), &frame)
        _ = listings.of(.log).draw(on: &frame, in: area, scroll: ui.scrolls[.log])
    }
    let separator = Area(x: 0, y: size.height - 2, width: size.width, height: 1)
    let hint = more ? "↓ more messages below (End)" : "\(state.nick): /help lists commands, Tab changes the pane"
    heading(hint, ui.focus == .messages, separator, &frame)
    drawInput(ui, layout.input, on: &frame)
    return frame
}

private func heading(_ text: String, _ focused: Bool, _ row: Area, _ frame: inout Frame) {
    let style = Style(focused ? .accent : .faint, bold: focused)
    for x in row.x..<row.x + row.width { frame.put("─", x: x, y: row.y, end: row.x + row.width, style: style) }
    frame.put(focused ? "▶ \(text) " : "\(text) ", x: row.x, y: row.y, end: row.x + row.width, style: style)
}

private func title(_ state: ChatState, on frame: inout Frame) {
    let bar = Style(.plain, reversed: true)
    frame.fill(Area(x: 0, y: 0, width: frame.size.width, height: 1), bar)
    var x = frame.put(" \(state.myName.suffix(8)) ", x: 0, y: 0, end: frame.size.width, style: bar)
    for (index, room) in state.rooms.enumerated() {
        let unread = room.unread > 0 ? " +\(room.unread)" : ""
        let style = Style(.plain, bold: index == state.active, reversed: index != state.active)
        x = frame.put(" \(room.title)\(unread) ", x: x, y: 0, end: frame.size.width, style: style)
    }
    let peers = state.room?.peers.count ?? 0
    let address = state.isReady ? state.addresses.first.map(listenAddress) ?? "not listening" : "starting…"
    frame.put(" \(peers) here  \(address)", x: x, y: 0, end: frame.size.width, style: bar)
}

/// An address without the own id, which stands in the title already.
private func listenAddress(_ address: String) -> String {
    let parts = address.split(separator: "/")
    guard let end = parts.firstIndex(of: "p2p") else { return address }
    return "/" + parts[..<end].joined(separator: "/")
}

private func welcome(_ state: ChatState, _ area: Area, on frame: inout Frame) {
    var lines = ["Welcome to \(state.room?.title ?? "swift-peer"). Nobody has said anything yet."]
    if !state.isReady { lines.append("The node is starting.") }
    if state.connections.contains(where: { $0.state == .open }) {
        lines.append(
            "You are connected to \(state.connections.count { $0.state == .open }) peer(s): type, press Enter.")
    } else {
        let around = state.looksAround ? " Peers on this network are found without your help (mDNS)." : ""
        lines.append("You are not connected yet." + around)
        lines.append("For \(state.looksAround ? "any other" : "a") peer type its address: /connect /ip4/…/tcp/…/p2p/…")
        if let address = state.addresses.first { lines.append("Others reach you at: \(address)") }
    }
    lines.append("/help lists the commands.")
    var y = area.y
    for line in lines {
        let glyphs = TextWidth.glyphs(line)
        for row in Wrapping.rows(glyphs, first: area.width, rest: area.width) where y < area.y + area.height {
            frame.put(glyphs[row], x: area.x, y: y, end: area.x + area.width, style: Style(.faint))
            y += 1
        }
    }
}

private func drawInput(_ ui: UIState, _ area: Area, on frame: inout Frame) {
    let start = frame.put("> ", x: area.x, y: area.y, end: area.width, style: Style(.accent, bold: true))
    let room = area.width - start - 1
    let before = TextWidth.glyphs(ui.input.textBeforeCursor)
    var (first, width) = (before.count, 0)
    while first > 0, width + before[first - 1].width <= room - 2 {
        first -= 1
        width += before[first].width
    }
    let glyphs = TextWidth.glyphs(ui.input.text)
    frame.put(glyphs[min(first, glyphs.count)...], x: start, y: area.y, end: area.width, style: Style())
    frame.cursor = (start + width, area.y)
}
