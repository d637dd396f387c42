import NIOCore
import OrderedCollections
import Wire

/// The peers that requests look for by id alone: one ``KademliaLookup`` each, and the dials it asked for.
///
/// Bounded by ``Limits/kademliaLookups``.
struct PeerSearches {
    /// What a search is for.
    enum Purpose { case addresses, connection }
    /// How far it is: addresses known beforehand are tried first, when a connection is wanted.
    enum Stage { case dialingKnown, lookingUp, dialingFound }

    struct Search {
        let target: PeerID
        let purpose: Purpose
        var stage: Stage
        var lookup: KademliaLookup?
        /// Peers that were connected to for the lookup's sake alone.
        var visited: [PeerID] = []
    }
    private struct Dial {
        let search: RequestID
        let peer: PeerID
    }

    private(set) var entries: OrderedDictionary<RequestID, Search> = [:]
    /// Dials for a lookup, by the numbers that the dialer knows them by.
    private var dials: OrderedDictionary<RequestID, Dial> = [:]
    /// Owners count their requests from 1, dials of relays from half of the range, these from three quarters.
    private var nextDial: RequestID = 3 << 62
    /// Peers whose answers were none, and until when they are not asked.
    private var shunned: OrderedDictionary<PeerID, NIODeadline> = [:]

    var deadline: NIODeadline {
        entries.values.reduce(.distantFuture) { min($0, $1.lookup?.deadline ?? .distantFuture) }
    }

    var isFull: Bool { entries.count >= Limits.kademliaLookups }

    subscript(_ id: RequestID) -> Search? {
        get { entries[id] }
        set { entries[id] = newValue }
    }

    mutating func tick(now: NIODeadline) {
        for id in entries.keys where (entries[id]?.lookup?.deadline ?? .distantFuture) <= now {
            entries[id]?.lookup?.handle(.tick, now: now)
        }
    }

    mutating func give(_ input: KademliaLookup.Input, to id: RequestID, now: NIODeadline) {
        entries[id]?.lookup?.handle(input, now: now)
    }

    mutating func poll() -> (RequestID, KademliaLookup.Output)? {
        for id in entries.keys {
            if let output = entries[id]?.lookup?.poll() { return (id, output) }
        }
        return nil
    }

    // MARK: Dials

    /// A number for the dial of a peer that a lookup wants to ask.
    mutating func beginDial(of peer: PeerID, for search: RequestID) -> RequestID {
        nextDial += 1
        dials[nextDial] = Dial(search: search, peer: peer)
        return nextDial
    }

    /// A dial is over: whom it was to reach, and for which search; nil for a request that is no such dial.
    mutating func endDial(_ id: RequestID) -> (search: RequestID, peer: PeerID)? {
        dials.removeValue(forKey: id).map { ($0.search, $0.peer) }
    }

    /// Forgets the dials of a search that nobody waits for; which they were.
    mutating func dropDials(of search: RequestID) -> [RequestID] {
        let gone = dials.filter { $0.value.search == search }.map(\.key)
        for id in gone { dials[id] = nil }
        return gone
    }

    // MARK: Judgement

    mutating func shun(_ peer: PeerID, now: NIODeadline) {
        if shunned.count >= Limits.kademliaShunned { shunned.removeFirst() }
        shunned[peer] = now + Limits.kademliaShunning
    }

    func isShunned(_ peer: PeerID, now: NIODeadline) -> Bool { shunned[peer].map { $0 > now } ?? false }
}
