package import NIOCore

// MARK: GossipSub (`gossipReceived` and `gossipSent` stand in Limits.swift: others frame by them too)

extension Limits {
    /// Bytes of subscriptions and control in one RPC we send: rust-libp2p refuses more.
    package static let gossipControlSent = 16_384
    /// Bytes of one message's data we publish: with its envelope it still fits what go-libp2p reads, 1 MiB.
    package static let gossipPublished = (1 << 20) - 1024
    /// UTF-8 bytes of a topic's name; subscriptions to longer ones are ignored.
    package static let gossipTopic = 256
    /// Bytes of a message id in IHAVE and IWANT; longer ones are ignored.
    package static let gossipMessageID = 256
    /// Subscriptions in one RPC; more is an error (CVE-2026-46679: 349,525 in one frame).
    package static let gossipSubscriptionsPerRPC = 5000
    /// Messages in one RPC; more is an error.
    package static let gossipMessagesPerRPC = 5000
    /// GRAFT, PRUNE, IHAVE and IWANT entries in one RPC, together; more is an error.
    package static let gossipControlPerRPC = 5000
    /// Ids kept of all IHAVE and IWANT entries of one RPC; those behind are ignored.
    package static let gossipIDsPerRPC = 5000
    /// Topics remembered per peer; of those beyond, only the ones we joined ourselves.
    package static let gossipTopicsPerPeer = 128
    /// Topics we join.
    package static let gossipTopicsJoined = 128
    /// Topics we publish to without having joined; the longest unused goes first.
    package static let gossipFanoutTopics = 64
    /// Peers the router keeps a state for.
    package static let gossipPeers = 1024
    /// Bytes of unfinished frames, of all peers together; beyond, the peer with most of them loses its stream.
    package static let gossipUnfinished = 32 << 20
    /// Ids in the seen cache. When it is full, the peer that brought most of them loses its oldest.
    package static let gossipSeen = 65_536
    /// Peers that have a share of their own in a cache; those beyond share one.
    package static let gossipShares = 1024
    /// Messages kept to answer IWANT; full: as with `gossipSeen`.
    package static let gossipCachedMessages = 8192
    /// Bytes of messages kept to answer IWANT; full: as with `gossipSeen`.
    package static let gossipCachedBytes = 16 << 20
    /// Our own messages kept for peers that were lost and come back: how many, their bytes (half of what relays
    /// carry by default), and how long.
    package static let gossipRecentMessages = 512
    package static let gossipRecentBytes = 64 << 10
    package static let gossipRecentTime = TimeAmount.minutes(5)
    /// Peers that were lost and may come back, and how long they are waited for.
    package static let gossipLostPeers = 256
    package static let gossipLostTime = TimeAmount.minutes(10)
    /// How long peers remember the ids they saw, less than any does: rust-libp2p's default is 60 s.
    package static let gossipSeenElsewhere = TimeAmount.seconds(50)
    /// The same of a peer of this software: less than `GossipParameters.seenTTL`.
    package static let gossipSeenHere = TimeAmount.minutes(5)
    /// Backoffs kept per topic; when full, the oldest goes first.
    package static let gossipBackoffs = 4096
    /// The longest backoff a PRUNE can ask of us (CVE-2026-33040, CVE-2026-34219: up to 2^64 - 1 seconds).
    package static let gossipBackoff = TimeAmount.hours(1)
    /// RPCs per peer and heartbeat whose IHAVE are looked at.
    package static let gossipIHavesPerHeartbeat = 10
    /// Ids looked up per peer and heartbeat: of its IHAVE, and again of its IWANT.
    package static let gossipIDsPerHeartbeat = 5000
    /// Ids we advertise to one peer per topic and heartbeat.
    package static let gossipIDsAdvertised = 1000
    /// How often one message is sent to one peer that asks for it by IWANT.
    package static let gossipRetransmissions = 3
    /// Bytes of messages sent to one peer per heartbeat because it asked by IWANT.
    package static let gossipAnswerBytesPerHeartbeat = 2 << 20
    /// PRUNE sent to one peer per heartbeat as answers to its GRAFT.
    package static let gossipPrunesPerHeartbeat = 64
    /// Messages of one peer found invalid per heartbeat, before the rest is dropped unchecked (a check is 60 µs).
    package static let gossipInvalidPerHeartbeat = 100
}
