package import NIOCore

extension Limits {
    // MARK: Noise

    /// Plaintext of one Noise record we send: one Yamux header and a payload of ``yamuxPayload``.
    package static let noiseRecordSent = yamuxPayload + 12
    /// Muxer names read from a handshake payload; the rest are ignored.
    package static let noiseMuxers = 16

    // MARK: Yamux

    /// Payload of one DATA frame we send: with its header 16 KiB, so that a record fills its storage and no more; small
    /// enough that streams take turns, as rust-yamux does.
    package static let yamuxPayload = 16_372
    /// A stream's window in each direction at its start, by the specification.
    package static let yamuxInitialWindow: UInt32 = 262_144
    /// What auto-tuning lets a stream's receive window grow to.
    package static let yamuxMaximumWindow: UInt32 = 16 << 20
    /// What all receive windows of a connection may grow by together, beyond their initial sizes.
    package static let yamuxWindowGrowth: UInt32 = 64 << 20
    /// Streams a remote opened that have not got their protocol yet.
    package static let streamBacklog = 256
    /// Closed streams whose numbers are remembered.
    package static let yamuxTombstones = 256
    /// Pings answered at once, and per second after that.
    package static let pingBurst = 64
    package static let pingsPerSecond = 8
    /// Inbound streams that may end before they had a protocol, at once and per second after that.
    package static let fruitlessStreamBurst = 512
    package static let fruitlessStreamsPerSecond = 64
    /// Pongs and resets held while the pipe takes nothing.
    package static let queuedReplies = 1024
    /// Bytes of Yamux control frames put into a pipe that reported it is full.
    package static let controlBytesWhileBlocked = 65_536
    /// How often a connection is pinged, and how long it may stay silent after that.
    package static let keepAliveInterval = TimeAmount.seconds(30)
    package static let keepAliveTimeout = TimeAmount.seconds(10)

    // MARK: Connection

    /// A stream that buffered more than the first number is announced writable again below the second.
    package static let streamSendHighWater = 262_144
    package static let streamSendLowWater = 131_072
    /// Bytes put into the pipe between two inputs.
    package static let connectionSendBurst = 1 << 20
    /// Bytes of one write to the pipe.
    package static let connectionWrite = 65_536
    /// Adjacent writes to a stream up to this size are joined.
    package static let joinedWrite = 4096
}
