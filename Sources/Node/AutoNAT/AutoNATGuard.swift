import DequeModule
package import NIOCore
import OrderedCollections
package import Wire

/// What a server of AutoNAT allows its askers: requests in a minute and at once, from everybody and from one peer
/// (`Limits.autoNATRequests…`, go-libp2p's numbers).
///
/// Holds what happened in the last minute, which is bounded by what it allows.
package struct AutoNATGuard {
    private struct Entry {
        let peer: PeerID
        let time: NIODeadline
    }
    private var recent: Deque<Entry> = []
    private var dataRequests: Deque<NIODeadline> = []
    private var running: OrderedDictionary<PeerID, Int> = [:]

    package init() {}

    /// Whether a peer may ask now; it is counted then, until ``ended(_:)``.
    package mutating func mayAsk(_ peer: PeerID, now: NIODeadline) -> Bool {
        while let first = recent.first, first.time + .minutes(1) <= now { recent.removeFirst() }
        guard recent.count < Limits.autoNATRequestsPerMinute,
            recent.count(where: { $0.peer == peer }) < Limits.autoNATRequestsPerMinuteOfPeer,
            running.values.reduce(0, +) < Limits.autoNATRequestsAtOnce,
            running[peer, default: 0] < Limits.autoNATRequestsAtOnceOfPeer
        else { return false }
        recent.append(Entry(peer: peer, time: now))
        running[peer, default: 0] += 1
        return true
    }

    /// Whether a request may go on that costs its asker data.
    package mutating func mayDemandData(now: NIODeadline) -> Bool {
        while let first = dataRequests.first, first + .minutes(1) <= now { dataRequests.removeFirst() }
        guard dataRequests.count < Limits.autoNATDataRequestsPerMinute else { return false }
        dataRequests.append(now)
        return true
    }

    /// A request that was allowed is over.
    package mutating func ended(_ peer: PeerID) {
        guard let count = running[peer] else { return }
        running[peer] = count > 1 ? count - 1 : nil
    }
}
