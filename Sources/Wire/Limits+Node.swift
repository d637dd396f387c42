package import NIOCore

/// What the node's stream protocols, mDNS and the dialer may hold or wait for.
extension Limits {
    // MARK: Ping

    /// A ping's answer is late after this (go and js wait as long).
    package static let pingTimeout = TimeAmount.seconds(10)
    /// A responder ends a stream on which nobody pinged for so long.
    package static let pingResponderIdle = TimeAmount.minutes(2)
    /// Echoes a responder lets wait in a stream that its peer does not read.
    package static let pingEchoBuffered = 2048

    // MARK: Identify

    /// From opening an identify stream to its last byte.
    package static let identifyTimeout = TimeAmount.seconds(5)
    /// Listen addresses taken from one peer; more are ignored.
    package static let identifyAddresses = 128
    /// Protocol ids taken from one peer; more are ignored.
    package static let identifyProtocols = 256
    /// Bytes of an agent or protocol version; the rest is cut off.
    package static let identifyText = 256
    /// Bytes of a protocol id; a longer one is ignored.
    package static let identifyProtocolID = 256

    // MARK: Perf

    /// What perf writes at a time.
    package static let perfBlock = 65_536
    /// A perf stream on which nothing moved for so long is given up.
    package static let perfIdle = TimeAmount.seconds(30)

    // MARK: mDNS

    /// A packet that is looked at; RFC 6762 section 17 allows no larger one.
    package static let mdnsPacket = 9000
    /// A packet that is sent: no fragments on Ethernet.
    package static let mdnsPacketSent = 1400
    /// Questions and records of one packet together.
    package static let mdnsRecords = 256
    /// Strings of one TXT record.
    package static let mdnsStrings = 64
    /// A name on the wire, RFC 1035 section 2.3.4.
    package static let dnsNameWire = 255
    /// A label, RFC 1035 section 2.3.4.
    package static let dnsLabel = 63
    /// Compression pointers followed in one name.
    package static let dnsPointers = 16
    /// Packets looked at in a second; the rest is dropped.
    package static let mdnsPacketsPerSecond = 100
    /// Peers remembered.
    package static let mdnsPeers = 256
    /// Addresses of one peer.
    package static let mdnsAddresses = 32
    /// Between two answers to the same service (RFC 6762 section 6).
    package static let mdnsAnswerInterval = TimeAmount.seconds(1)
    /// How long a peer that announces the same addresses again stays unreported.
    package static let mdnsRepeat = TimeAmount.seconds(5)
    /// The longest time to live that is believed.
    package static let mdnsTimeToLive: UInt32 = 3600

    // MARK: Dialer

    /// Dials at the same time, one per peer; more fail at once.
    package static let dials = 256
    /// Requests that wait for one dial.
    package static let dialRequests = 64
    /// Addresses tried in one dial; more are ignored.
    package static let dialAddresses = 64
    /// Attempts at the same time in one dial.
    package static let dialAttemptsPerPeer = 8
    /// Attempts at the same time in all dials.
    package static let dialAttempts = 64
    /// An attempt to an address of this machine or network ends sooner than ``dialTimeout``.
    package static let dialTimeoutLocal = TimeAmount.seconds(5)
    /// Addresses remembered for having failed.
    package static let dialBackoffs = 1024
    /// The first wait after a failure.
    package static let dialBackoffFirst = TimeAmount.seconds(5)
    /// The longest wait after failures.
    package static let dialBackoffLast = TimeAmount.minutes(5)
    /// Peers that are dialled again whenever they are lost.
    package static let dialKept = 64
    /// Peers known to be connected.
    package static let dialConnected = 1024

    // MARK: Datagrams

    /// UDP sockets listened on.
    package static let listeningSockets = 16
    /// How long a dialer of webrtc-direct waits for an answer to version 1 before it tries version 2.
    package static let directVersionFallback = TimeAmount.milliseconds(2500)
}
