package import NIOCore
package import Wire

/// What the router wants done, or tells.
package enum RouterOutput: Sendable {
    /// Bytes for the outbound stream to a peer: one whole RPC with its length prefix.
    case send(ByteBuffer, to: PeerID)
    /// A message of a joined topic: genuine, not our own, not here before.
    case message(GossipMessage)
    /// Our message went to so many peers, perhaps none; later subscribers can still get it for some seconds.
    case published(request: UInt64, id: MessageID, peers: Int)
    case publishFailed(request: UInt64, reason: PublishError)
    case subscribed(PeerID, Topic)
    /// The peer left the topic, or is gone.
    case unsubscribed(PeerID, Topic)
    /// The peer is in our mesh of the topic.
    case grafted(PeerID, Topic)
    /// The peer is no longer in our mesh of the topic.
    case pruned(PeerID, Topic)
    /// The peer's inbound stream makes no sense: to be reset, and reported by `inboundClosed`. The connection stays.
    case misbehaved(PeerID, GossipError)
    case trace(GossipTrace)
}

/// What happened inside, for logs, panes and tests. One message or one decision each.
package enum GossipTrace: Sendable, Equatable {
    /// A message that failed a check.
    case rejected(from: PeerID, MessageRejection)
    /// A message that was here before.
    case duplicate(from: PeerID, MessageID)
    /// A message of our own came back.
    case own(from: PeerID)
    /// A message of a topic we have not joined.
    case notJoined(from: PeerID)
    case forwarded(MessageID, peers: Int)
    /// A GRAFT was answered with PRUNE.
    case graftRefused(PeerID, Topic, GraftRefusal)
    /// A subscription beyond `Limits.gossipTopicsPerPeer`.
    case topicIgnored(PeerID)
    /// IHAVE or IWANT beyond what a heartbeat allows.
    case gossipIgnored(PeerID)
    /// So many ids asked for by IWANT.
    case asked(PeerID, Int)
    /// So many messages sent because of IWANT.
    case answered(PeerID, Int)
    /// So many recent messages of ours sent again, to a peer that may have missed them.
    case repeated(PeerID, Int)
    /// A topic that cannot be joined: no valid name, or `Limits.gossipTopicsJoined` are.
    case joinIgnored(Topic)
}

/// Why a GRAFT was refused.
package enum GraftRefusal: Sendable, Equatable {
    /// Within the backoff; `isFlood` when hard behind the PRUNE.
    case backoff(isFlood: Bool)
    /// The mesh is full and the peer dialed us.
    case meshFull
    /// The peer is not subscribed itself.
    case notSubscribed
}
