import Wire

/// What the user typed.
extension ChatState {
    mutating func submit(_ line: String, _ time: Int64) -> [ChatEffect] {
        let trimmed = line.drop { $0 == " " }
        guard trimmed.contains(where: { !$0.isWhitespace }) else { return [] }
        if trimmed.hasPrefix("//") { return publish(String(trimmed.dropFirst()), time) }
        if trimmed.hasPrefix("/") { return command(String(trimmed.dropFirst()), time) }
        return publish(line, time)
    }

    private mutating func publish(_ text: String, _ time: Int64) -> [ChatEffect] {
        guard let room else { return problem("you are in no room: /join ROOM", time) }
        guard text.utf8.count <= Limits.typedText else {
            return problem("too long: a text has at most \(Limits.typedText) bytes", time)
        }
        guard pending.count < Limits.unansweredTexts else {
            return problem("too many texts are still on their way, wait a moment", time)
        }
        lastToken += 1
        let line = ChatLine(
            kind: .own(.sending), name: "\(nick)·\(myName.suffix(8))", text: SafeText(text).text, time: time)
        pending[lastToken] = (room.name, rooms[active].lines.append(line))
        return [.publish(room: room.name, text: text, token: lastToken)]
    }

    private mutating func problem(_ text: String, _ time: Int64) -> [ChatEffect] {
        say(text, time, kind: .problem)
        return []
    }

    private mutating func command(_ text: String, _ time: Int64) -> [ChatEffect] {
        let parts = text.split(separator: " ", maxSplits: 1)
        let name = parts.first.map { $0.lowercased() } ?? ""
        var argument = parts.count > 1 ? String(parts[1]) : ""
        while argument.last?.isWhitespace == true { argument.removeLast() }
        guard let command = ChatCommand(rawValue: name) else {
            if ChatCommand.later.contains(name) { return problem("/\(name) is not available in this version", time) }
            return problem("there is no command /\(name): /help lists them, //\(name) sends the text", time)
        }
        switch command {
        case .help: help(argument, time)
        case .connect: return connect(argument, time)
        case .disconnect:
            guard let peer = peer(argument, command, time) else { return [] }
            return [.disconnect(peer)]
        case .peers: listPeers(time)
        case .connections: listConnections(time)
        case .ping:
            if argument.hasPrefix("/") { return address(argument, command, time).map { [.pingAddress($0)] } ?? [] }
            guard let peer = peer(argument, command, time) else { return [] }
            return [.ping(peer)]
        case .nick: rename(argument, time)
        case .join: return enter(argument, time)
        case .leave: return leaveRoom(argument, time)
        case .clear: if rooms.indices.contains(active) { rooms[active].lines.clear() }
        case .quit: return [.quit]
        }
        return []
    }

    private mutating func help(_ name: String, _ time: Int64) {
        let name = name.hasPrefix("/") ? String(name.dropFirst()) : name
        if let command = ChatCommand(rawValue: name) {
            say("\(command.usage): \(command.summary)", time)
        } else {
            for command in ChatCommand.allCases {
                let gap = String(repeating: " ", count: max(1, 24 - command.usage.count))
                say("\(command.usage)\(gap)\(command.summary)", time)
            }
            say("A PEER is the end of its id, four letters or more. //text sends a text that starts with /.", time)
            say("Tab: next pane · PgUp PgDn Home End: scroll · Ctrl-N Ctrl-P: next, previous room", time)
        }
    }

    private mutating func connect(_ text: String, _ time: Int64) -> [ChatEffect] {
        guard let address = address(text, .connect, time) else { return [] }
        say("dialling \(text)", time)
        return [.connect(address)]
    }

    private mutating func address(_ text: String, _ command: ChatCommand, _ time: Int64) -> Multiaddr? {
        guard !text.isEmpty else {
            say("usage: \(command.usage)", time, kind: .problem)
            return nil
        }
        do { return try Multiaddr(addressOrPeer: text) } catch {
            say("not an address: \(text)", time, kind: .problem)
            return nil
        }
    }

    private mutating func peer(_ text: String, _ command: ChatCommand, _ time: Int64) -> PeerID? {
        if let id = try? PeerID(text: text) { return id }
        guard text.count >= 4 else {
            say("usage: \(command.usage) (at least the last four letters of its id)", time, kind: .problem)
            return nil
        }
        let found = candidates(text)
        if found.count == 1 { return found[0] }
        say(
            found.isEmpty ? "no known peer ends in \(text)" : "\(found.count) peers end in \(text)", time,
            kind: .problem)
        return nil
    }

    private mutating func listPeers(_ time: Int64) {
        guard let room else { return }
        say(room.peers.isEmpty ? "nobody else is in \(room.title) yet" : "in \(room.title):", time)
        for peer in room.peers { say("  \(peer.id)", time) }
    }

    private mutating func listConnections(_ time: Int64) {
        if connections.isEmpty { say("no connections", time) }
        for row in connections {
            let round = row.roundTrip.map { ", " + Self.text(milliseconds: $0) } ?? ""
            let agent = row.agent.map { ", " + $0 } ?? ""
            let peer = row.peer.map { "\($0)" } ?? "?"
            say(
                "  \(peer) \(row.direction.rawValue) \(row.way) \(row.state.rawValue)\(round)\(agent), \(row.address)",
                time)
            if let relay = row.relay { say("    \(relay.text)", time) }
            if let journey = row.journey { say("    \(journey)", time) }
        }
    }

    private mutating func rename(_ text: String, _ time: Int64) {
        guard text.utf8.count <= Limits.ownNick, let name = SafeText.nick(text) else {
            say("usage: \(ChatCommand.nick.usage), at most \(Limits.ownNick) bytes", time, kind: .problem)
            return
        }
        nick = name
        say("you are now \(name) on this screen; peers of this network see the end of your id", time)
    }

    private mutating func enter(_ name: String, _ time: Int64) -> [ChatEffect] {
        guard !name.isEmpty, name.utf8.count <= Limits.roomName else {
            return problem("usage: \(ChatCommand.join.usage), at most \(Limits.roomName) bytes", time)
        }
        if let index = rooms.firstIndex(where: { $0.name == name }) {
            show(index)
            return []
        }
        guard rooms.count < Limits.rooms else { return problem("you are in \(Limits.rooms) rooms already", time) }
        return [.join(name)]
    }

    private mutating func leaveRoom(_ text: String, _ time: Int64) -> [ChatEffect] {
        let name = text.isEmpty ? room?.name ?? "" : text
        guard rooms.contains(where: { $0.name == name }) else { return problem("you are not in that room", time) }
        return [.leave(name)]
    }
}
