import Wire

/// Applies one action: the only way a chat changes. No IO, clock or randomness.
package func reduce(into state: inout ChatState, _ action: ChatAction) -> [ChatEffect] {
    switch action {
    case .ready(let addresses):
        state.isReady = true
        state.addresses = addresses.map { SafeText($0, limit: 1024).text }
    case .addressesChanged(let addresses): state.addresses = addresses.map { SafeText($0, limit: 1024).text }
    case .reachability(let address, let verdict, let words, let time):
        state.judge(address, verdict)
        state.log(.info, words, time)
    case .connection(let row, let time): state.update(row, time)
    case .connections(let rows): state.replace(rows)
    case .peerJoined(let id, let room, let time): state.peer(id, room, joined: true, time)
    case .peerLeft(let id, let room, let time): state.peer(id, room, joined: false, time)
    case .message(let message): state.receive(message)
    case .sent(let token, let peers): state.settle(token, .sent(peers: peers))
    case .notSent(let token, let reason): state.settle(token, .failed(SafeText(reason, limit: 1024).text))
    case .pong(let id, let milliseconds, let time):
        state.say("pong from \(state.short(id)) in \(ChatState.text(milliseconds: milliseconds))", time)
    case .joined(let name): state.join(name)
    case .left(let name): state.leave(name)
    case .notice(let text, let time): state.say(text, time)
    case .problem(let text, let time): state.say(text, time, kind: .problem)
    case .log(let level, let text, let time): state.log(level, text, time)
    case .resync(let snapshot, let time): state.resync(snapshot, time)
    case .submit(let line, let time): return state.submit(line, time)
    case .turn(let step):
        if !state.rooms.isEmpty {
            let count = state.rooms.count
            state.show(((state.active + step % count) % count + count) % count)
        }
    case .show(let index): state.show(index)
    }
    return []
}

extension ChatState {
    /// `0.42 ms`, `12 ms`.
    package static func text(milliseconds: Double) -> String {
        let number = number(milliseconds: milliseconds)
        return number == "?" ? number : number + " ms"
    }

    /// `0.42`, `12`; `?` for what is no time.
    static func number(milliseconds: Double) -> String {
        guard milliseconds.isFinite, milliseconds >= 0, milliseconds < 1e9 else { return "?" }
        let hundredths = Int((milliseconds * 100).rounded())
        guard hundredths < 1000 else { return "\(Int(milliseconds.rounded()))" }
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
    }

    mutating func show(_ index: Int) {
        guard rooms.indices.contains(index) else { return }
        active = index
        rooms[index].unread = 0
    }

    mutating func update(_ row: ConnectionRow, _ time: Int64) {
        let row = safe(row)
        let index = connections.firstIndex { $0.id == row.id }
        let name = row.peer.map { short($0) } ?? row.address
        switch row.state {
        case .closed, .failed:
            if let index { connections.remove(at: index) }
            let why = row.reason.map { ": \($0)" } ?? ""
            let isConnected = row.peer != nil && connections.contains { $0.peer == row.peer && $0.state == .open }
            switch row.state {
            case .closed: log(.info, "connection to \(name) closed\(why)", time)
            // Not a loss: another way is there, and this one would have been better or a spare.
            case _ where isConnected: log(.debug, "no further connection to \(name)\(why)", time)
            default: log(.warning, "no connection to \(name)\(why)", time)
            }
        case .dialing, .securing, .open:
            if row.state == .open, index.map({ connections[$0].state != .open }) ?? true {
                log(.info, "connected \(row.direction == .inbound ? "from" : "to") \(name) by \(row.way)", time)
                if let warning = row.relay?.warning { log(.notice, "\(name) \(warning)", time) }
                if let journey = row.journey { log(.debug, "the way to \(name): \(journey)", time) }
            }
            if let index {
                connections[index] = row
            } else if connections.count < Limits.listedConnections {
                let place = connections.firstIndex { $0.id > row.id } ?? connections.endIndex
                connections.insert(row, at: place)
            }
        }
    }

