import Channels
import NIOCore
import WebRTC
import Wire

/// How far the search for a direct connection in place of a relayed one is.
///
///     none ──peer speaks signalling──▶ waiting ──time──▶ running ──open──▶ settled
///                                         ▲                └──failed──┐       │
///                                         └────── growing waits ──────┴───────┘ the direct one is lost
enum Upgrade {
    /// Nothing is known that would allow it.
    case none
    /// Not before this time.
    case waiting(until: NIODeadline)
    /// This connection is being made.
    case running(ConnectionID)
    /// There is a better connection.
    case settled

    var deadline: NIODeadline {
        if case .waiting(let time) = self { time } else { .distantFuture }
    }
}

/// How far a relayed connection has handed over to a better one to the same peer: make before break.
///
///     none ──the better one works──▶ proving ──a heartbeat──▶ draining ──a heartbeat, and no stream left──▶ closed
///       ▲                              │                         │
///       └──────────────── the better one is gone ────────────────┘
enum Succession {
    case none
    /// Traffic moves at this time.
    case proving(ConnectionID, until: NIODeadline)
    /// New traffic goes over the better one; what was begun ends here. `check` is when to look whether that is so.
    case draining(ConnectionID, check: NIODeadline, until: NIODeadline)

    var deadline: NIODeadline {
        switch self {
        case .none: .distantFuture
        case .proving(_, let time): time
        case .draining(_, let check, let end): min(check, end)
        }
    }

    /// The better connection.
    var successor: ConnectionID? {
        switch self {
        case .none: nil
        case .proving(let id, _), .draining(let id, _, _): id
        }
    }
}

/// The stream over which a connection is signalled.
struct SignallingLink {
    /// The connection that carries the stream.
    let connection: ConnectionID
    /// Nil until it is opened.
    var stream: StreamID?
    /// The remote's offer, until there are sockets to answer it with.
    var offer: SessionDescription?
}
