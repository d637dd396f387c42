package import NIOCore
package import Wire

/// The reading side of one identify or push stream: messages until the end, merged into one
/// (libp2p/specs identify; go and js split large ones).
///
///     reading ──end, or deadline with something read──▶ done
///        └────── error, deadline with nothing ────────▶ done
///
/// Limits: ten messages of 8192 bytes, five seconds. Holds what the messages hold; at most one unfinished message
/// waits in the caller's inbox.
package struct IdentifyRequest {
    /// What the caller does next.
    package enum Action: Equatable {
        /// Nothing before the next event.
        case none
        /// The peer has spoken: take it in with ``IdentifyInfo/merge(_:)``, close the stream.
        case identified(IdentifyMessage)
        /// Reset the stream; the connection stays.
        case failed(IdentifyError)
    }
    private enum State {
        case reading(IdentifyMessage, count: Int, isInside: Bool)
        case done
    }
    private var state = State.reading(IdentifyMessage(), count: 0, isInside: false)
    private let peer: PeerID
    /// When ``timedOut(now:)`` is due.
    package private(set) var deadline: NIODeadline

    /// A stream was opened, or a push accepted, on a connection to `peer`.
    package init(from peer: PeerID, now: NIODeadline) {
        self.peer = peer
        deadline = now + Limits.identifyTimeout
    }

    /// Bytes came.
    package mutating func received(_ inbox: inout ByteBuffer) -> Action {
        while case .reading(var message, let count, _) = state, inbox.readableBytes > 0 {
            guard count < Limits.identifyMessages else { return fail(.tooManyMessages, &inbox) }
            let frame: ByteBuffer?
            do { frame = try inbox.readFrame(limit: Limits.identifyMessage) } catch {
                return fail(.framing(error), &inbox)
            }
            guard let frame else {
                state = .reading(message, count: count, isInside: true)
                return .none
            }
            do { try message.merge(protobuf: frame) } catch { return fail(.malformed(error), &inbox) }
            if let key = message.publicKey, (try? PublicKey(protobuf: key))?.peerID != peer {
                return fail(.keyMismatch, &inbox)
            }
            state = .reading(message, count: count + 1, isInside: false)
        }
        if case .done = state { inbox.moveReaderIndex(to: inbox.writerIndex) }
        return .none
    }

    /// The remote closed or reset the stream, or its connection ended: what came whole counts, unless it broke off
    /// inside a message.
    package mutating func closed() -> Action {
        guard case .reading(_, _, let isInside) = state else { return .none }
        return isInside ? end(.failed(.closed)) : endWithWhatCame(or: .closed)
    }

    /// The deadline came. A peer that spoke and forgot to close was understood all the same.
    package mutating func timedOut(now: NIODeadline) -> Action {
        now >= deadline ? endWithWhatCame(or: .timedOut) : .none
    }

    private mutating func endWithWhatCame(or error: IdentifyError) -> Action {
        guard case .reading(let message, let count, _) = state else { return .none }
        return end(count > 0 ? .identified(message) : .failed(error))
    }

    private mutating func fail(_ error: IdentifyError, _ inbox: inout ByteBuffer) -> Action {
        inbox.moveReaderIndex(to: inbox.writerIndex)
        return end(.failed(error))
    }

    private mutating func end(_ action: Action) -> Action {
        state = .done
        deadline = .distantFuture
        return action
    }
}
