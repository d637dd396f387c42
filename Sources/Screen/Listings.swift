import Chat
import Wire

/// What each pane lists.
struct Listings {
    let state: ChatState
    let ui: UIState

    init(_ state: ChatState, _ ui: UIState) {
        self.state = state
        self.ui = ui
    }

    func of(_ pane: Pane) -> Listing {
        switch pane {
        case .messages, .input: messages
        case .peers: peers
        case .connections: connections
        case .log: log
        }
    }

    private var messages: Listing {
        guard let room = state.room else { return Listing(range: 0..<0) { _ in StyledLine() } }
        return Listing(range: room.lines.range) { number in
            guard let line = room.lines[number] else { return StyledLine() }
            return message(line)
        }
    }

    private func message(_ line: ChatLine) -> StyledLine {
        var row = StyledLine()
        row.add(clock(line.time) + " ", Style(.faint))
        switch line.kind {
        case .message(let peer, let damaged):
            row.add(line.name, Style(.peer(UInt8(NamedPeer.colour(of: peer) % 12)), bold: true))
            row.add(" ")
            indent(&row)
            row.add(line.text)
            if damaged { row.add(" [not all of it can be shown]", Style(.bad)) }
        case .own(let delivery):
            row.add(line.name, Style(.accent, bold: true))
            row.add(" ")
            indent(&row)
            row.add(line.text)
            switch delivery {
            case .sending: row.add(" …", Style(.faint))
            case .sent(let peers): row.add(peers == 0 ? " (nobody is here yet)" : " →\(peers)", Style(.faint))
            case .failed(let reason): row.add(" not sent: \(reason)", Style(.bad))
            }
        case .notice:
            row.add("-- ", Style(.faint))
            indent(&row)
            row.add(line.text, Style(.good))
        case .problem:
            row.add("!! ", Style(.bad))
            indent(&row)
            row.add(line.text, Style(.bad))
        }
        return row
    }

    private func indent(_ row: inout StyledLine) {
        row.indent = min(12, row.glyphs.reduce(0) { $0 + $1.width })
    }

    private var peers: Listing {
        let peers = state.room?.peers ?? []
        return Listing(range: 0..<peers.count) { number in
            var row = StyledLine()
            let peer = peers[number]
            row.add(peer.short, Style(.peer(UInt8(NamedPeer.colour(of: peer.id) % 12))))
            return row
        }
    }

    private var connections: Listing {
        let rows = state.connections
        // As wide as the longest; what does not fit a narrow pane is wrapped below the peer's name.
        let ways = 1 + rows.reduce(5) { max($0, TextWidth.of($1.way)) }
        return Listing(range: 0..<rows.count) { number in
            let connection = rows[number]
            var row = StyledLine()
            let name = connection.peer.map { $0.suffix() } ?? "?"
            let colour = connection.peer.map { Style(.peer(UInt8(NamedPeer.colour(of: $0) % 12))) } ?? Style(.faint)
            row.add(pad(name, 9), colour)
            row.add(pad(connection.direction.rawValue, 4) + pad(connection.way, ways))
            row.add(pad(connection.state.rawValue, 9), Style(connection.state == .open ? .good : .faint))
            row.add(pad(connection.roundTrip.map(ChatState.text(milliseconds:)) ?? "-", 9))
            row.add(pad(connection.openSince.map { age(ui.now - $0) } ?? "-", 7))
            row.add("↓\(amount(connection.bytesIn)) ↑\(amount(connection.bytesOut)) ")
            if let relay = connection.relay { row.add(relay.text + " ", Style(relay.isLimited ? .accent : .plain)) }
            if let journey = connection.journey { row.add(journey + " ", Style(.accent)) }
            if let path = connection.path { row.add(path.text + " ") }
            row.add([connection.agent, connection.address].compactMap(\.self).joined(separator: " "), Style(.faint))
            row.indent = 9
            return row
        }
    }

    private var log: Listing {
        Listing(range: state.log.range) { number in
            var row = StyledLine()
            guard let line = state.log[number] else { return row }
            row.add(clock(line.time) + " ", Style(.faint))
            row.indent = 6
            row.add(line.text, Style(line.level >= .warning ? .bad : .plain))
            return row
        }
    }

    /// `HH:MM` of the day.
    private func clock(_ time: Int64) -> String {
        let minutes = (time / 60_000 &+ ui.utcOffset / 60) % 1440
        let day = minutes < 0 ? minutes + 1440 : minutes
        return "\(two(day / 60)):\(two(day % 60))"
    }

    private func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }

    private func age(_ milliseconds: Int64) -> String {
        let seconds = max(0, milliseconds) / 1000
        if seconds < 60 { return "\(seconds)s" }
        if seconds < 3600 { return "\(seconds / 60)m" }
        return seconds < 86_400 ? "\(seconds / 3600)h\(seconds % 3600 / 60)m" : "\(seconds / 86_400)d"
    }

    private func amount(_ bytes: UInt64) -> String {
        if bytes < 1000 { return "\(bytes)B" }
        if bytes < 1_000_000 { return "\(bytes / 1000)kB" }
        return bytes < 1_000_000_000 ? "\(bytes / 1_000_000)MB" : "\(bytes / 1_000_000_000)GB"
    }

    private func pad(_ text: String, _ width: Int) -> String {
        let used = TextWidth.of(text)
        return text + String(repeating: " ", count: max(1, width - used))
    }
}
