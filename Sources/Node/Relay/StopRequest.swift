package import NIOCore
package import Wire

/// The relay's stream to the peer that a circuit is to reach (libp2p/specs circuit-v2).
///
///     asking ──STATUS OK──▶ done (opened): every byte behind the answer is the circuit's
///        └── anything else, deadline ──▶ done (failed)
///
/// Limits: one message of 4096 bytes, ``Limits/stopTimeout``. Bytes behind the answer stay in the inbox.
package struct StopRequest: Sendable {
    /// What the caller does next.
    package enum Action: Equatable {
        /// Nothing before the next event.
        case none
        /// The stream is a byte pipe to the peer from here on.
        case opened
        /// Reset the stream.
        case failed(RelayError)
    }
    /// When ``timedOut(now:)`` is due; `.distantFuture` when it is over.
    package private(set) var deadline: NIODeadline
    private var isDone: Bool { deadline == .distantFuture }

    /// A stream to the peer was opened.
    package init(now: NIODeadline) { deadline = now + Limits.stopTimeout }

    /// What is written first: who is there, and what the circuit may carry; nil without bounds.
    package static func opening(from peer: PeerID, limit: RelayLimit?) -> ByteBuffer {
        var message = StopMessage(.connect)
        message.peer = RelayPeer(peer)
        message.limit = limit
        return message.frame()
    }

    /// Bytes came.
    package mutating func received(_ inbox: inout ByteBuffer) -> Action {
        guard !isDone else { return .none }
        switch StopMessage.read(from: &inbox) {
        case nil: return .none
        case .failure(let error)?: return end(.failed(error))
        case .success(let message)?:
            guard message.kind == .status else { return end(.failed(.unexpectedMessage)) }
            let status = message.status ?? RelayStatus(code: 0)
            return end(status == .ok ? .opened : .failed(.refused(status)))
        }
    }

    /// The remote ended or reset the stream, or does not speak the protocol.
    package mutating func closed(isRefused: Bool) -> Action {
        isDone ? .none : end(.failed(isRefused ? .unsupported : .closed))
    }

    /// The deadline came.
    package mutating func timedOut(now: NIODeadline) -> Action { now >= deadline ? end(.failed(.timedOut)) : .none }

    private mutating func end(_ action: Action) -> Action {
        deadline = .distantFuture
        return action
    }
}
