package import NIOCore
package import Wire

/// One stream to a relay that asks for a circuit to a peer, and then is the circuit (libp2p/specs circuit-v2).
///
///     asking ──STATUS OK──▶ done (opened): every byte behind the answer is the circuit's
///        └── anything else, deadline ──▶ done (failed)
///
/// Limits: one message of 4096 bytes, ``Limits/circuitTimeout``. Bytes behind the answer stay in the inbox.
package struct CircuitRequest: Sendable {
    /// What the caller does next.
    package enum Action: Equatable {
        /// Nothing before the next event.
        case none
        /// The stream is a byte pipe to the peer from here on; nil without bounds.
        case opened(RelayLimit?)
        /// Reset the stream.
        case failed(RelayError)
    }
    /// When ``timedOut(now:)`` is due; `.distantFuture` when it is over.
    package private(set) var deadline: NIODeadline
    private var isDone: Bool { deadline == .distantFuture }

    /// A stream to the relay was opened.
    package init(now: NIODeadline) { deadline = now + Limits.circuitTimeout }

    /// What is written first.
    package static func opening(to peer: PeerID) -> ByteBuffer {
        var message = HopMessage(.connect)
        message.peer = RelayPeer(peer)
        return message.frame()
    }

    /// Bytes came.
    package mutating func received(_ inbox: inout ByteBuffer) -> Action {
        guard !isDone else { return .none }
        switch HopMessage.read(from: &inbox) {
        case nil: return .none
        case .failure(let error)?: return end(.failed(error))
        case .success(let message)?:
            guard message.kind == .status else { return end(.failed(.unexpectedMessage)) }
            let status = message.status ?? RelayStatus(code: 0)
            guard status == .ok else { return end(.failed(.refused(status))) }
            return end(.opened(message.limit.flatMap { $0.isBounded ? $0 : nil }))
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
