public import Wire

/// What a peer tells its owner: one ordered feed for the chat, the bot, logs, metrics and tests.
public enum PeerEvent: Sendable {
    /// Where others can reach this peer now, each address with `/p2p/<own id>`.
    case addresses([Multiaddr])
    /// A connection came into being or changed its state; the last event of each is `closed` or `failed`.
    case connection(ConnectionInfo)
    /// A better connection to a peer took over, or a worse one had to; both are transports' names.
    case path(PeerID, from: String, to: String)
    /// A peer told us who it is, for the first time on a connection or again after a change.
    case identified(IdentifyInfo)
    /// A connected peer joined or left a topic that this peer is in.
    case topicPeer(PeerID, topic: String, joined: Bool)
    /// A message of somebody else on a topic that this peer is in; its signature is valid.
    case message(TopicMessage)
    /// A round trip was measured on the ping protocol.
    case pong(PeerID, Duration)
    /// A peer announced itself, on the local network or on the discovery topic.
    case discovered(PeerID, [Multiaddr])
    /// Other peers found out whether an address of this peer can be dialled.
    case reachability(Multiaddr, Reachability)
    /// What happened to reservations and circuits.
    case relay(RelayEvent)
    /// What a machine wants a person or a log to know.
    case log(LogLevel, String)
    /// Events were dropped because nobody took them in time: load the state afresh with `Peer.snapshot()`.
    case resync
}

/// Whether strangers can dial an address, or a peer at any of its addresses (AutoNAT v2).
public enum Reachability: String, Sendable, CaseIterable {
    case unknown, `public`, `private`
}

/// How much a ``PeerEvent/log(_:_:)`` matters.
public enum LogLevel: Int, Sendable, Comparable, CaseIterable {
    case trace, debug, info, notice, warning, error

    /// Levels are ordered from `trace`, the chattiest, to `error`.
    public static func < (left: LogLevel, right: LogLevel) -> Bool { left.rawValue < right.rawValue }
}

/// A connection as it stands at one moment.
public struct ConnectionInfo: Sendable, Equatable {
    /// Who dialled.
    public enum Direction: String, Sendable { case inbound = "in", outbound = "out" }
    /// How far it is: `securing` covers everything between the first byte and the first stream.
    public enum State: String, Sendable { case dialing, securing, open, closed, failed }

    /// A step on the way to an open connection.
    public struct Phase: Sendable, Equatable {
        /// `signalling`, `STUN`, `DTLS`, `SCTP`, `Noise`, `first stream`.
        public let name: String
        /// From the end of the step before to its own.
        public let duration: Duration

        package init(name: String, duration: Duration) {
            self.name = name
            self.duration = duration
        }
    }

    /// Figures of a connection over datagrams.
    public struct Path: Sendable, Equatable {
        /// The addresses of its ends, `local → remote`.
        public let ends: String
        /// How the ends were found: `host`, `srflx`, `prflx`, `relay`.
        public let candidates: String
        /// The smoothed round trip of the path's own checks; nil where nobody measures it.
        public let checkRoundTrip: Duration?
        /// The smoothed round trip of the transport.
        public let transportRoundTrip: Duration?
        /// Bytes that may be on their way at once.
        public let congestionWindow: Int
        /// Pieces that were sent again.
        public let retransmissions: UInt64

        package init(
            ends: String, candidates: String, checkRoundTrip: Duration?, transportRoundTrip: Duration?,
            congestionWindow: Int, retransmissions: UInt64
        ) {
            (self.ends, self.candidates) = (ends, candidates)
            (self.checkRoundTrip, self.transportRoundTrip) = (checkRoundTrip, transportRoundTrip)
            (self.congestionWindow, self.retransmissions) = (congestionWindow, retransmissions)
        }
    }

    /// The relay a connection leads through, and how much longer.
    public struct Relay: Sendable, Equatable {
        /// The relay.
        public let peer: PeerID
        /// What it lets the connection carry; nil without bounds, or while that is not known.
        public let limit: RelayLimit?
        /// Bytes left in the busier direction; nil without a bound.
        public var bytesLeft: UInt64?
        /// Time left; nil without a bound.
        public var timeLeft: Duration?
        /// Whether the peer sends GossipSub over it: go and js do not where the relay limits a connection.
        public var carriesGossip = false

        package init(peer: PeerID, limit: RelayLimit?) { (self.peer, self.limit) = (peer, limit) }
    }

