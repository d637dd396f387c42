public import NIOCore

/// Where a peer connection stands (`RTCPeerConnectionState` of the W3C).
public enum PeerConnectionState: String, Hashable, Sendable {
    /// Nothing has begun.
    case new
    /// A path is sought, or the handshakes are under way.
    case connecting
    /// Channels work.
    case connected
    /// Silent for a while; may come back.
    case disconnected
    /// Over, for a reason.
    case failed
    /// Over in good order.
    case closed
}

/// Figures of a peer connection, at one moment.
public struct PeerConnectionStatistics: Hashable, Sendable {
    /// Where it stands.
    public var state = PeerConnectionState.new
    /// The path datagrams take, `local → remote`; nil before there is one.
    public var path: String?
    /// The kinds of the two candidates of the path: `host`, `srflx`, `prflx`, `relay`.
    public var localCandidate: String?
    /// See ``localCandidate``.
    public var remoteCandidate: String?
    /// Smoothed round trip of ICE's checks; nil for a lite agent and before the first.
    public var pathRoundTrip: TimeAmount?
    /// Smoothed round trip of SCTP; nil before the first.
    public var roundTrip: TimeAmount?
    /// Bytes of datagrams.
    public var bytesSent: UInt64 = 0
    /// Bytes of datagrams.
    public var bytesReceived: UInt64 = 0
    /// Datagrams.
    public var datagramsSent: UInt64 = 0
    /// Datagrams.
    public var datagramsReceived: UInt64 = 0
    /// Datagrams nobody had leave to send us, or that nothing here understands.
    public var datagramsDropped: UInt64 = 0
    /// Messages of no channel, of an unknown kind, or larger than can be sent.
    public var messagesDropped: UInt64 = 0
    /// SCTP's congestion window, bytes.
    public var congestionWindow = 0
    /// Chunks SCTP sent again.
    public var retransmissions: UInt64 = 0
    /// Bytes SCTP holds until they are acknowledged.
    public var unacknowledgedBytes = 0
    /// Channels open.
    public var channels = 0
}
