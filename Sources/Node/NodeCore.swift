import Channels
import DequeModule
import GossipSub
package import NIOCore
import OrderedCollections
package import WebRTC
package import Wire

/// Everything of one node, without IO: every protocol machine, composed.
///
/// Bytes, events and `now` go in; what has to be done comes out, in order. The runtime gives it sockets, the
/// simulator gives it virtual links: both run this same object.
///
///     pipe bytes → Connection (multistream, Noise, Yamux) → stream bytes → a StreamRole's machine ─┐
///     datagrams → DirectListener → WebRTCConnection (ICE, DTLS, SCTP, Noise) → stream bytes ────────┤
///     requests ───────────────→ Dialer, Resolver, Router, roles ────────────────────────────────────┤
///     multicast datagrams ────→ MDNS ───────────────────────────────────────────────────────────────┴→ outputs
///
/// Reached by one thread at a time (the peer's event loop, the simulator): it is a class so that connections and
/// streams can be changed in place, and deliberately not `Sendable`.
///
/// Limits: `Limits`. What it does not do: IO, time, wall-clock stamps, history.
package final class NodeCore: Machine {
    package let identity: KeyPair
    let configuration: PeerConfiguration
    var entropy: Entropy
    var outputs: Deque<Output> = []

    // Connections, by id; iteration is by age.
    var connections: OrderedDictionary<ConnectionID, NodeConnection> = [:]
    var lastConnectionID: ConnectionID = 0
    /// No connection wants to be called sooner: an early call costs little, asking thousands at every packet does not.
    var connectionDeadline = NIODeadline.distantFuture
    /// What is known of peers, connected or not.
    var peers: PeerTable
    /// What is beneath WebRTC; nil when it is switched off.
    let engines: (any WebRTCEngines)?
    /// By the runtime's number.
    var listeningSockets: [UInt32: ListeningSocket] = [:]
    /// Where we listen, wildcards expanded, without `/p2p`.
    var listenAddresses: [Multiaddr] = []

    /// Those addresses, signed.
    var signedPeerRecord: ByteBuffer?

    var dialer: Dialer
    /// The connection attempt behind each connection being made.
    var attempts: [Dialer.AttemptID: ConnectionID] = [:]
    var resolver = Resolutions()
    var router: Router
    var mdns: MDNS?
    /// The relays this peer is reached through.
    var relayClient: RelayClient
    /// The owner wants to be reached through whatever relays it is connected to.
    var listensThroughAny = false
    /// What it gives to others as a relay; nil when it is none.
    var relayServer: RelayServer?
    /// The circuits of that relay.
    var bridges: OrderedDictionary<RelayServer.CircuitID, Bridge> = [:]
    /// Dials of relays, for the connections that wait for them.
    var relayDials: OrderedDictionary<RequestID, ConnectionID> = [:]
    /// The node's own requests of its dialer are counted from here on; owners count theirs from zero.
    var lastRelayDial: RequestID = 1 << 63
    var clock: UnixClock
    /// Peers found on the discovery topic; nil when it is switched off.
    var discovery: PeerDiscovery?
    /// The owner joined the discovery topic by name: it hears what is said there.
    var showsDiscovery = false
    var bootstrap: Bootstrap?
    var udpSilence = UDPSilence()
    /// Dials that nobody asked for by a request, by the number the dialer knows them by.
    var ownDials = OwnDials()
    /// Peers found on the local network that are left to dial us first.
    var deferredDials: OrderedDictionary<PeerID, NIODeadline> = [:]
    /// Peers reached through relays, to be reached again when they are lost.
    var comebacks = Comebacks()
    /// Servers of STUN and TURN.
    var pathServers = PathServers()
    var requests = Requests()
    /// Peers looked for by their id alone.
    var searches = PeerSearches()
    /// Direct connections being made to peers that are connected through a relay.
    var punches: OrderedDictionary<PeerID, Punch> = [:]
    /// Whether strangers can reach us, as others find out.
    var reachable: ReachabilityState
    var phase = Phase.running
    /// Connections whose machines may have something to say.
    var touched: Deque<NodeConnection> = []

    /// Leaving: connections are to be closed once the farewells are on their way.
    var isClosingAfterPump = false

    /// Whether the node serves, is leaving, or has left.
    enum Phase: Equatable {
        case running
        case leaving(RequestID, deadline: NIODeadline)
        case left
    }

    /// A node that does nothing yet.
    ///
    /// - Parameters:
    ///   - identity: whose node it is.
    ///   - configuration: what it serves and looks for.
    ///   - engines: DTLS and SCTP, for webrtc-direct.
    ///   - unixNanoseconds: the wall clock: where sequence numbers of messages and records start, and what tells a
    ///     relay's time from ours until ``Input/wallClock(_:)`` says it anew.
    ///   - entropy: the system's, or a seed in a simulation.
    ///   - now: when it starts.
    package init(
        identity: KeyPair, configuration: PeerConfiguration, engines: (any WebRTCEngines)?, unixNanoseconds: UInt64,
        entropy: Entropy, now: NIODeadline
    ) {
        var entropy = entropy
        self.identity = identity
        self.configuration = configuration
        self.engines = engines
        peers = PeerTable(recordSequence: unixNanoseconds)
        dialer = Dialer(own: identity.peerID, entropy: entropy.split())
        reachable = ReachabilityState(probing: AutoNATProbing(entropy: entropy.split()))
        router = Router(identity: identity, firstSequenceNumber: unixNanoseconds, entropy: entropy.split())
        let clock = UnixClock(nanoseconds: unixNanoseconds, at: now)
        self.clock = clock
        relayServer = configuration.relay.map { RelayServer(identity: identity, configuration: $0, clock: clock) }
        relayClient = RelayClient(clock: clock, entropy: entropy.split())
        if configuration.discoversLocally { mdns = MDNS(own: identity.peerID, entropy: entropy.split()) }
        if configuration.discoversOverPubsub {
            discovery = PeerDiscovery(own: identity.publicKey, entropy: entropy.split())
        }
        self.entropy = entropy
        seekRelays(now: now)
        startDiscovery(now: now)
        startBootstrap(now: now)
        resolveServers(turnOnly: true, now: now)
        pump(now: now)
    }

    package func poll() -> Output? { outputs.popFirst() }

    package func handle(_ input: consuming Input, now: NIODeadline) {
        switch input {
        case .pipeOpened(let id): pipeOpened(id, now: now)
        case .pipeFailed(let id, let reason): pipeFailed(id, reason: reason, now: now)
        case .pipeReceived(let id, let bytes): give(.bytes(bytes), to: id, now: now)
        case .pipeWritable(let id, let isWritable): give(.pipeWritable(isWritable), to: id, now: now)
        case .pipeClosed(let id, let reason): pipeClosed(id, reason: reason, now: now)
        case .socketOpened(let id, let local): socketOpened(id, local: local, now: now)
        case .socketsOpened(let id, let sockets): socketsOpened(id, sockets, now: now)
        case .relayPipe(let id, let pipe, let event): relayPipe(pipe, of: id, event, now: now)
        case .socketListens(let number, let local): socketListens(number, local: local)
        case .datagrams(let datagrams, let remote, let local, let socket):
            received(datagrams, from: remote, to: local, on: socket, now: now)
        case .listening(let addresses): listening(addresses, now: now)
        case .listenThrough(let address): listen(through: address, now: now)
        case .multicastReceived(let bytes, let source): mdns?.handle(.packet(bytes, from: source), now: now)
        case .resolved(let query, let answer): resolver.handle(.answered(query, answer), now: now)
        case .request(let id, let request): handle(request, id: id, now: now)
        case .cancel(let id): cancel(id, now: now)
        case .stream(let key, let command): handle(command, on: key, now: now)
        case .wallClock(let nanoseconds): clockRead(nanoseconds, now: now)
        case .tick: tick(now: now)
        }
        pump(now: now)
    }
}
