package import NIOCore
package import Wire

/// The relay's side of one hop stream: what a peer asks of us (libp2p/specs circuit-v2).
///
///     reading ──RESERVE, CONNECT──▶ done (asked): the answer follows, later bytes stay in the inbox
///        ├────── no message, another one ──▶ done (refused): the status goes back, then the end
///        └────── end, deadline ──▶ done (ended)
///
/// Limits: one message of 4096 bytes, ``Limits/relayMessageTimeout``.
package struct HopResponder: Sendable {
    /// What the caller does next.
    package enum Action: Equatable {
        /// Nothing before the next event.
        case none
        /// The peer wants a reservation.
        case reserve
        /// The peer wants a circuit to this one.
        case connect(PeerID)
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
        switch HopMessage.read(from: &inbox) {
        case nil: return .none
        case .failure?: return refuse(.malformedMessage)
        case .success(let message)?:
            switch message.kind {
            case .reserve: return end(.reserve)
            case .connect:
                guard let peer = message.peer else { return refuse(.malformedMessage) }
                return end(.connect(peer.id))
            case .status, nil: return refuse(.unexpectedMessage)
            }
        }
    }

    /// The remote ended or reset the stream before it asked anything.
    package mutating func closed() -> Action { isDone ? .none : end(.end) }

    /// The deadline came.
    package mutating func timedOut(now: NIODeadline) -> Action { now >= deadline ? end(.end) : .none }

    private mutating func refuse(_ status: RelayStatus) -> Action { end(.refuse(HopMessage.status(status).frame())) }

    private mutating func end(_ action: Action) -> Action {
        deadline = .distantFuture
        return action
    }
}
