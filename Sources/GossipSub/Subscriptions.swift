import OrderedCollections
import Wire

/// Who listens to what: every topic a peer told us of, ours or not.
///
/// At most `Limits.gossipTopicsPerPeer` topics per peer, and besides those the ones we joined ourselves.
struct Subscriptions {
    private var peersByTopic: [Topic: OrderedSet<PeerID>] = [:]  // never iterated
    private var topicsByPeer: [PeerID: OrderedSet<Topic>] = [:]  // never iterated

    func peers(in topic: Topic) -> OrderedSet<PeerID> { peersByTopic[topic] ?? [] }
    func contains(_ peer: PeerID, _ topic: Topic) -> Bool { peersByTopic[topic]?.contains(peer) ?? false }
    func topics(of peer: PeerID) -> OrderedSet<Topic> { topicsByPeer[peer] ?? [] }
    var topicCount: Int { peersByTopic.count }

    /// True when that is news; false too when the peer has its limit of topics.
    mutating func insert(_ peer: PeerID, _ topic: Topic, isJoined: Bool) -> Bool {
        let limit = Limits.gossipTopicsPerPeer + (isJoined ? Limits.gossipTopicsJoined : 0)
        guard topicsByPeer[peer]?.count ?? 0 < limit,
            topicsByPeer[peer, default: []].append(topic).inserted
        else { return false }
        peersByTopic[topic, default: []].append(peer)
        return true
    }

    /// True when the peer was subscribed.
    mutating func remove(_ peer: PeerID, _ topic: Topic) -> Bool {
        guard topicsByPeer[peer]?.remove(topic) != nil else { return false }
        peersByTopic[topic]?.remove(peer)
        if peersByTopic[topic]?.isEmpty == true { peersByTopic.removeValue(forKey: topic) }
        return true
    }

    /// Forgets a peer; returns what it was subscribed to.
    mutating func remove(_ peer: PeerID) -> OrderedSet<Topic> {
        let topics = topicsByPeer[peer] ?? []
        for topic in topics { _ = remove(peer, topic) }
        topicsByPeer.removeValue(forKey: peer)
        return topics
    }
}
