package import Wire

/// How far an address that somebody names may reach.
///
/// Who was met on the public network has no say about private ones: its answers would make us knock at doors of the
/// networks we happen to be in. Who was met on a private network may name that network's addresses too, who was met
/// on this machine those of the machine.
package enum AddressScope: Int, Comparable, Sendable {
    /// Addresses that are reachable from anywhere.
    case world
    /// Those, and private and link-local ones.
    case network
    /// All of those, and loopback.
    case machine

    /// The scope of what a peer says that is reached by this address; a relayed one is met in the world.
    package init(metAt address: Multiaddr) {
        guard let ip = address.ip, !address.isCircuit else {
            self = .world
            return
        }
        self = Self(of: ip)
    }

    /// The narrowest scope that an address needs.
    private init(of ip: IPAddress) {
        self = ip.isLoopback ? .machine : ip.isPrivate || ip.isLinkLocal ? .network : .world
    }

    package static func < (left: AddressScope, right: AddressScope) -> Bool { left.rawValue < right.rawValue }

    /// Whether an address may be kept: it starts with a number, leads somewhere, and lies within the scope.
    ///
    /// Names are refused: strangers have no say about which ones we look up.
    package func admits(_ address: Multiaddr) -> Bool {
        guard let ip = address.ip, !ip.isUnspecified, !ip.isMulticast else { return false }
        let needed = Self(of: ip)
        guard needed <= self, needed > .world || ip.isPublic else { return false }
        if case .unsupported = address.dialTarget { return false }
        return true
    }
}
