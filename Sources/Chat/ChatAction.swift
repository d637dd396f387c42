package import Wire

/// What happens to a chat: news from the node, and what the user does. Times are unix milliseconds.
package enum ChatAction: Sendable {
    /// The peer runs and is in its rooms.
    case ready(addresses: [String])
    /// Where others can reach this peer now.
    case addressesChanged([String])
    /// Others found out whether an address can be dialled; nil: it is not known any longer. In words for the log.
    case reachability(address: String, Bool?, words: String, time: Int64)
    /// A connection came into being or changed.
    case connection(ConnectionRow, time: Int64)
    /// All connections as they stand, for instance once a second; others are gone.
    case connections([ConnectionRow])
    /// A peer came into a room.
    case peerJoined(PeerID, room: String, time: Int64)
    /// A peer left a room.
    case peerLeft(PeerID, room: String, time: Int64)
    /// Somebody wrote.
    case message(ChatMessage)
    /// A text given out by ``ChatEffect/publish(room:text:token:)`` went to so many peers at once.
    case sent(token: Int, peers: Int)
    /// Such a text did not go out.
    case notSent(token: Int, reason: String)
    /// A round trip, in milliseconds, that the user asked for.
    case pong(PeerID, milliseconds: Double, time: Int64)
    /// This peer is now in a room.
    case joined(room: String)
    /// This peer has left a room.
    case left(room: String)
    /// An answer to what the user did, shown among the messages.
    case notice(String, time: Int64)
    /// Something the user did failed, shown among the messages.
    case problem(String, time: Int64)
    /// A line for the system log.
    case log(LogLine.Level, String, time: Int64)
    /// Events were lost: this is how things stand. Messages that were lost stay lost.
    case resync(ChatSnapshot, time: Int64)
    /// The user pressed Enter.
    case submit(String, time: Int64)
    /// The user turned to the next (1) or previous (-1) room.
    case turn(Int)
    /// The user turned to the room with this number, counted from 0.
    case show(Int)
}

/// A message of somebody else, as it came.
package struct ChatMessage: Sendable {
    package let room: String
    package let from: PeerID
    package let nick: String?
    package let data: [UInt8]
    package let sequenceNumber: UInt64
    package let time: Int64

    /// A message; `time` is when it came, in unix milliseconds.
    package init(room: String, from: PeerID, nick: String? = nil, data: [UInt8], sequenceNumber: UInt64, time: Int64) {
        self.room = room
        self.from = from
        self.nick = nick
        self.data = data
        self.sequenceNumber = sequenceNumber
        self.time = time
    }
}

/// How things stand in the node.
package struct ChatSnapshot: Sendable {
    package let addresses: [String]
    package let connections: [ConnectionRow]
    package let rooms: [(name: String, peers: [PeerID])]

    /// A snapshot.
    package init(addresses: [String], connections: [ConnectionRow], rooms: [(name: String, peers: [PeerID])]) {
        self.addresses = addresses
        self.connections = connections
        self.rooms = rooms
    }
}
