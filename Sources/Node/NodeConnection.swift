import Channels
import DequeModule
import GossipSub
import NIOCore
import OrderedCollections
import WebRTC
import Wire

/// One connection of the node: its pipe's name, its machine once the pipe stands, its streams and their roles.
///
/// A class because connections have identity; reached only through ``NodeCore``.
final class NodeConnection {
    let id: ConnectionID
    let direction: ConnectionInfo.Direction
    let transport: String
    let address: Multiaddr
    /// The attempt of the dialer behind it; nil for one that was accepted.
    let attempt: Dialer.AttemptID?
    /// Whom the dialer wants there.
    let expected: PeerID?

    /// Nil while the pipe is being made.
    var machine: ConnectionMachine?
    /// The way through a relay; nil for a direct connection.
    var circuit: CircuitPipe?
    /// What it proves, when it was made for nothing else: then it is nobody's connection.
    var dialBack: NodeCore.DialBack?
    /// As whom it greets, when it is a dial that meets another.
    var punchRole: Role?
    /// Tries at a direct connection that the peer began on this one.
    var punchesAnswered = 0
    /// Requests to our relay that are answered now.
    var hopBudget = TokenBucket(capacity: Limits.hopBurst, perSecond: Limits.hopsPerSecond)
    /// The UDP socket it uses; nil over a byte pipe.
    var socket: SocketID?
    /// Where that socket is bound.
    var localAddress: TransportAddress?
    /// The sockets of a signalled connection.
    var sockets: [OpenedSocket] = []
    /// The stream over which it was, or is, signalled.
    var signalling: SignallingLink?
    /// Whether it leads through a relay, and a direct one would be better.
    var isRelayed: Bool { transport == "relay" }
    /// Of two ways to a peer the one with the higher rank is used, and both ends must agree: it hangs on the transport
    /// alone. A direct one beats a relay. TCP (DCUtR's) beats WebRTC: routers keep its mapping for hours and not half a
    /// minute, nobody has to send checks for it, and it costs a third of the work per byte.
    var rank: Int { isRelayed ? 0 : transport == "webrtc" ? 1 : 2 }
    /// Identify went both ways, or will not.
    var isProved = false
    /// Nothing has come for some seconds, though the remote was asked.
    var isSilent = false
    /// The peer left it for a way through a relay: it seems dead from there.
    var isAbandoned = false
    /// Whether to take any other way that there is.
    var isDoubtful: Bool { isSilent || isAbandoned }
    /// How a direct connection is sought in place of it.
    var upgrade = Upgrade.none
    var upgradeTries = 0
    /// How it hands over to a better connection.
    var succession = Succession.none
    /// It was told that another connection took its place.
    var hasHandedOver = false
    /// The version of webrtc-direct it speaks.
    var detail: String?
    /// When to try another version, if nobody has answered by then.
    var fallback = NIODeadline.distantFuture
    /// The steps of its making, in order.
    var phases: [ConnectionInfo.Phase] = []
    var state: ConnectionInfo.State
    /// Authenticated.
    var peer: PeerID?
    var openedAt: NIODeadline?
    var roundTrip: TimeAmount?
    var reason: String?
    /// When its machine or one of its streams wants to be called.
    private(set) var deadline = NIODeadline.distantFuture
    /// Whether it stands in the node's list of connections to poll.
    var isTouched = false

    var streams: OrderedDictionary<StreamID, NodeStream> = [:]
    /// What identify said on this connection; nil until it did.
    var identified: IdentifyInfo?
    /// The stream that carries our GossipSub to the peer, and the one that carries theirs.
    var gossipOutbound: StreamID?
    var gossipInbound: StreamID?
    var gossipAttempts = 0
    /// Until then what comes on ``gossipInbound`` waits, because the stream before it may still bring something.
    var gossipHold = NIODeadline.distantFuture
    /// When to try our GossipSub stream again.
    var gossipRetry: NIODeadline = .distantFuture
    /// Our ping stream, kept open for the next round trip, and who waits for it.
    var pingStream: StreamID?
    var pingRequests: [RequestID] = []
    /// The stream on which identify is asked; one at a time.
    var identifyStream: StreamID?
    /// Who waits for identify.
    var identifyRequests: [RequestID] = []

