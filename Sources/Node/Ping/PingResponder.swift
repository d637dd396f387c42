package import NIOCore
import Wire

/// The answering side of one `/ipfs/ping/1.0.0` stream: every 32 bytes go back as they came (libp2p/specs ping).
///
/// Holds nothing: what it may not answer yet stays in the caller's inbox, where flow control bounds it. A last block
/// that is not whole is not answered.
package struct PingResponder {
    /// What the caller does next.
    package enum Action: Equatable {
        /// Nothing before the next event.
        case none
        /// Send these bytes.
        case write(ByteBuffer)
        /// Close the stream: the remote is done, or was silent for too long.
        case close
    }
    private enum State {
        case echoing(until: NIODeadline)
        case done
    }
    private var state: State

    /// A stream was accepted.
    package init(now: NIODeadline) { state = .echoing(until: now + Limits.pingResponderIdle) }

    /// When ``timedOut(now:)`` is due.
    package var deadline: NIODeadline {
        if case .echoing(let until) = state { until } else { .distantFuture }
    }

    /// Bytes came, or room was made for the answer to earlier ones.
    ///
    /// `buffered` is what already waits in the stream: with ``Limits/pingEchoBuffered`` or more, nothing is read.
    package mutating func received(_ inbox: inout ByteBuffer, buffered: Int, now: NIODeadline) -> Action {
        guard case .echoing = state else {
            inbox.moveReaderIndex(to: inbox.writerIndex)
            return .none
        }
        let room = max(0, Limits.pingEchoBuffered - max(0, buffered))
        let count = min(room, inbox.readableBytes) / Ping.size * Ping.size
        guard count > 0, let blocks = inbox.readSlice(length: count) else { return .none }
        state = .echoing(until: now + Limits.pingResponderIdle)
        return .write(blocks)
    }

    /// The deadline came.
    package mutating func timedOut(now: NIODeadline) -> Action {
        guard case .echoing(let until) = state, now >= until else { return .none }
        state = .done
        return .close
    }

    /// The remote ended or reset the stream; whole blocks left in the inbox are not worth an answer any more.
    package mutating func closed() -> Action {
        guard case .echoing = state else { return .none }
        state = .done
        return .close
    }
}
