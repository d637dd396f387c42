public import Engines
import Wire

/// What a ``WebRTCPeer`` is to be.
public struct WebRTCConfiguration: Sendable {
    /// What it shows the remote; a new one for each peer unless given.
    public var certificate: Certificate?
    /// Addresses of this machine to be reached at, each by a socket of its own; at most 16. Nil: all but link-local
    /// ones, and loopback ones when there are no others.
    public var hostAddresses: [String]?
    /// The port of these sockets; 0: any free one.
    public var port: UInt16 = 0
    /// Servers asked how we look from outside (RFC 8489), each `stun:address[:port]`; at most four count. What they say
    /// comes by ``WebRTCPeer/nextCandidate()``.
    public var stunServers: [String] = []
    /// Servers that relay for us when no direct way is found (RFC 8656), each
    /// `turn:user:password@address[:port][?transport=tcp]`; at most four count. Addresses, not names: to look up a name
    /// is the application's affair.
    public var turnServers: [String] = []
    /// Lets only relayed candidates be known and tried: the remote does not learn our addresses.
    public var usesOnlyRelay = false
    /// Only answers checks and makes none (RFC 8445 §2.5): for a host everybody can reach.
    public var isLite = false
    /// Bytes of a message it takes, told to the remote: to 256 KiB.
    public var largestMessage = Limits.sctpMessage
    /// Channels at once, both ends' together: to 1024.
    public var channels = Limits.dataChannels
    /// Whether datagrams pass the system in trains where it can (UDP_SEGMENT, UDP_GRO on Linux).
    public var usesOffload = true

    /// The defaults: suitable for any two peers.
    public init() {}
}