    init(
        id: ConnectionID, direction: ConnectionInfo.Direction, transport: String, address: Multiaddr,
        attempt: Dialer.AttemptID?, expected: PeerID?
    ) {
        self.id = id
        self.direction = direction
        self.transport = transport
        self.address = address
        self.attempt = attempt
        self.expected = expected
        state = direction == .outbound ? .dialing : .securing
    }

    /// Recomputes ``deadline``, after its machine or one of its streams did something.
    func refreshDeadline() {
        var earliest = min(
            machine?.deadline ?? .distantFuture, gossipRetry, fallback, circuit?.warnAt ?? .distantFuture)
        earliest = min(earliest, gossipHold, upgrade.deadline, succession.deadline)
        for stream in streams.values { earliest = min(earliest, stream.role.deadline) }
        deadline = earliest
    }

    /// Where a socket of its own is bound.
    func local(of socket: SocketID) -> TransportAddress? {
        sockets.isEmpty ? localAddress : sockets.first { $0.id == socket }?.local
    }

    /// The socket bound there.
    func socket(at local: TransportAddress) -> SocketID? {
        sockets.isEmpty ? socket : sockets.first { $0.local == local }?.id
    }

    /// How an application names one of its streams.
    func key(of stream: NodeStream) -> StreamKey { StreamKey(connection: id, stream: stream.id.number) }

    /// What a person may know of it.
    func info(now: NIODeadline) -> ConnectionInfo {
        var info = ConnectionInfo(
            id: id, peer: peer ?? expected, state: state, direction: direction, transport: transport, address: address)
        info.detail = detail
        info.phases = phases
        if case .direct(let machine)? = machine { info.path = Self.path(machine.statistics) }
        info.relay = circuit?.info(
            sent: machine?.bytesSent ?? 0, received: machine?.bytesReceived ?? 0, now: now)
        info.relay?.carriesGossip = gossipInbound != nil
        info.reason = reason
        info.agent = identified?.agentVersion
        info.roundTrip = roundTrip.map { .nanoseconds($0.nanoseconds) }
        if let openedAt { info.age = .nanoseconds((now - openedAt).nanoseconds) }
        info.bytesReceived = machine?.bytesReceived ?? 0
        info.bytesSent = machine?.bytesSent ?? 0
        info.streams = streams.count
        return info
    }
}

extension NodeConnection {
    /// Figures in a person's terms.
    private static func path(_ figures: PeerConnectionStatistics) -> ConnectionInfo.Path? {
        guard let ends = figures.path else { return nil }
        let kinds = [figures.localCandidate, figures.remoteCandidate].compactMap(\.self)
        return ConnectionInfo.Path(
            ends: ends, candidates: kinds.joined(separator: " → "),
            checkRoundTrip: figures.pathRoundTrip.map { .nanoseconds($0.nanoseconds) },
            transportRoundTrip: figures.roundTrip.map { .nanoseconds($0.nanoseconds) },
            congestionWindow: figures.congestionWindow, retransmissions: figures.retransmissions)
    }
}

/// A stream and what it is for.
final class NodeStream {
    let id: StreamID
    var role: StreamRole
    /// What the role's machine has not taken yet; credit goes back as it does.
    var inbox = ByteBuffer()
    /// What came behind ``inbox`` on a circuit of our relay, piece by piece: putting it together would copy it.
    var backlog: Deque<ByteBuffer> = []
    /// The remote has written all it will.
    var isEnded = false
    /// The remote does not speak the protocol.
    var isRefused = false

    init(id: StreamID, role: StreamRole) {
        self.id = id
        self.role = role
    }

    func append(_ bytes: ByteBuffer) {
        if inbox.readableBytes == 0 { inbox = bytes } else { inbox.writeImmutableBuffer(bytes) }
    }
}
