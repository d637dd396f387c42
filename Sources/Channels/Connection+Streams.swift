package import NIOCore
import Wire

/// Streams of a ``Connection``: what the application asks for, and what the session reports.
extension Connection {
    /// Opens a stream and proposes `protocols`, best first. With exactly one, what is written travels with the
    /// proposal (0-RTT); with more it waits for the answer. Ends in `.streamRefused` or `.streamClosed`.
    package func open(_ protocols: [String], now: NIODeadline) throws(StreamError) -> StreamID {
        lastNow = now
        guard case .muxing = state else { throw .notConnected }
        return try streams.open(protocols, now: now)
    }

    /// Queues bytes on a stream; nothing is lost or limited here: look at ``bufferedAmount(of:)``. Ignored for a
    /// stream that is gone or whose writing side is closed.
    package func write(_ bytes: ByteBuffer, to stream: StreamID, now: NIODeadline) {
        lastNow = now
        streams.write(bytes, to: stream)
    }

    /// Bytes written to a stream and not in the pipe yet.
    package func bufferedAmount(of stream: StreamID) -> Int { streams.bufferedAmount(of: stream) }

    /// No more writes: the remote sees the end of the stream after everything queued.
    package func closeWrite(_ stream: StreamID, now: NIODeadline) {
        lastNow = now
        streams.closeWrite(stream)
    }

    /// Ends a stream at once, both ways. Its last output follows.
    package func reset(_ stream: StreamID, now: NIODeadline) {
        lastNow = now
        streams.reset(stream, now: now)
        drainSession()
    }

    /// Gives back credit for `count` received bytes; without it the remote stalls after its window.
    package func consumed(_ count: Int, of stream: StreamID, now: NIODeadline) {
        lastNow = now
        streams.session.consumed(count, of: stream, now: now)
    }

    /// Acts on everything the session reports.
    func drainSession() {
        while let output = streams.session.poll() {
            switch output {
            case .opened(let id): streams.opened(id, now: lastNow)
            case .received(let id, let bytes): streams.received(bytes, on: id, now: lastNow)
            case .endOfStream(let id): streams.ended(id, now: lastNow)
            case .closed(let id, let end): streams.closed(id, end, now: lastNow)
            case .writable(let id): streams.becameWritable(id)
            case .roundTrip(let sample): streams.append(.roundTrip(sample))
            case .remoteGoAway(let code): finish(code == 0 ? nil : .remoteGoAway(code))
            case .failed(let error): finish(.yamux(error))
            case .silent: finish(.keepAliveTimeout)
            }
        }
    }
}
