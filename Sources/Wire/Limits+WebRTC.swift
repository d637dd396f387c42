package import NIOCore

/// What a peer connection and its data channels may hold, and how long they may take.
extension Limits {
    // MARK: Data channels

    /// Bytes of a DCEP message behind its type; label and protocol come to 131,070 at most, nobody needs so many.
    package static let dcepMessage = 8192
    /// Bytes that wait in one channel until SCTP takes them.
    package static let channelQueue = 16 << 20
    /// Channels of one connection; ids would allow 65,535.
    package static let dataChannels = 1024
    /// Streams of refused announcements that are not reset both ways yet; announcements beyond go unanswered.
    package static let refusedStreams = 256
    /// Messages, and their bytes, kept for a stream whose announcement has not arrived yet.
    package static let orphanMessages = 64
    package static let orphanBytes = 64 << 10
    package static let orphanTime = TimeAmount.seconds(5)
    /// The id above the highest a channel may have (RFC 8831 §6.5: 65,535 is no stream).
    package static let channelStreams: UInt16 = 65_534
    /// Streams an association begins with, each way: 180 KiB of memory. More come on demand.
    package static let sctpStreams = 1024
    /// How many come at a time.
    package static let sctpStreamLot = 64
    /// A message we take, and announce as our limit.
    package static let sctpMessage = 256 << 10
    /// A remote that does not say what it takes (RFC 8841 §6.1).
    package static let sctpMessageDefault = 65_536

    // MARK: SDP

    /// Bytes of a description: browsers write 1 to 10 KiB.
    package static let sdp = 64 << 10
    package static let sdpLines = 1024
    /// Media sections, with the session's own.
    package static let sdpSections = 32

    // MARK: Peer connection

    /// From the end of the DTLS handshake to an association.
    package static let sctpConnectTimeout = TimeAmount.seconds(10)
    /// Datagrams of a handshake kept until our end of it exists.
    package static let earlyDTLSDatagrams = 8
    /// Paths on which datagrams are believed.
    package static let usablePaths = 64
}
