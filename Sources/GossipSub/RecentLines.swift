import DequeModule
import NIOCore
import OrderedCollections
import Wire

/// Our own messages of late, for peers that were lost and come back: what makes a broken connection a delay and no loss.
///
/// Nobody acknowledges a message of GossipSub. What was written to a connection that died, at worst half a minute
/// before anybody could know, and what was said while there was none, is gone at the protocol's own hand: IHAVE offers
/// the messages of three heartbeats. So whoever is lost is noted, and when our next stream to it stands, it begins with
/// all of these, in the order they were published and before anything new. Most of them are there already: the receiver
/// drops them by their ids, which is what the protocol has ids for. That works with every peer that speaks GossipSub.
///
///     published ─▶ kept ── 5 min, or pushed out by newer ones ──▶ forgotten
///     subscribed ──connection lost──▶ lost ──subscribed again──▶ told what is kept ─▶ subscribed
///                                      └── 10 min, or pushed out ──▶ forgotten
///
/// Peers forget the ids they saw (rust-libp2p after 60 s, the others after 120 s): a message that somebody may have got
/// longer ago than a peer remembers is not sent to it, since it may have come there by others and would show up twice.
/// One that nobody was there for has no such age.
///
/// Limits: `Limits.gossipRecent…`, `Limits.gossipLost…`. Only our own messages: what others said is theirs to say
/// again, and answering a flood of theirs with another would make us an amplifier.
struct RecentLines {
    private struct Line {
        let topic: Topic
        let encoded: EncodedMessage
        let publishedAt: NIODeadline
        /// When somebody first may have got it.
        var sentAt: NIODeadline?
    }
    private struct Absence {
        let topics: OrderedSet<Topic>
        let since: NIODeadline
    }
    private var lines: Deque<Line> = []
    private(set) var byteCount = 0
    private var absences: OrderedDictionary<PeerID, Absence> = [:]

    var count: Int { lines.count }
    var lostCount: Int { absences.count }
    /// What we said something in.
    var topics: Set<Topic> { Set(lines.lazy.map(\.topic)) }

    /// We said something; `isSent` when it went to anybody.
    mutating func published(_ encoded: EncodedMessage, _ topic: Topic, isSent: Bool, now: NIODeadline) {
        let size = encoded.bytes.readableBytes
        guard size <= Limits.gossipRecentBytes else { return }
        lines.append(Line(topic: topic, encoded: encoded, publishedAt: now, sentAt: isSent ? now : nil))
        byteCount += size
        while lines.count > Limits.gossipRecentMessages || byteCount > Limits.gossipRecentBytes { dropOldest() }
        expire(now: now)
    }

    /// A peer that was subscribed to `topics` is gone.
    mutating func lost(_ peer: PeerID, _ topics: OrderedSet<Topic>, now: NIODeadline) {
        guard !topics.isEmpty else { return }
        let missed = absences.removeValue(forKey: peer)?.topics ?? []
        absences[peer] = Absence(topics: OrderedSet(missed.union(topics).prefix(Limits.gossipTopicsJoined)), since: now)
        while absences.count > Limits.gossipLostPeers { absences.removeFirst() }
        expire(now: now)
    }

    /// Of `topics`, those that a peer was subscribed to when it was lost: it is back in them.
    mutating func returned(_ peer: PeerID, to topics: OrderedSet<Topic>, now: NIODeadline) -> OrderedSet<Topic> {
        expire(now: now)
        guard let absence = absences[peer] else { return [] }
        let back = absence.topics.intersection(topics)
        guard !back.isEmpty else { return [] }
        let rest = absence.topics.subtracting(back)
        absences[peer] = rest.isEmpty ? nil : Absence(topics: rest, since: absence.since)
        return back
    }

    /// What a peer may have missed in these topics, in order, when it remembers ids for `memory`: of more than `room`
    /// bytes the newest, which are the likeliest.
    mutating func missed(
        in topics: OrderedSet<Topic>, memory: TimeAmount, room: Int, now: NIODeadline
    ) -> [EncodedMessage] {
        expire(now: now)
        var room = room
        var result: Deque<EncodedMessage> = []
        for index in lines.indices.reversed() where topics.contains(lines[index].topic) {
            if let sentAt = lines[index].sentAt, now - sentAt >= memory { continue }
            room -= lines[index].encoded.bytes.readableBytes
            guard room >= 0 else { break }
            lines[index].sentAt = lines[index].sentAt ?? now
            result.prepend(lines[index].encoded)
        }
        return Array(result)
    }

    private mutating func expire(now: NIODeadline) {
        while let first = lines.first, first.publishedAt + Limits.gossipRecentTime <= now { dropOldest() }
        while let (peer, absence) = absences.elements.first, absence.since + Limits.gossipLostTime <= now {
            absences[peer] = nil
        }
    }

    private mutating func dropOldest() {
        if let line = lines.popFirst() { byteCount -= line.encoded.bytes.readableBytes }
    }
}
