public import Wire

/// What a peer serves, joins and looks for.
public struct PeerConfiguration: Sendable {
    /// What identify says this software is.
    public var agentVersion: String
    /// Whether `/perf/1.0.0` is served.
    public var servesPerf = false
    /// Whether to look for peers on the local network and to answer those that look.
    public var discoversLocally = true
    /// Whether to publish where this peer is on the discovery topic of universal-connectivity, and to dial those who do.
    public var discoversOverPubsub = false
    /// Peers dialled at start, and again with backoff when lost.
    public var bootstrap: [Multiaddr] = []
    /// Where peers were that were connected when the program last ran: asked when none of ``bootstrap`` answers.
    public var remembered: [Multiaddr] = []
    /// Addresses announced besides those listened on.
    public var externalAddresses: [Multiaddr] = []
    /// Log events below it are not even made.
    public var logLevel: LogLevel = .info
    /// Protocols of the application, offered to inbound streams: see `Peer.inboundStreams`.
    public var protocols: [String] = []
    /// Those of them that may also run over connections through relays that limit them.
    public var protocolsOnLimitedConnections: [String] = []
    /// Whether it dials peers back that want to know whether they can be reached: AutoNAT v2, public addresses only.
    public var servesAutoNAT = false
    /// Whether it asks relays that it is connected to for reservations when strangers cannot dial it otherwise.
    public var seeksRelays = false
    /// Whether it dials peers that it is connected to through a relay, and they it, to be connected without: DCUtR.
    public var punchesHoles = true
    /// For networks of tests: private addresses are asked about and dialled back like public ones.
    package var probesPrivateAddresses = false
    /// What it gives away as a relay; nil when it is none.
    public var relay: RelayConfiguration?
    /// How webrtc-direct addresses are dialled; listeners answer both versions.
    public var webRTCDirectVersion = WebRTCDirectVersion.automatic

    /// Whether a direct connection by WebRTC is made in place of one through a relay.
    public var seeksDirectPaths = true
    /// Servers asked how this peer looks from outside, for direct paths to peers behind NATs; at most four count.
    public var stunServers: [ServerAddress] = []
    /// Servers that relay datagrams to peers that cannot be reached otherwise; at most four count.
    public var turnServers: [TURNAccount] = []

    /// A configuration with nothing but a name.
    public init(agentVersion: String = "swift-peer") { self.agentVersion = agentVersion }
}

/// Which agreement on ICE credentials a dialer of webrtc-direct uses (`libp2p/specs webrtc-direct`, pull 715).
public enum WebRTCDirectVersion: String, Sendable, CaseIterable {
    /// Version 1, and version 2 when nobody answers it.
    case automatic = "auto"
    /// Both ends use one string, which the dialer makes: what every deployed peer speaks.
    case one = "1"
    /// The dialer keeps the credentials its browser made: for browsers that forbid version 1.
    case two = "2"
}

/// Where a server of STUN or TURN is.
public struct ServerAddress: Sendable, Hashable {
    /// A name or an IP address.
    public let host: String
    /// Its port.
    public let port: UInt16

    /// A server at a host and a port.
    public init(host: String, port: UInt16) { (self.host, self.port) = (host, port) }
}
