package import NIOCore
import Wire

/// The server's side of a dial-back stream: it opened it, on a connection of its own making, and says the nonce
/// (libp2p/specs autonat v2).
///
///     told ──response, closed, deadline──▶ done
package struct DialBackCall {
    /// What the caller does next.
    package enum Action: Equatable {
        case none
        /// The client has heard it, or has not; close the connection.
        case finished(AutoNATDialStatus)
    }
    private var isDone = false
    /// When ``timedOut(now:)`` is due.
    package private(set) var deadline: NIODeadline

    /// The nonce is on its way: write ``DialBackMessage/frame(nonce:)``.
    package init(now: NIODeadline) { deadline = now + Limits.autoNATDialBackTimeout }

    /// Bytes came.
    package mutating func received(_ inbox: inout ByteBuffer) -> Action {
        guard !isDone else {
            inbox.moveReaderIndex(to: inbox.writerIndex)
            return .none
        }
        do {
            guard let frame = try inbox.readAutoNATFrame() else { return .none }
            return end(try DialBackMessage.isOK(protobuf: frame) ? .ok : .dialBackError)
        } catch {
            inbox.moveReaderIndex(to: inbox.writerIndex)
            return end(.dialBackError)
        }
    }

    /// The client ended or refused the stream.
    package mutating func closed() -> Action { isDone ? .none : end(.dialBackError) }

    /// The deadline came.
    package mutating func timedOut(now: NIODeadline) -> Action {
        isDone || now < deadline ? .none : end(.dialBackError)
    }

    private mutating func end(_ status: AutoNATDialStatus) -> Action {
        isDone = true
        deadline = .distantFuture
        return .finished(status)
    }
}

/// The client's side of a dial-back stream: somebody opened it and says a nonce.
///
///     reading ──nonce──▶ done
///        └── error, closed, deadline ──▶ done
///
/// Whether the nonce is one that was asked with is the caller's to know; only then it answers.
package struct DialBackListener {
    /// What the caller does next.
    package enum Action: Equatable {
        case none
        /// If it is ours: write ``DialBackMessage/response`` and close, else reset.
        case heard(nonce: UInt64)
        /// Reset the stream.
        case failed(AutoNATError)
    }
    private var isDone = false
    /// When ``timedOut(now:)`` is due.
    package private(set) var deadline: NIODeadline

    /// A peer opened a stream.
    package init(now: NIODeadline) { deadline = now + Limits.autoNATDialBackTimeout }

    /// Bytes came.
    package mutating func received(_ inbox: inout ByteBuffer) -> Action {
        guard !isDone else {
            inbox.moveReaderIndex(to: inbox.writerIndex)
            return .none
        }
        let frame: ByteBuffer?
        do throws(AutoNATError) { frame = try inbox.readAutoNATFrame() } catch { return fail(error, &inbox) }
        guard let frame else { return .none }
        do throws(ProtobufError) {
            return end(.heard(nonce: try DialBackMessage.nonce(protobuf: frame)))
        } catch {
            return fail(.malformed(error), &inbox)
        }
    }

    /// The remote ended or reset the stream.
    package mutating func closed() -> Action { isDone ? .none : end(.failed(.closed)) }

    /// The deadline came.
    package mutating func timedOut(now: NIODeadline) -> Action {
        isDone || now < deadline ? .none : end(.failed(.timedOut))
    }

    private mutating func fail(_ error: AutoNATError, _ inbox: inout ByteBuffer) -> Action {
        inbox.moveReaderIndex(to: inbox.writerIndex)
        return end(.failed(error))
    }

    private mutating func end(_ action: Action) -> Action {
        isDone = true
        deadline = .distantFuture
        return action
    }
}