    /// Names the connection for its lifetime, counted from 1.
    public let id: UInt64
    /// The other side: expected while dialling, authenticated from `open` on.
    public var peer: PeerID?
    /// How far it is.
    public var state: State
    /// Who dialled.
    public let direction: Direction
    /// The transport's name: `tcp`, `ws`, `wss`, `webrtc-direct`, `relay`, `memory`, …
    public let transport: String
    /// Which variant of the transport: the version of webrtc-direct, `v1` or `v2`. Nil when there is but one.
    public var detail: String?
    /// The steps taken so far to make the connection, in order, with the time each took.
    public var phases: [Phase] = []
    /// What datagrams cross, and how well; nil over a byte pipe, and before there is a path.
    public var path: Path?
    /// The relay it leads through; nil for a direct one.
    public var relay: Relay?
    /// The remote address.
    public let address: Multiaddr
    /// Why it closed or failed, in plain words; nil while it lives and when it was closed in good order.
    public var reason: String?
    /// What the peer calls its software, once identify answered.
    public var agent: String?
    /// The last round trip measured on it.
    public var roundTrip: Duration?
    /// How long ago its state became `open`; zero before.
    public var age: Duration = .zero
    /// Bytes received from the transport, overhead included.
    public var bytesReceived: UInt64 = 0
    /// Bytes given to the transport, overhead included.
    public var bytesSent: UInt64 = 0
    /// Streams open on it, both directions.
    public var streams: Int = 0
}

/// A message heard on a topic.
public struct TopicMessage: Sendable {
    /// The topic it was published on.
    public let topic: String
    /// Its id on the wire, author ‖ sequence number.
    public let id: [UInt8]
    /// Its author, authenticated by the signature.
    public let author: PeerID
    /// The author's sequence number: unique per author.
    public let sequenceNumber: UInt64
    /// The payload as sent.
    public let data: [UInt8]
    /// The neighbour it came from.
    public let receivedFrom: PeerID

    package init(
        topic: String, id: [UInt8], author: PeerID, sequenceNumber: UInt64, data: [UInt8], receivedFrom: PeerID
    ) {
        self.topic = topic
        self.id = id
        self.author = author
        self.sequenceNumber = sequenceNumber
        self.data = data
        self.receivedFrom = receivedFrom
    }
}

/// Everything a reader needs to start from, or to start again after ``PeerEvent/resync``.
public struct PeerSnapshot: Sendable {
    /// Own addresses, each with `/p2p/<own id>`.
    public var addresses: [Multiaddr]
    /// All connections that are not closed, oldest first.
    public var connections: [ConnectionInfo]
    /// Topics this peer is in, and the connected peers of each.
    public var topics: [Topic]
    /// One topic of a snapshot.
    public struct Topic: Sendable {
        /// The topic.
        public var name: String
        /// Connected peers that are in it too, ordered by id.
        public var peers: [PeerID]
        /// Those of them in this peer's mesh.
        public var mesh: [PeerID]
    }
}

/// How a publish went.
public struct Published: Sendable {
    /// The message's id on the wire.
    public let id: [UInt8]
    /// The message's sequence number.
    public let sequenceNumber: UInt64
    /// To how many neighbours it was sent at once.
    public let peers: Int
}

/// Why something asked of a peer did not happen.
public struct PeerError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure; may grow.
    public struct Code: Sendable, Hashable {
        private let name: String
        /// The address or peer is this peer itself.
        public static let dialsItself = Code(name: "dials-itself")
        /// No address of the peer could be reached.
        public static let unreachable = Code(name: "unreachable")
        /// There is no connection to the peer.
        public static let notConnected = Code(name: "not-connected")
        /// The peer does not speak the protocol.
        public static let unsupported = Code(name: "unsupported")
        /// The peer did not answer in time.
        public static let timedOut = Code(name: "timed-out")
        /// The stream or connection ended before the answer.
        public static let closed = Code(name: "closed")
        /// The peer broke the protocol.
        public static let misbehaved = Code(name: "misbehaved")
        /// What was asked cannot be done: too large, not an address, not joined.
        public static let invalid = Code(name: "invalid")
        /// A limit of this peer would be exceeded.
        public static let limit = Code(name: "limit")
        /// The caller withdrew the request.
        public static let cancelled = Code(name: "cancelled")
        /// This peer is leaving.
        public static let shutDown = Code(name: "shut-down")
        /// The operating system refused.
        public static let system = Code(name: "system")
    }
    /// What kind of failure.
    public let code: Code
    /// One sentence for a person.
    public let message: String
    /// A failure with its sentence.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
    /// The sentence.
    public var description: String { message }
}
