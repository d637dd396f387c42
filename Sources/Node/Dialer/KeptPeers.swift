import NIOCore
import Wire

/// Peers that are to be connected always: when each is to be dialled again.
///
/// Bounded by ``Limits/dialKept``.
struct KeptPeers {
    struct Entry {
        /// Nil until an address that came without a name was reached.
        var peer: PeerID?
        var addresses: [Multiaddr]
        /// Failed dials and short connections in a row.
        var failures = 0
        /// When to dial; `.distantFuture` while connected or being dialled.
        var retryAt: NIODeadline
        var connectedAt: NIODeadline?
    }
    private(set) var entries: [Entry] = []

    /// A connection that stood so long makes former failures forgotten.
    private static let stable = TimeAmount.seconds(60)

    /// A peer to keep; a known one gets new addresses.
    mutating func keep(_ peer: PeerID?, _ addresses: [Multiaddr], isConnected: Bool, now: NIODeadline) {
        if let index = entries.firstIndex(where: { peer != nil ? $0.peer == peer : $0.addresses == addresses }) {
            entries[index].addresses = addresses
        } else if entries.count < Limits.dialKept {
            entries.append(
                Entry(
                    peer: peer, addresses: addresses, retryAt: isConnected ? .distantFuture : now,
                    connectedAt: isConnected ? now : nil))
        }
    }

    mutating func forget(_ peer: PeerID) { entries.removeAll { $0.peer == peer } }

    /// Entries that are due, each marked as being dialled.
    mutating func takeDue(atMost count: Int, now: NIODeadline) -> [Entry] {
        var due: [Entry] = []
        for index in entries.indices where entries[index].retryAt <= now && due.count < count {
            entries[index].retryAt = .distantFuture
            due.append(entries[index])
        }
        return due
    }

    /// A dial of `known` addresses reached `peer`, who may not have been known before.
    mutating func reached(_ peer: PeerID, by known: [Multiaddr]) {
        for index in entries.indices where entries[index].peer == nil {
            if entries[index].addresses.contains(where: known.contains) { entries[index].peer = peer }
        }
    }

    mutating func connected(_ peer: PeerID, now: NIODeadline) {
        for index in entries.indices where entries[index].peer == peer {
            entries[index].retryAt = .distantFuture
            entries[index].connectedAt = now
        }
    }

    mutating func disconnected(_ peer: PeerID, now: NIODeadline, entropy: inout Entropy) {
        for index in entries.indices where entries[index].peer == peer {
            let stood = entries[index].connectedAt.map { now - $0 >= Self.stable } ?? false
            entries[index].failures = stood ? 0 : min(30, entries[index].failures + 1)
            entries[index].connectedAt = nil
            let wait =
                stood
                ? .milliseconds(.random(in: 500...1500, using: &entropy))
                : DialBackoff.wait(after: entries[index].failures, entropy: &entropy)
            entries[index].retryAt = now + wait
        }
    }

    /// A dial failed; returns when the entry is tried again, nil when nobody waits for that peer here.
    ///
    /// An entry that can never be reached is dropped.
    mutating func failed(
        _ peer: PeerID?, _ known: [Multiaddr], isHopeless: Bool, now: NIODeadline, entropy: inout Entropy
    ) -> TimeAmount? {
        let index = entries.firstIndex { entry in
            guard entry.retryAt == .distantFuture, entry.connectedAt == nil else { return false }
            return peer != nil ? entry.peer == peer : entry.addresses.contains(where: known.contains)
        }
        guard let index else { return nil }
        if isHopeless {
            entries.remove(at: index)
            return .zero
        }
        entries[index].failures = min(30, entries[index].failures + 1)
        let wait = DialBackoff.wait(after: entries[index].failures, entropy: &entropy)
        entries[index].retryAt = now + wait
        return wait
    }

    var deadline: NIODeadline { entries.reduce(.distantFuture) { min($0, $1.retryAt) } }
}