    mutating func judge(_ address: String, _ verdict: Bool?) {
        let address = SafeText(address, limit: 1024).text
        verdicts.removeAll { $0.address == address }
        guard let verdict else { return }
        if verdicts.count >= Limits.autoNATOwnAddresses { verdicts.removeFirst() }
        verdicts.append((address, verdict))
    }

    mutating func replace(_ rows: [ConnectionRow]) {
        let live = rows.filter { $0.state != .closed && $0.state != .failed }
        connections = live.prefix(Limits.listedConnections).map(safe).sorted { $0.id < $1.id }
    }

    private func safe(_ row: ConnectionRow) -> ConnectionRow {
        var row = row
        row.agent = row.agent.map { SafeText($0, limit: 256).text }
        row.reason = row.reason.map { SafeText($0, limit: 1024).text }
        row.address = SafeText(row.address, limit: 1024).text
        row.transport = SafeText(row.transport, limit: 32).text
        row.detail = row.detail.map { SafeText($0, limit: 32).text }
        if let candidates = row.path?.candidates { row.path?.candidates = SafeText(candidates, limit: 32).text }
        row.steps = row.steps.prefix(Limits.shownSteps).map {
            ConnectionRow.Step(name: SafeText($0.name, limit: 32).text, milliseconds: $0.milliseconds)
        }
        return row
    }

    mutating func peer(_ id: PeerID, _ room: String, joined: Bool, _ time: Int64) {
        guard id != me, let index = rooms.firstIndex(where: { $0.name == room }) else { return }
        let peers = rooms[index].peers
        let place = peers.firstIndex { $0.id >= id } ?? peers.endIndex
        let isThere = place < peers.endIndex && peers[place].id == id
        guard joined != isThere else { return }
        let name = short(id)
        if joined {
            guard peers.count < Limits.listedPeers else { return }
            rooms[index].peers.insert(NamedPeer(id: id, short: name), at: place)
        } else {
            rooms[index].peers.remove(at: place)
        }
        log(.info, "\(name) \(joined ? "joined" : "left") \(rooms[index].title)", time)
    }

    mutating func receive(_ message: ChatMessage) {
        guard let index = rooms.firstIndex(where: { $0.name == message.room }), message.from != me,
            seen.insert(message.from, message.sequenceNumber)
        else { return }
        let safe = SafeText(bytes: message.data)
        let name = (message.nick.flatMap(SafeText.nick).map { $0 + "·" } ?? "") + short(message.from)
        rooms[index].lines.append(
            ChatLine(
                kind: .message(message.from, damaged: safe.isDamaged), name: name, text: safe.text, time: message.time))
        if index != active { rooms[index].unread += 1 }
    }

    mutating func settle(_ token: Int, _ delivery: ChatLine.Delivery) {
        guard let place = pending.removeValue(forKey: token),
            let index = rooms.firstIndex(where: { $0.name == place.room })
        else { return }
        rooms[index].lines[place.line]?.kind = .own(delivery)
    }

    mutating func join(_ name: String) {
        if let index = rooms.firstIndex(where: { $0.name == name }) { return show(index) }
        guard rooms.count < Limits.rooms else { return }
        rooms.append(ChatRoom(name: name))
        show(rooms.count - 1)
    }

    mutating func leave(_ name: String) {
        guard let index = rooms.firstIndex(where: { $0.name == name }) else { return }
        rooms.remove(at: index)
        if active > index || active >= rooms.count { active = max(0, active - 1) }
        show(active)
    }

    mutating func resync(_ snapshot: ChatSnapshot, _ time: Int64) {
        addresses = snapshot.addresses.map { SafeText($0, limit: 1024).text }
        replace(snapshot.connections)
        for room in snapshot.rooms {
            guard let index = rooms.firstIndex(where: { $0.name == room.name }) else { continue }
            rooms[index].peers = room.peers.filter { $0 != me }.sorted().prefix(Limits.listedPeers).map {
                NamedPeer(id: $0, short: short($0))
            }
        }
        log(.warning, "some events were lost because too many came at once; messages may be missing", time)
    }
}
