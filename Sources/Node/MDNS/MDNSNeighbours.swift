import NIOCore
import OrderedCollections
import Wire

/// Peers heard lately, so that the same announcement is not reported again and again.
///
/// Bounded by ``Limits/mdnsPeers``: the one that expires first makes room.
struct MDNSNeighbours {
    private struct Entry {
        var addresses: [Multiaddr]
        var reported: NIODeadline
        var expires: NIODeadline
    }
    private var entries: OrderedDictionary<PeerID, Entry> = [:]

    /// Whether an announcement is worth a report: a new peer, other addresses, or ``Limits/mdnsRepeat`` since the last.
    mutating func heard(_ peer: PeerID, _ addresses: [Multiaddr], timeToLive: UInt32, now: NIODeadline) -> Bool {
        guard timeToLive > 0 else {
            entries[peer] = nil
            return false
        }
        let expires = now + .seconds(Int64(min(timeToLive, Limits.mdnsTimeToLive)))
        if var entry = entries[peer], entry.expires > now {
            // A peer heard for two services may fit fewer addresses into one of the answers: no news for a while.
            let isNews =
                entry.reported + Limits.mdnsRepeat <= now || !addresses.allSatisfy(entry.addresses.contains)
            entry.expires = expires
            if isNews {
                entry.addresses = addresses
                entry.reported = now
            }
            entries[peer] = entry
            return isNews
        }
        if entries[peer] == nil, entries.count >= Limits.mdnsPeers,
            let first = entries.min(by: { $0.value.expires < $1.value.expires })
        {
            entries[first.key] = nil
        }
        entries[peer] = Entry(addresses: addresses, reported: now, expires: expires)
        return true
    }
}

/// How many packets are looked at in a second, in all and from one sender: a quarter, so that one noisy host does not
/// make the others unheard.
struct MDNSBudget {
    private var since = NIODeadline.uptimeNanoseconds(0)
    private var total = 0
    private var bySource: [String: Int] = [:]

    mutating func admits(_ source: String, now: NIODeadline) -> Bool {
        if now - since >= .seconds(1) {
            since = now
            total = 0
            bySource = [:]
        }
        let count = bySource[source, default: 0]
        guard total < Limits.mdnsPacketsPerSecond, count < Limits.mdnsPacketsPerSecond / 4 else { return false }
        // At most one entry for each admitted packet.
        bySource[source] = count + 1
        total += 1
        return true
    }
}
