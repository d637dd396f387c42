package import NIOCore
package import Wire

/// One connection: raw bytes of a pipe in, authenticated multiplexed streams out.
package final class Connection: Machine {
    package enum Input {
        case start
        case bytes(ByteBuffer)
        case pipeClosed
        case pipeWritable(Bool)
        case tick
    }

    package enum Output {
        /// Bytes for the pipe, in order.
        case send(ByteBuffer)
        /// The remote is who it claims to be and streams may be opened.
        case established(PeerID)
        /// Our stream has its protocol.
        case streamOpened(StreamID, protocol: String)
        /// Our stream will never have a protocol; it is gone.
        case streamRefused(StreamID, StreamRefusal)
        /// The remote opened a stream with one of our protocols.
        case streamAccepted(StreamID, protocol: String)
        /// Data, in order. Give the credit back by `consumed` once it is dealt with.
        case received(StreamID, ByteBuffer)
        /// The remote will send no more.
        case endOfStream(StreamID)
        /// The stream is gone.
        case streamClosed(StreamID, StreamEnd)
        /// A stream that had buffered above `Limits.streamSendHighWater` is below the low water again.
        case writable(StreamID)
        /// A ping was answered.
        case roundTrip(TimeAmount)
        /// The last output: close the pipe. Nil when either side closed in order.
        case closed(ConnectionError?)
    }

    package let role: Role
    package var configuration: ConnectionConfiguration
    /// The remote's key, once it is proven.
    package var remotePublicKey: PublicKey? { nil }
    package var remotePeer: PeerID? { remotePublicKey?.peerID }
    /// The security protocol and the muxer, as libp2p names them.
    package var security: String { "/noise" }
    package var muxer: String { "/yamux/1.0.0" }
    /// Bytes of the pipe, both ways.
    package private(set) var bytesSent: UInt64 = 0
    package private(set) var bytesReceived: UInt64 = 0
    /// The smoothed round-trip time, once measured.
    package var roundTrip: TimeAmount? { nil }
    /// Streams open now, both ways.
    package var streamCount: Int { 0 }

    package init(
        role: Role, identity: KeyPair, expecting: PeerID?, configuration: ConnectionConfiguration, entropy: Entropy
    ) {
        self.role = role
        self.configuration = configuration
    }

    package func handle(_ input: consuming Input, now: NIODeadline) {}
    package func poll() -> Output? { nil }
    package var deadline: NIODeadline { .distantFuture }

    /// Opens a stream and proposes `protocols`, best first. With exactly one, what is written travels with the
    /// proposal (0-RTT); with more it waits for the answer. Ends in `.streamOpened` or `.streamRefused`.
    package func open(_ protocols: [String], now: NIODeadline) throws(StreamError) -> StreamID { throw .notConnected }
    /// Queues bytes on a stream; nothing is lost or limited here: look at ``bufferedAmount(of:)``. Ignored for a
    /// stream that is gone or whose writing side is closed.
    package func write(_ bytes: ByteBuffer, to stream: StreamID, now: NIODeadline) {}
    /// Bytes written to a stream and not in the pipe yet.
    package func bufferedAmount(of stream: StreamID) -> Int { 0 }
    /// No more writes: the remote sees the end of the stream after everything queued.
    package func closeWrite(_ stream: StreamID, now: NIODeadline) {}
    /// Ends a stream at once, both ways.
    package func reset(_ stream: StreamID, now: NIODeadline) {}
    /// Gives back credit for `count` received bytes; without it the remote stalls after its window.
    package func consumed(_ count: Int, of stream: StreamID, now: NIODeadline) {}
    /// Says go-away and ends with `.closed(nil)`.
    package func close(now: NIODeadline) {}
}
