package import NIOCore

/// WebRTC-direct: its listener, its handshake, and streams over data channels.
extension Limits {
    // MARK: Frames on a data channel

    /// Bytes of one frame we send, its length prefix included: what rust-libp2p and the specification allow.
    package static let channelFrameSent = 16_384
    /// Data of one frame we send: with the prefix and a flag it is ``channelFrameSent`` at most.
    package static let channelFrameData = 16_377
    /// Bytes of one frame we take, without its prefix: go-libp2p takes 257 KiB.
    package static let channelFrameReceived = 257 << 10

    // MARK: Streams over data channels

    /// Bytes of one channel that wait in the peer connection until SCTP takes them; more wait in the stream, where they
    /// can be dropped. SCTP's own buffer, of all channels, comes on top.
    package static let channelBuffered = 256 << 10
    /// Below this a channel takes more.
    package static let channelBufferedLow = 128 << 10
    /// Bytes received on one stream, and on all, that nobody has consumed yet: beyond, no more is taken from SCTP, whose
    /// window closes. It is the association's: all streams wait.
    package static let channelHeldHigh = 1 << 20
    package static let channelHeldHighTotal = 8 << 20
    /// When no stream holds more, and all together not more than half of the above, they go on.
    package static let channelHeldLow = 256 << 10
    /// How long they wait: then the stream that holds most is reset, because the others have waited enough for it.
    package static let channelPause = TimeAmount.seconds(20)
    /// The same at which a stream is reset at once: what was under way inside when the pause began stays far below.
    package static let channelUnconsumed = 16 << 20
    /// The same over all streams of a connection; the stream that holds most is reset.
    package static let channelUnconsumedTotal = 64 << 20
    /// Streams and their bytes from before the end of the Noise handshake; more streams are closed, a stream that
    /// brings more bytes is reset.
    package static let earlyChannels = 32
    package static let earlyChannelBytes = 128 << 10
    package static let earlyChannelBytesTotal = 1 << 20
    /// Channels of streams that are over and whose last bytes are not acknowledged yet.
    package static let lingeringChannels = 1024
    /// How long the acknowledgement of a FIN waits for our own FIN: rust-libp2p takes it for a FIN or an error.
    package static let finAckDelay = TimeAmount.milliseconds(500)
    /// How long the channel of a finished stream may take to send what it holds.
    package static let channelCloseTimeout = TimeAmount.seconds(10)

    // MARK: The handshake

    /// From the first STUN message to an authenticated connection, both ways.
    package static let directTimeout = TimeAmount.seconds(10)
    /// How often the round trip of an open connection is told.
    package static let directRoundTripInterval = TimeAmount.seconds(15)
    /// Bytes on channel 0 that the Noise handshake has not read: two messages of it take less than 1 KiB.
    package static let directNoiseInbox = 8192

    // MARK: The listener

    /// A username part, RFC 8445 section 5.3: 4 to 256 characters.
    package static let iceUfrag = 4...256
    /// A password, RFC 8445 section 5.3.
    package static let icePassword = 22...256
    /// Sessions that are not authenticated yet, in all and of one source.
    package static let halfOpenSessions = 128
    package static let halfOpenSessionsPerSource = 64
    /// With so many, further ones must return a cookie of DTLS.
    package static let halfOpenWithoutCookie = 16
    /// First contacts of one source (an IPv4 address, or an IPv6 network of 64 bits) at once, and per second after
    /// that: a room of sixty browsers behind one router may reload at the same moment.
    package static let firstContactBurst = 64
    package static let firstContactsPerSecond = 16
    /// First contacts of all sources together.
    package static let firstContactBurstTotal = 256
    package static let firstContactsPerSecondTotal = 128
    /// Sources whose first contacts are counted; the one counted for the longest time goes first.
    package static let firstContactSources = 4096
    /// Addresses one session is reached from: a dialer checks from all its own.
    package static let addressesPerSession = 32
    /// How long the name of a session that ended is remembered, so that a late packet does not bring it back.
    package static let endedSessionMemory = TimeAmount.seconds(20)
    /// How many such names.
    package static let endedSessions = 4096
}
