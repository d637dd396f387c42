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
    case gossipOutbound
    case gossipInbound
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
        case .finished, .gossipOutbound, .gossipInbound, .opening, .application: .distantFuture
        }
    }
}
