package import Wire

/// Everything the chat knows; changed by ``reduce(into:_:)`` only.
package struct ChatState: Sendable {
    /// The user's own id.
    package let me: PeerID
    /// The user's own id in text.
    package let myName: String
    /// The user's own nickname.
    package internal(set) var nick: String
    /// Peers of the same network are looked for.
    package let looksAround: Bool
    /// The peer runs.
    package internal(set) var isReady = false
    /// Where others can reach this peer.
    package internal(set) var addresses: [String] = []
    /// Own addresses that others tried to dial, the newest last, and whether they could.
    package internal(set) var verdicts: [(address: String, isReached: Bool)] = []
    /// Rooms in the order they were joined.
    package internal(set) var rooms: [ChatRoom]
    /// The room shown, an index into ``rooms``.
    package internal(set) var active = 0
    /// Connections by id.
    package internal(set) var connections: [ConnectionRow] = []
    /// The system log.
    package internal(set) var log = LineRing<LogLine>(limit: Limits.historyLines)

    var seen = SeenMessages()
    var names: [PeerID: String] = [:]
    var pending: [Int: (room: String, line: Int)] = [:]
    var lastToken = 0

    /// A chat that has not started, in the rooms it will join.
    package init(me: PeerID, nick: String, rooms: [String], looksAround: Bool = true) {
        self.me = me
        self.looksAround = looksAround
        myName = me.description
        self.nick = SafeText.nick(nick) ?? "me"
        self.rooms = rooms.prefix(Limits.rooms).map(ChatRoom.init(name:))
    }

    /// The room shown, nil when the user is in none.
    package var room: ChatRoom? { rooms.indices.contains(active) ? rooms[active] : nil }

    /// How strangers reach this peer, in a few words; nil while nothing is known of it.
    package var reachability: String? {
        if verdicts.contains(where: \.isReached) { return "others can dial you" }
        let relays = Set(
            addresses.compactMap { address -> Substring? in
                let parts = address.split(separator: "/")
                guard let circuit = parts.firstIndex(of: "p2p-circuit"), circuit > 0 else { return nil }
                return parts[circuit - 1]
            })
        if !relays.isEmpty { return "reachable through \(relays.count == 1 ? "a relay" : "\(relays.count) relays")" }
        return verdicts.isEmpty ? nil : "others cannot dial you"
    }

    /// The last eight letters of a peer's id.
    mutating func short(_ id: PeerID) -> String {
        if let name = names[id] { return name }
        if names.count >= Limits.cachedNames { names.removeAll() }
        let name = id.suffix()
        names[id] = name
        return name
    }

    mutating func log(_ level: LogLine.Level, _ text: String, _ time: Int64) {
        log.append(LogLine(level: level, text: SafeText(text, limit: 4096).text, time: time))
    }

    /// Says something to the user among the messages.
    mutating func say(_ text: String, _ time: Int64, kind: ChatLine.Kind = .notice) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard rooms.indices.contains(active) else {
            for line in lines { log(kind == .problem ? .error : .notice, String(line), time) }
            return
        }
        for line in lines {
            rooms[active].lines.append(ChatLine(kind: kind, name: "", text: SafeText(String(line)).text, time: time))
        }
    }

    /// The peers that the user can mean by the end of an id.
    func candidates(_ suffix: String) -> [PeerID] {
        var known = Set(connections.compactMap(\.peer))
        for room in rooms { known.formUnion(room.peers.map(\.id)) }
        return known.filter { $0.description.hasSuffix(suffix) }.sorted()
    }
}
