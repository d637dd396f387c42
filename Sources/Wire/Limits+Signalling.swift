package import NIOCore

/// Signalling of WebRTC, and the change from a relayed connection to a direct one.
extension Limits {
    // MARK: Messages

    /// A message of `/webrtc-signaling/0.0.1`, its length not counted: a description of ``sdp`` bytes and what names it.
    package static let signallingMessage = sdp + 16
    /// The JSON of one candidate; Chromium's are about 300 bytes.
    package static let signallingCandidate = 4096
    /// Candidate messages of one stream, those of no use and the ends counted; ICE keeps ``iceRemoteCandidates``.
    package static let signallingCandidates = 256
    /// Messages of kinds nobody knows, and of kinds that are to be ignored.
    package static let signallingUnknown = 16
    /// Candidates of ours on one stream.
    package static let signallingOwnCandidates = 64
    /// Values inside values, in JSON of a remote.
    package static let signallingDepth = 8

    // MARK: The exchange

    /// From the first byte to a connection, both ways: js-libp2p gives an inbound upgrade as long.
    package static let signallingTimeout = TimeAmount.seconds(15)
    /// How long a path is sought once both ends know each other: less, so that what ends a search in vain can say why.
    package static let pathTimeout = TimeAmount.seconds(12)
    /// Streams of others on one connection that speak signalling at the same time; js-libp2p opens one.
    package static let signallingStreams = 2

    // MARK: Make before break

    /// How long the end that was dialled leaves it to the other to look for a direct path.
    package static let upgradeDeference = TimeAmount.seconds(8)
    /// The first and the longest wait after a direct connection was not made.
    package static let upgradeRetryFirst = TimeAmount.seconds(5)
    package static let upgradeRetryLast = TimeAmount.minutes(5)
    /// How long the first search for a direct path waits for the names of servers.
    package static let serverPatience = TimeAmount.seconds(1)
    /// Direct connections being made at once, in all.
    package static let upgrades = 32
    /// How long a better connection must have worked before traffic moves to it, and then carry it before the old one
    /// may end: a heartbeat of GossipSub, twice.
    package static let pathProof = TimeAmount.seconds(1)
    /// How long streams on the connection that was left may take to end.
    package static let pathDrain = TimeAmount.seconds(60)
    /// How long what a peer says on its new GossipSub stream waits for the end of the old one.
    package static let gossipHold = TimeAmount.seconds(10)
    /// Bytes of it that wait; beyond, the old stream is given up.
    package static let gossipHeld = 4 << 20
    /// How often a relayed connection, what carries it, and the TCP connection in its place are asked for a sign of life:
    /// a chat hangs on them, and ``keepAliveInterval`` would notice a dead one forty seconds later.
    package static let pathKeepAlive = TimeAmount.seconds(10)

    // MARK: Lost peers

    /// Peers reached through relays that are dialled again when they are lost, and addresses of each.
    package static let comebacks = 64
    package static let comebackAddresses = 4
    /// The first and the longest wait before they are dialled, and when that is given up.
    package static let comebackWaitFirst = TimeAmount.seconds(1)
    package static let comebackWaitLast = TimeAmount.minutes(1)
    package static let comebackTime = TimeAmount.minutes(10)
    /// A connection that stood so long makes former tries forgotten.
    package static let comebackStable = TimeAmount.seconds(10)
}
