package import NIOCore
import Wire

/// The serving side of one `/perf/1.0.0` stream: reads how many bytes are wanted, drains, answers (libp2p/specs perf).
///
///     header ─8 bytes▶ draining ─end▶ sending ─▶ done
///
/// There is no limit on what may be asked: the answer goes out as fast as the remote takes it, from one shared block
/// of zeros, and a stream on which nothing moves is given up. Holds nothing else.
package struct PerfServer {
    /// What the caller does next.
    package enum Action: Equatable {
        /// Nothing before the next event.
        case none
        /// Send these bytes.
        case write(ByteBuffer)
        /// Everything was sent: close the writing half. The stream is done.
        case closeWrite
        /// Reset the stream: the remote broke off or stands still.
        case reset
    }
    private enum State {
        case header
        case draining(wanted: UInt64)
        case sending(rest: UInt64)
        case done
    }
    private var state = State.header
    /// Bytes of upload drained so far.
    package private(set) var drained: UInt64 = 0
    /// When ``timedOut(now:)`` is due.
    package private(set) var deadline: NIODeadline

    /// A stream was accepted.
    package init(now: NIODeadline) { deadline = now + Limits.perfIdle }

    /// Bytes came; all are taken but the first seven of an unfinished header.
    package mutating func received(_ inbox: inout ByteBuffer, now: NIODeadline) -> Action {
        if case .done = state {
            inbox.moveReaderIndex(to: inbox.writerIndex)
            return .none
        }
        guard inbox.readableBytes > 0 else { return .none }
        if case .header = state {
            guard let wanted = inbox.readInteger(as: UInt64.self) else { return .none }
            state = .draining(wanted: wanted)
        }
        drained &+= UInt64(inbox.readableBytes)
        inbox.moveReaderIndex(to: inbox.writerIndex)
        deadline = now + Limits.perfIdle
        return .none
    }

    /// The remote closed its writing half; ask `writable` from now on.
    package mutating func ended(now: NIODeadline) -> Action {
        switch state {
        case .header: return stop(.reset)
        case .draining(let wanted):
            state = .sending(rest: wanted)
            deadline = now + Limits.perfIdle
            return .none
        case .sending, .done: return .none
        }
    }

    /// There is room to write; to be called again, while there is room, until it answers `none`.
    package mutating func writable(now: NIODeadline) -> Action {
        guard case .sending(let rest) = state else { return .none }
        guard rest > 0 else { return stop(.closeWrite) }
        let block = perfBlock(atMost: rest)
        state = .sending(rest: rest - UInt64(block.readableBytes))
        deadline = now + Limits.perfIdle
        return .write(block)
    }

    /// The deadline came.
    package mutating func timedOut(now: NIODeadline) -> Action {
        if case .done = state { return .none }
        return now >= deadline ? stop(.reset) : .none
    }

    /// The stream was reset, or its connection ended.
    package mutating func closed() -> Action {
        if case .done = state { return .none }
        return stop(.none)
    }

    private mutating func stop(_ action: Action) -> Action {
        state = .done
        deadline = .distantFuture
        return action
    }
}
