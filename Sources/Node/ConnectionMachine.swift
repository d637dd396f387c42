import Channels
import NIOCore
import Wire

/// What makes streams of a transport: Noise and Yamux over a byte pipe, or data channels over datagrams.
///
/// Exhaustive on purpose: the node asks one thing of a stream whatever carries it, and no existential stands between.
enum ConnectionMachine {
    case pipe(Connection)
    case direct(WebRTCConnection)

    var deadline: NIODeadline {
        switch self {
        case .pipe(let machine): machine.deadline
        case .direct(let machine): machine.deadline
        }
    }

    /// Bytes given to the transport, overhead included.
    var bytesSent: UInt64 {
        switch self {
        case .pipe(let machine): machine.bytesSent
        case .direct(let machine): machine.bytesSent
        }
    }

    /// Bytes taken from the transport, overhead included.
    var bytesReceived: UInt64 {
        switch self {
        case .pipe(let machine): machine.bytesReceived
        case .direct(let machine): machine.bytesReceived
        }
    }

    func tick(now: NIODeadline) {
        switch self {
        case .pipe(let machine): machine.handle(.tick, now: now)
        case .direct(let machine): machine.handle(.tick, now: now)
        }
    }

    func open(_ protocols: [String], now: NIODeadline) throws(StreamError) -> StreamID {
        switch self {
        case .pipe(let machine): try machine.open(protocols, now: now)
        case .direct(let machine): try machine.open(protocols, now: now)
        }
    }

    func write(_ bytes: ByteBuffer, to stream: StreamID, now: NIODeadline) {
        switch self {
        case .pipe(let machine): machine.write(bytes, to: stream, now: now)
        case .direct(let machine): machine.write(bytes, to: stream, now: now)
        }
    }

    func bufferedAmount(of stream: StreamID) -> Int {
        switch self {
        case .pipe(let machine): machine.bufferedAmount(of: stream)
        case .direct(let machine): machine.bufferedAmount(of: stream)
        }
    }

    func closeWrite(_ stream: StreamID, now: NIODeadline) {
        switch self {
        case .pipe(let machine): machine.closeWrite(stream, now: now)
        case .direct(let machine): machine.closeWrite(stream, now: now)
        }
    }

    func reset(_ stream: StreamID, now: NIODeadline) {
        switch self {
        case .pipe(let machine): machine.reset(stream, now: now)
        case .direct(let machine): machine.reset(stream, now: now)
        }
    }

    func consumed(_ count: Int, of stream: StreamID, now: NIODeadline) {
        switch self {
        case .pipe(let machine): machine.consumed(count, of: stream, now: now)
        case .direct(let machine): machine.consumed(count, of: stream, now: now)
        }
    }

    /// How often a pipe's remote is asked for a sign of life; datagrams have a watch of their own, ICE's consent.
    func setKeepAlive(_ interval: TimeAmount, now: NIODeadline) {
        switch self {
        case .pipe(let machine): machine.setKeepAlive(interval, now: now)
        case .direct: break
        }
    }

    /// What identify says the remote runs.
    func learned(agent: String) {
        switch self {
        case .pipe: break
        case .direct(let machine): machine.learned(agent: agent)
        }
    }

    func close(now: NIODeadline) {
        switch self {
        case .pipe(let machine): machine.close(now: now)
        case .direct(let machine): machine.close(now: now)
        }
    }
}
