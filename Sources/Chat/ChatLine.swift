package import Wire

/// A line of a room: a message, or what the program says to its user.
package struct ChatLine: Equatable, Sendable {
    /// How far an own text is.
    package enum Delivery: Equatable, Sendable { case sending, sent(peers: Int), failed(String) }
    /// What kind of line.
    package enum Kind: Equatable, Sendable {
        /// From somebody else; damaged when something of it could not be shown as it came.
        case message(PeerID, damaged: Bool)
        /// From the user.
        case own(Delivery)
        /// An answer to the user.
        case notice
        /// Something went wrong.
        case problem
    }

    /// What kind.
    package var kind: Kind
    /// The author's name and the last letters of its id, empty for notices.
    package let name: String
    /// What to show, made safe.
    package let text: String
    /// Unix milliseconds.
    package let time: Int64
}

/// A line of the system log.
package struct LogLine: Equatable, Sendable {
    /// How much it matters.
    package enum Level: Int, Sendable, Comparable {
        case debug, info, notice, warning, error
        /// From `debug`, the chattiest, to `error`.
        package static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }
    }
    /// How much it matters.
    package let level: Level
    /// What to show, made safe.
    package let text: String
    /// Unix milliseconds.
    package let time: Int64
}

/// A peer with the last eight letters of its id, as screens show it.
package struct NamedPeer: Equatable, Sendable {
    package let id: PeerID
    package let short: String

    /// Stable across processes, unlike a hash value: FNV-1a of the id.
    package static func colour(of id: PeerID) -> Int {
        var hash: UInt32 = 2_166_136_261
        for byte in id.bytes { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        return Int(hash >> 8 & 0xFFFF)
    }
}

/// A room: who is in it and what was said.
package struct ChatRoom: Sendable {
    /// Its topic.
    package let name: String
    /// Its topic, made safe.
    package let title: String
    /// What was said.
    package var lines = LineRing<ChatLine>(limit: Limits.historyLines)
    /// Connected peers that are in it too, ordered by id.
    package var peers: [NamedPeer] = []
    /// Messages that came while another room was shown.
    package var unread = 0

    init(name: String) {
        self.name = name
        title = SafeText(name, limit: Limits.roomName).text
    }
}
