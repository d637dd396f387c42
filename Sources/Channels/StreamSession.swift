package import NIOCore

/// What carries the streams of one connection: Yamux over a pipe, or the data channels of WebRTC.
///
/// ``NegotiatedStreams`` sits on it and gives each stream its protocol. What a session reports goes to the streams
/// by its owner. Used as a generic constraint, never as an existential.
package protocol StreamSession {
    /// Streams that are there now, both ways.
    var streamCount: Int { get }
    /// Opens a stream, on which may be written at once.
    mutating func open(now: NIODeadline) throws(StreamError) -> StreamID
    /// Queues bytes; ignored when the stream is gone or its writing side closed.
    mutating func write(_ bytes: ByteBuffer, to id: StreamID)
    /// Bytes written to a stream and not on their way yet.
    func bufferedAmount(of id: StreamID) -> Int
    /// The end of our side, after everything queued.
    mutating func closeWrite(_ id: StreamID)
    /// Ends a stream at once, both ways; nothing more is reported of it.
    mutating func reset(_ id: StreamID)
    /// The consumer dealt with `count` received bytes.
    mutating func consumed(_ count: Int, of id: StreamID, now: NIODeadline)
    /// A stream the remote opened came to nothing: it costs part of a budget.
    mutating func cameToNothing(now: NIODeadline)
}

extension YamuxSession: StreamSession {}
