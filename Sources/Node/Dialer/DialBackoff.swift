import NIOCore
import OrderedCollections
import Wire

/// Addresses that failed lately, and how long each rests: 5 s, doubled with every further failure up to 5 min, with
/// jitter.
///
/// Bounded by ``Limits/dialBackoffs``: the one that may be tried soonest makes room.
struct DialBackoff {
    private struct Key: Hashable {
        let peer: PeerID?
        let address: Multiaddr
    }
    private struct Entry {
        var failures: Int
        var until: NIODeadline
    }
    private var entries: OrderedDictionary<Key, Entry> = [:]

    /// How much longer an address rests; nil when it may be tried.
    func rest(of address: Multiaddr, _ peer: PeerID?, now: NIODeadline) -> TimeAmount? {
        guard let entry = entries[Key(peer: peer, address: address)], entry.until > now else { return nil }
        return entry.until - now
    }

    mutating func failed(_ address: Multiaddr, _ peer: PeerID?, now: NIODeadline, entropy: inout Entropy) {
        let key = Key(peer: peer, address: address)
        if entries[key] == nil, entries.count >= Limits.dialBackoffs,
            let soonest = entries.min(by: { $0.value.until < $1.value.until })
        {
            entries[soonest.key] = nil
        }
        // Saturates: thirty doublings are beyond every limit.
        let failures = min(30, (entries[key]?.failures ?? 0) + 1)
        entries[key] = Entry(failures: failures, until: now + Self.wait(after: failures, entropy: &entropy))
    }

    mutating func succeeded(_ address: Multiaddr, _ peer: PeerID?) {
        entries[Key(peer: peer, address: address)] = nil
    }

    /// The wait after so many failures in a row, at least one: doubling, bounded, and off by up to a quarter.
    static func wait(after failures: Int, entropy: inout Entropy) -> TimeAmount {
        let doublings = min(max(0, failures - 1), 30)
        let first = Limits.dialBackoffFirst.nanoseconds
        let last = Limits.dialBackoffLast.nanoseconds
        let full = first > last >> Int64(doublings) ? last : min(last, first << Int64(doublings))
        return .nanoseconds(full - full / 4 + .random(in: 0...full / 2, using: &entropy) / 2)
    }
}
