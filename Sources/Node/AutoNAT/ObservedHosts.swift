import OrderedCollections
package import Wire

/// Our own IP addresses as connected peers see them (identify's `observedAddr`).
///
/// One peer's word is worth nothing: an address counts when several say so, and even then it is only something to
/// ask AutoNAT about. Bounded by ``Limits/observedHosts`` and ``Limits/observers``.
package struct ObservedHosts {
    private var observers: OrderedDictionary<IPAddress, OrderedSet<PeerID>> = [:]

    package init() {}

    /// A peer says that it sees us there.
    package mutating func saw(_ ip: IPAddress, by peer: PeerID) {
        for other in observers.keys where other != ip { observers[other]?.remove(peer) }
        if observers[ip] == nil {
            observers.removeAll { $0.value.isEmpty }
            guard observers.count < Limits.observedHosts else { return }
        }
        guard observers[ip, default: []].count < Limits.observers else { return }
        observers[ip, default: []].append(peer)
    }

    /// The addresses that so many peers agree on, longest known first.
    package func agreed(by count: Int) -> [IPAddress] { observers.filter { $0.value.count >= count }.map(\.key) }
}
