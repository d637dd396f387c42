import Channels
import NIOCore
import Wire

/// What a stream is for. Exhaustive: `opening` and `application` are the one door for protocols of others.
enum StreamRole {
    /// Ours: asking who the peer is, for these requests.
    case identify(IdentifyRequest)
    /// The peer's: it tells what changed.
    case pushed(IdentifyRequest)
    case ping(Ping)
    case pingResponder(PingResponder)
    case perf(PerfClient, RequestID)
    case perfServer(PerfServer)
    /// Ours: asking this peer for others, for the search of a request.
    case kademlia(KademliaQuery, PeerID, RequestID)
    /// Ours: asking whether our addresses can be dialled.
    case autoNATClient(AutoNATClient)
    /// A peer's: asking that of us; whether it is counted among those that are served now.
    case autoNATServer(AutoNATServer, isCounted: Bool)
    /// Ours: proving to a peer that its address leads to it.
    case dialBackCall(DialBackCall)
    /// A peer's: proving that to us.
    case dialBackListener(DialBackListener)
    /// Ours: agreeing with a peer behind the same relay on when to dial each other.
    case punchInitiator(HolePunchInitiator)
    /// The same, begun by the peer.
    case punchResponder(HolePunchResponder)
    /// Ours: looking for a direct path, for this connection.
    case signalling(SignallingInitiator, ConnectionID)
    /// The peer's; nil until it has offered.
    case signallingResponder(SignallingResponder, ConnectionID?)
    case gossipOutbound
    case gossipInbound
    /// Ours: asking a relay for a reservation.
    case reserve(ReserveRequest)
    /// Ours: asking a relay for the circuit that this connection is to run over.
    case circuitRequest(CircuitRequest, ConnectionID)
    /// A relay's: bringing a circuit.
    case stopResponder(StopResponder)
    /// The byte pipe of another connection.
    case circuit(ConnectionID)
    /// A peer's: asking our relay for something.
    case hop(HopResponder)
    /// Ours as a relay: asking a peer to take a circuit.
    case stopRequest(StopRequest, RelayServer.CircuitID)
    /// One side of a circuit of our relay.
    case relaying(RelayServer.CircuitID, RelayServer.Side)
    /// All is said; reset if the remote has not closed by then.
    case closing(until: NIODeadline)
    /// The application's, being negotiated.
    case opening(RequestID)
    case application
    /// Its machine is done, or never needed to wait for anything; what still comes is thrown away.
    case finished

    /// When the role wants to be called.
    var deadline: NIODeadline {
        switch self {
        case .identify(let machine), .pushed(let machine): machine.deadline
        case .ping(let machine): machine.deadline
        case .pingResponder(let machine): machine.deadline
        case .perf(let machine, _): machine.deadline
        case .perfServer(let machine): machine.deadline
        case .kademlia(let machine, _, _): machine.deadline
        case .autoNATClient(let machine): machine.deadline
        case .autoNATServer(let machine, _): machine.deadline
        case .dialBackCall(let machine): machine.deadline
        case .dialBackListener(let machine): machine.deadline
        case .punchInitiator(let machine): machine.deadline
        case .punchResponder(let machine): machine.deadline
        case .reserve(let machine): machine.deadline
        case .circuitRequest(let machine, _): machine.deadline
        case .stopResponder(let machine): machine.deadline
        case .hop(let machine): machine.deadline
        case .stopRequest(let machine, _): machine.deadline
        case .closing(let until): until
        case .circuit, .relaying: .distantFuture
        case .signalling(let machine, _): machine.deadline
        case .signallingResponder(let machine, _): machine.deadline
        case .finished, .gossipOutbound, .gossipInbound, .opening, .application: .distantFuture
        }
    }
}
