package import NIOCore
package import Wire

/// Our side of a stream by which a relay brings us a circuit (libp2p/specs circuit-v2).
///
///     reading ──CONNECT──▶ done (asked): the caller answers, every byte behind is the circuit's
///        ├────── no message, another one ──▶ done (refused): the status goes back, then the end
///        └────── end, deadline ──▶ done (ended)
///
/// Limits: one message of 4096 bytes, ``Limits/relayMessageTimeout``. Does not judge the peer it names: only the
/// handshake on the circuit proves who that is.
package struct StopResponder: Sendable {
    /// What the caller does next.
    package enum Action: Equatable {
        /// Nothing before the next event.
        case none
        /// This peer wants to reach us; what the circuit may carry is nil without bounds.
        case connect(PeerID, RelayLimit?)
        /// Write, close.
        case refuse(ByteBuffer)
        /// Reset the stream: nobody waits for an answer.
        case end
    }
    /// When ``timedOut(now:)`` is due; `.distantFuture` when it is over.
    package private(set) var deadline: NIODeadline
    private var isDone: Bool { deadline == .distantFuture }

    /// A stream was accepted.
    package init(now: NIODeadline) { deadline = now + Limits.relayMessageTimeout }

    /// Bytes came.
    package mutating func received(_ inbox: inout ByteBuffer) -> Action {
        guard !isDone else { return .none }
        switch StopMessage.read(from: &inbox) {
        case nil: return .none
        case .failure?: return refuse(.malformedMessage)
        case .success(let message)?:
            guard message.kind == .connect else { return refuse(.unexpectedMessage) }
            guard let peer = message.peer else { return refuse(.malformedMessage) }
            return end(.connect(peer.id, message.limit.flatMap { $0.isBounded ? $0 : nil }))
        }
    }

    /// The remote ended or reset the stream before it asked anything.
    package mutating func closed() -> Action { isDone ? .none : end(.end) }

    /// The deadline came.
    package mutating func timedOut(now: NIODeadline) -> Action { now >= deadline ? end(.end) : .none }

    private mutating func refuse(_ status: RelayStatus) -> Action { end(.refuse(StopMessage.status(status).frame())) }

    private mutating func end(_ action: Action) -> Action {
        deadline = .distantFuture
        return action
    }
}
