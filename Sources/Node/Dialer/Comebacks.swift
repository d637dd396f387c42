import NIOCore
import OrderedCollections
import Wire

/// Peers that were reached through relays and then lost: when each is dialled again, so that two who talked find each
/// other again and nobody has to do anything.
///
///     unknown ──dialled through a relay──▶ known ──lost, or silent──▶ missed ──time──▶ dialled ─┐
///                                           ▲ └──── forgotten, pushed out      ▲   longer waits │
///                                           └──────── a connection stands ─────┴────────────────┘
///
/// The one that dialled dials again: only it knows an address, and two that dial at once make one connection too many.
/// Waits double from a second to a minute, over short connections too: what ended one may end the next. After
/// `Limits.comebackTime` without any it is given up.
///
/// Limits: `Limits.comebacks…`. It does not know which peers are worth it, nor who closes on purpose.
struct Comebacks {
    private struct Entry {
        /// Newest last.
        var addresses: OrderedSet<Multiaddr> = []
        /// Nil while a connection stands.
        var missedSince: NIODeadline?
        /// Since when a connection stands; nil while none does.
        var foundAt: NIODeadline?
        /// Dials, and short connections, in a row.
        var tries = 0
        var next = NIODeadline.distantFuture
    }
    private var entries: OrderedDictionary<PeerID, Entry> = [:]

    var deadline: NIODeadline { entries.values.reduce(.distantFuture) { min($0, $1.next) } }

    /// A dial through a relay led to the peer.
    mutating func reached(_ peer: PeerID, by address: Multiaddr, now: NIODeadline) {
        var entry = entries.removeValue(forKey: peer) ?? Entry(foundAt: now)
        entry.addresses.remove(address)
        entry.addresses.append(address)
        if entry.addresses.count > Limits.comebackAddresses { entry.addresses.removeFirst() }
        entries[peer] = entry
        if entries.count > Limits.comebacks { entries.removeFirst() }
    }

    /// The last connection to the peer is gone, or says nothing any more.
    mutating func missed(_ peer: PeerID, now: NIODeadline, entropy: inout Entropy) {
        guard var entry = entries[peer], entry.missedSince == nil else { return }
        if let foundAt = entry.foundAt, now - foundAt >= Limits.comebackStable { entry.tries = 0 }
        entry.foundAt = nil
        entry.missedSince = now
        entry.next = now + Self.wait(after: entry.tries, entropy: &entropy)
        entries[peer] = entry
    }

    /// A connection to the peer stands.
    mutating func found(_ peer: PeerID, now: NIODeadline) {
        guard var entry = entries[peer], entry.foundAt == nil else { return }
        (entry.missedSince, entry.foundAt, entry.next) = (nil, now, .distantFuture)
        entries[peer] = entry
    }

    /// Somebody ended it on purpose.
    mutating func forget(_ peer: PeerID) { entries[peer] = nil }
    mutating func forgetAll() { entries = [:] }

    /// Whom to dial now, and where, the newest address first.
    mutating func takeDue(now: NIODeadline, entropy: inout Entropy) -> [(peer: PeerID, addresses: [Multiaddr])] {
        var due: [(peer: PeerID, addresses: [Multiaddr])] = []
        for (peer, entry) in entries where entry.next <= now {
            guard let since = entry.missedSince, now - since < Limits.comebackTime else {
                entries[peer] = nil
                continue
            }
            let wait = Self.wait(after: entry.tries + 1, entropy: &entropy)
            entries[peer]?.tries += 1
            entries[peer]?.next = now + wait
            due.append((peer, entry.addresses.reversed()))
        }
        return due
    }

    /// Off by a fifth at most, so that all peers of a relay that was away do not come at once.
    private static func wait(after tries: Int, entropy: inout Entropy) -> TimeAmount {
        let doublings = min(max(0, tries), 30)
        let full = min(Limits.comebackWaitFirst.nanoseconds << Int64(doublings), Limits.comebackWaitLast.nanoseconds)
        return .nanoseconds(full / 100 * Int64.random(in: 80...120, using: &entropy))
    }
}
