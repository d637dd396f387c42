import NIOCore
package import Wire

/// Networks behind translators, and what becomes of addresses between them.
///
/// Network 0 is public. Every other lies behind a NAT, which stands in the public network or behind another NAT
/// (carrier-grade over home). An address lives in one network and is reached from there and from networks behind it;
/// addresses that were never placed are public. Translation outwards happens when a datagram leaves, inwards when it
/// arrives: what the inside sends in between opens the way.
package struct VirtualInternet: Sendable {
    /// Names a network.
    package typealias NetworkID = Int

    /// A datagram between two networks.
    struct Transit {
        let source: TransportAddress
        let target: TransportAddress
    }

    private var nats: [NAT] = []
    /// The network that each NAT stands in.
    private var outer: [NetworkID] = []
    private var homes: [IPAddress: NetworkID] = [:]
    /// The NATs by their outside addresses.
    private var owners: [IPAddress: Int] = [:]

    package init() {}

    /// The network that everybody reaches.
    package static let publicNetwork: NetworkID = 0

    /// Adds a NAT: its outside is `10.1.0.<network>`, its inside the network returned.
    package mutating func addNAT(_ behaviour: NATBehaviour, behind network: NetworkID = publicNetwork) -> NetworkID {
        let inside = nats.count + 1
        let ip = outsideAddress(of: inside)
        nats.append(NAT(behaviour, outside: ip))
        outer.append(network)
        homes[ip] = network
        owners[ip] = inside - 1
        return inside
    }

    /// The outside address of the NAT before a network.
    package func outsideAddress(of network: NetworkID) -> IPAddress {
        .v4(IPv4Address(0x0A01_0000 + UInt32(truncatingIfNeeded: network)))
    }

    /// Puts an address into a network, or moves it there.
    package mutating func place(_ ip: IPAddress, in network: NetworkID) { homes[ip] = network }

    /// Where an address lives.
    package func network(of ip: IPAddress) -> NetworkID { homes[ip] ?? Self.publicNetwork }

    /// The NAT before a network loses its mappings.
    package mutating func reset(natOf network: NetworkID) {
        guard nats.indices.contains(network - 1) else { return }
        nats[network - 1].forget()
    }

    /// A datagram leaves: on its way, or nil when there is none.
    mutating func left(from source: TransportAddress, to target: TransportAddress, now: NIODeadline) -> Transit? {
        var source = source
        var network = network(of: source.ip)
        while network != self.network(of: target.ip) {
            guard network > Self.publicNetwork else { return nil }
            let nat = nats[network - 1]
            if target.ip == nat.outside, !nat.behaviour.hairpins { return nil }
            guard let seen = nats[network - 1].left(from: source, to: target, now: now) else { return nil }
            source = seen
            network = outer[network - 1]
        }
        return Transit(source: source, target: target)
    }

    /// A datagram comes to where it was sent: whom it is for inside, and from whom; nil when a NAT drops it.
    func arrived(_ transit: Transit, now: NIODeadline) -> TransportAddress? {
        var target = transit.target
        while let owner = owners[target.ip] {
            // Who moved away is not found at home, though the mapping stands.
            guard let inside = nats[owner].arrived(from: transit.source, at: target.port, now: now),
                network(of: inside.ip) == owner + 1
            else { return nil }
            target = inside
        }
        return target
    }

    /// Whom the other end of a TCP connection sees; nil when there is no way.
    package func seenByTCP(from source: IPAddress, to target: IPAddress) -> IPAddress? {
        var (seen, network) = (source, network(of: source))
        while network != self.network(of: target) {
            guard network > Self.publicNetwork else { return nil }
            seen = nats[network - 1].outside
            network = outer[network - 1]
        }
        return owners[target] == nil ? seen : nil
    }
}
