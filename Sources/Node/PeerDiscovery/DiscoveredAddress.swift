import Wire

/// Which addresses that a stranger published may be dialled: those that we could have been meant to dial.
///
/// A message on the topic reaches thousands; whatever it names, all of them would connect to. So an address counts
/// only if it
/// - names no other peer than the one that signed,
/// - is a number, not a name that leads anywhere later,
/// - is public, or of a network that we are on ourselves: in the same /24 of IPv4, the same /64 of IPv6; the loopback
///   only for a node that listens nowhere else,
/// - or leads through a relay that we are connected to.
struct DiscoveredAddress {
    /// The addresses of our own interfaces, as far as we listen on them.
    private let own: [IPAddress]

    init(listening addresses: [Multiaddr]) { own = addresses.compactMap { $0.ip?.unmapped } }

    /// Whether `address`, published by `peer`, may be dialled; `isConnected` tells of relays.
    func admits(_ address: Multiaddr, of peer: PeerID, isConnected: (PeerID) -> Bool) -> Bool {
        if let named = address.peerID, named != peer { return false }
        switch address.dialTarget {
        case .tcp(.ip(let ip), let port), .webSocket(.ip(let ip), let port),
            .secureWebSocket(.ip(let ip), let port, _):
            return port > 0 && admits(ip.unmapped)
        case .webRTCDirect(let ip, let port, let certhashes):
            return port > 0 && !certhashes.isEmpty && admits(ip.unmapped)
        case .circuit(let relay, _):
            guard let relayPeer = relay.peerID, relayPeer != peer else { return false }
            return isConnected(relayPeer)
        case .tcp, .webSocket, .secureWebSocket, .quic, .webTransport, .dnsaddr, .unsupported: return false
        }
    }

    private func admits(_ ip: IPAddress) -> Bool {
        if ip.isUnspecified || ip.isMulticast || ip.isLinkLocal { return false }
        if ip.isLoopback { return !own.isEmpty && own.allSatisfy(\.isLoopback) }
        if ip.isPublic { return true }
        return ip.isPrivate && own.contains { $0.isSameVersion(as: ip) && Self.network(of: $0) == Self.network(of: ip) }
    }

    /// The bytes that neighbours share.
    private static func network(of ip: IPAddress) -> [UInt8] {
        switch ip {
        case .v4: Array(ip.bytes.prefix(3))
        case .v6: Array(ip.bytes.prefix(8))
        }
    }

    /// What of our own addresses is worth publishing: the loopback only where there is nothing else.
    static func published(_ addresses: [Multiaddr]) -> [Multiaddr] {
        let reachable = addresses.filter { $0.ip.map { !$0.isLoopback && !$0.isUnspecified } ?? true }
        return reachable.isEmpty ? addresses : reachable
    }
}
