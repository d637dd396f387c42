import Node
import Wire

/// What a bot tells on stdout as JSON (`cli.md`, events); what people see comes from the chat, but for a few lines.
enum BotEvent {
    case ready(peer: PeerID, nick: String, rooms: [String], addresses: [Multiaddr])
    case addresses([Multiaddr])
    case reachability(Multiaddr, Reachability)
    case connection(ConnectionInfo)
    case path(PeerID, from: String, to: String)
    case peer(PeerID, room: String, joined: Bool)
    case message(room: String, id: [UInt8], from: PeerID, nick: String, text: String)
    case sent(room: String, id: [UInt8], peers: Int)
    case pong(PeerID, Duration)
    case error(input: String, message: String)
    case relay(RelayEvent)
    case log(LogLevel, String)
    case resync

    /// The event as one line of JSON, `event` first.
    func json(at time: WallClock) -> String {
        var object: JSONObject
        switch self {
        case .ready(let peer, let nick, let rooms, let addresses):
            object = JSONObject(event: "ready")
            object.add("peer", peer.description)
            object.add("nick", nick)
            object.add("rooms", rooms)
            object.add("addresses", addresses.map(\.description))
        case .addresses(let addresses):
            object = JSONObject(event: "addresses")
            object.add("addresses", addresses.map(\.description))
        case .reachability(let address, let status):
            object = JSONObject(event: "reachability")
            object.add("address", address.description)
            object.add("state", status.rawValue)
        case .connection(let info): object = Self.json(info)
        case .path(let peer, let old, let new):
            object = JSONObject(event: "path")
            object.add("peer", peer.description)
            object.add("from", old)
            object.add("to", new)
        case .peer(let peer, let room, let joined):
            object = JSONObject(event: "peer")
            object.add("room", room)
            object.add("peer", peer.description)
            object.add("state", joined ? "joined" : "left")
        case .message(let room, let id, let from, let nick, let text):
            object = JSONObject(event: "message")
            object.add("room", room)
            object.add("id", Self.hex(id))
            object.add("from", from.description)
            object.add("nick", nick)
            object.add("text", text)
            object.add("time", time.rfc3339)
        case .sent(let room, let id, let peers):
            object = JSONObject(event: "sent")
            object.add("room", room)
            object.add("id", Self.hex(id))
            object.add("peers", peers)
        case .pong(let peer, let roundTrip):
            object = JSONObject(event: "pong")
            object.add("peer", peer.description)
            object.add("ms", roundTrip.milliseconds)
        case .error(let input, let message):
            object = JSONObject(event: "error")
            object.add("input", input)
            object.add("message", message)
        case .relay(let event): object = Self.json(event)
        case .log(let level, let message):
            object = JSONObject(event: "log")
            object.add("level", "\(level)")
            object.add("message", message)
        case .resync: object = JSONObject(event: "resync")
        }
        return object.line
    }

    private static func json(_ info: ConnectionInfo) -> JSONObject {
        var object = JSONObject(event: "connection")
        object.add("id", info.id)
        object.add("peer", info.peer?.description)
        object.add("state", info.state.rawValue)
        object.add("direction", info.direction.rawValue)
        object.add("transport", info.transport)
        object.add(stepsOf: info)
        object.add("address", info.address.description)
        object.add(relayOf: info)
        object.add("reason", info.reason)
        return object
    }

    private static func json(_ event: RelayEvent) -> JSONObject {
        var object = JSONObject(event: "relay")
        switch event {
        case .reserved(let relay, let time, let limit):
            object.add("state", "reserved")
            object.add("relay", relay.description)
            object.add("seconds", UInt64(clamping: time.components.seconds))
            object.add(limit)
        case .refused(let relay, let reason, _):
            object.add("state", "refused")
            object.add("relay", relay.description)
            object.add("reason", reason)
        case .lost(let relay, let reason):
            object.add("state", "lost")
            object.add("relay", relay.description)
            object.add("reason", reason)
        case .granted(let peer, let isRenewal):
            object.add("state", isRenewal ? "renewed" : "granted")
            object.add("peer", peer.description)
        case .denied(let peer, let status):
            object.add("state", "denied")
            object.add("peer", peer.description)
            object.add("reason", status.name)
        case .circuitOpened(let from, let to):
            object.add("state", "circuit-opened")
            object.add("from", from.description)
            object.add("to", to.description)
        case .circuitEnded(let from, let to, let bytes, let reason):
            object.add("state", "circuit-ended")
            object.add("from", from.description)
            object.add("to", to.description)
            object.add("bytes", bytes)
            object.add("reason", reason)
        }
        return object
    }

    /// The event for people, where the chat has no line for it.
    var plain: [String] {
        switch self {
        case .ready(let peer, let nick, let rooms, let addresses):
            ["ready: \(peer) as \(nick) in \(rooms.joined(separator: ", "))"]
                + addresses.map { "listening on \($0)" }
        case .addresses(let addresses): ["addresses: " + addresses.map(\.description).joined(separator: " ")]
        case .error(let input, let message): ["\(input.isEmpty ? "" : input + ": ")\(message)"]
        case .reachability, .connection, .path, .peer, .message, .sent, .pong, .relay, .log, .resync: []
        }
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

extension JSONObject {
    /// The relay a connection leads through, its limits, and what is left of them; absent for a direct one.
    mutating func add(relayOf info: ConnectionInfo) {
        guard let relay = info.relay else { return }
        add("relay", relay.peer.description)
        add(relay.limit)
        add("carries-chat", relay.carriesGossip)
        if let bytes = relay.bytesLeft { add("bytes-left", bytes) }
        if let time = relay.timeLeft { add("seconds-left", UInt64(clamping: time.components.seconds)) }
    }

    /// What a relay allows a connection, each absent without a bound.
    mutating func add(_ limit: RelayLimit?) {
        guard let limit else { return }
        if limit.seconds > 0 { add("limit-seconds", UInt64(limit.seconds)) }
        if limit.bytes > 0 { add("limit-bytes", limit.bytes) }
    }

    /// Which variant of its transport a connection uses, how the ends of its path were found, and how long each step to
    /// it took; absent when not known.
    mutating func add(stepsOf info: ConnectionInfo) {
        add("detail", info.detail)
        add("candidates", info.path?.candidates)
        guard !info.phases.isEmpty else { return }
        add(
            "phases",
            info.phases.map { phase in
                var object = JSONObject()
                object.add("name", phase.name.lowercased().replacing(" ", with: "-"))
                object.add("ms", phase.duration.milliseconds)
                return object
            })
    }
}

extension Duration {
    /// The duration in milliseconds.
    var milliseconds: Double {
        Double(components.seconds) * 1000 + Double(components.attoseconds) / 1e15
    }
}
