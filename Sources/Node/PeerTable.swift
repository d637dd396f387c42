import NIOCore
import OrderedCollections
import Wire

/// What the node knows of other peers: addresses, and when they were last here.
///
/// Bounded by ``Limits/knownPeers``: peers without a connection are forgotten, the longest gone first.
struct PeerTable {
    private struct Entry {
        var addresses: [Multiaddr] = []
        var isConnected = false
        var lastSeen = NIODeadline.uptimeNanoseconds(0)
    }
    private var entries: OrderedDictionary<PeerID, Entry> = [:]
    /// The sequence number of our next own peer record: grows with every record.
    private var recordSequence: UInt64

    init(recordSequence: UInt64) { self.recordSequence = recordSequence }

    mutating func connected(_ peer: PeerID) { entries[peer, default: Entry()].isConnected = true }

    mutating func disconnected(_ peer: PeerID, now: NIODeadline) {
        entries[peer]?.isConnected = false
        entries[peer]?.lastSeen = now
    }

    /// Addresses somebody gave for a peer; the newest list counts.
    mutating func learned(_ addresses: [Multiaddr], of peer: PeerID, now: NIODeadline) {
        if entries[peer] == nil, entries.count >= Limits.knownPeers { forgetOldest() }
        entries[peer, default: Entry()].addresses = Array(addresses.prefix(Limits.addressesPerPeer))
        entries[peer]?.lastSeen = now
    }

    func addresses(of peer: PeerID) -> [Multiaddr] { entries[peer]?.addresses ?? [] }

    mutating func nextRecordSequence() -> UInt64 {
        recordSequence += 1
        return recordSequence
    }

    private mutating func forgetOldest() {
        let gone = entries.filter { !$0.value.isConnected }.min { $0.value.lastSeen < $1.value.lastSeen }
        if let gone { entries[gone.key] = nil }
    }
}
