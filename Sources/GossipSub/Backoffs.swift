import NIOCore
import OrderedCollections
import Wire

/// Until when which peer must not be grafted, by topic (libp2p/specs gossipsub v1.1, "Prune Backoff").
///
/// Kept across a peer's reconnecting, else reconnecting would be the way around it. At most `Limits.gossipBackoffs`
/// per topic; losing one costs a PRUNE.
struct Backoffs {
    private struct Backoff {
        var until: NIODeadline
        /// When the PRUNE was: a GRAFT soon behind it is a flood.
        var since: NIODeadline
    }
    private var topics: OrderedDictionary<Topic, OrderedDictionary<PeerID, Backoff>> = [:]

    var count: Int { topics.values.reduce(0) { $0 + $1.count } }

    /// Sets a backoff; never shortens one.
    mutating func set(_ peer: PeerID, _ topic: Topic, _ time: TimeAmount, now: NIODeadline) {
        let until = now + time
        if let old = topics[topic]?[peer], old.until > until {
            topics[topic]?[peer]?.since = now
            return
        }
        if let count = topics[topic]?.count, count >= Limits.gossipBackoffs { topics[topic]?.removeFirst() }
        topics[topic, default: [:]][peer] = Backoff(until: until, since: now)
    }

    /// When the last PRUNE was, if the peer's backoff still runs.
    func running(_ peer: PeerID, _ topic: Topic, now: NIODeadline) -> NIODeadline? {
        guard let backoff = topics[topic]?[peer], now < backoff.until else { return nil }
        return backoff.since
    }

    /// Whether we may graft: the backoff is over, and some slack behind it for the peer's clock and the way.
    func allow(_ peer: PeerID, _ topic: Topic, now: NIODeadline, slack: TimeAmount) -> Bool {
        guard let backoff = topics[topic]?[peer] else { return true }
        return now >= backoff.until + slack
    }

    mutating func expire(now: NIODeadline, slack: TimeAmount) {
        for topic in topics.keys {
            topics[topic]?.removeAll { now >= $0.value.until + slack }
            if topics[topic]?.isEmpty == true { topics.removeValue(forKey: topic) }
        }
    }
}
