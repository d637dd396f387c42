/// Why a connection ended other than by a friendly close.
package enum ConnectionError: Error, Equatable {
    /// The remote broke multistream-select on the raw or the secured pipe.
    case negotiation(MultistreamError)
    /// The remote speaks none of our security protocols.
    case securityRefused
    /// The remote speaks none of our muxers.
    case muxerRefused
    /// The Noise handshake or a Noise record failed.
    case noise(NoiseError)
    /// The remote broke Yamux; it was told by a go-away.
    case yamux(YamuxError)
    /// No authenticated, multiplexed connection within `Limits.upgradeTimeout`.
    case upgradeTimeout
    /// The remote fell silent: a ping went unanswered and nothing else arrived.
    case keepAliveTimeout
    /// The pipe ended without a go-away.
    case pipeClosed
    /// The remote sent a go-away with a code other than 0 (1 protocol error, 2 internal error).
    case remoteGoAway(UInt32)
}

/// Why a stream could not be opened at all.
package enum StreamError: Error, Equatable {
    /// The connection is not established yet, or is closed.
    case notConnected
    /// As many streams are open as `Limits.streamsPerConnection` allows.
    case tooManyStreams
    /// No protocol was named, or one of them does not fit a multistream token.
    case invalidProtocols
    /// The connection has used up its 2^31 stream numbers.
    case exhausted
}

/// Why an outbound stream never got its protocol. The last output about that stream.
package enum StreamRefusal: Error, Equatable {
    /// The remote knows none of the protocols proposed.
    case unsupported
    /// The remote reset the stream.
    case reset
    /// The remote ended the stream in the middle of the negotiation.
    case ended
    /// No protocol within `Limits.negotiationTimeout`.
    case timeout
    /// The remote broke multistream-select.
    case violation(MultistreamError)
    /// We reset the stream ourselves.
    case resetLocally
    /// The connection ended.
    case connectionClosed
}

/// How a stream that had its protocol ended. The last output about that stream.
package enum StreamEnd: Equatable, Sendable {
    /// Both sides closed in order; everything was delivered.
    case finished
    /// The remote reset it.
    case reset
    /// The remote sent data after its own end: we reset it.
    case violation
    /// We reset it ourselves.
    case resetLocally
    /// The connection ended.
    case connectionClosed
}
