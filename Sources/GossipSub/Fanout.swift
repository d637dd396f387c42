import NIOCore
import OrderedCollections
import Wire

/// The peers that get our messages of topics we have not joined (libp2p/specs gossipsub, "Fanout").
///
/// Used with flood publishing off; at most `Limits.gossipFanoutTopics` topics.
struct Fanout {
    struct Entry {
        var peers: OrderedSet<PeerID> = []
        var lastPublished: NIODeadline
    }
    private(set) var topics: OrderedDictionary<Topic, Entry> = [:]

    /// The topic's peers, to be filled up to the degree by the caller; marks the topic as used.
    mutating func publish(_ topic: Topic, now: NIODeadline) -> OrderedSet<PeerID> {
        let peers = topics.removeValue(forKey: topic)?.peers ?? []
        if topics.count >= Limits.gossipFanoutTopics { topics.removeFirst() }
        topics[topic] = Entry(peers: peers, lastPublished: now)
        return peers
    }

    mutating func set(_ peers: OrderedSet<PeerID>, _ topic: Topic) { topics[topic]?.peers = peers }
    mutating func remove(_ topic: Topic) -> OrderedSet<PeerID> { topics.removeValue(forKey: topic)?.peers ?? [] }
    mutating func remove(_ peer: PeerID, _ topic: Topic) { topics[topic]?.peers.remove(peer) }
    mutating func remove(_ peer: PeerID) {
        for topic in topics.keys { topics[topic]?.peers.remove(peer) }
    }
    mutating func expire(now: NIODeadline, lifetime: TimeAmount) {
        topics.removeAll { now >= $0.value.lastPublished + lifetime }
    }
}
