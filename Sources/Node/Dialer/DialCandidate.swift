import NIOCore
import Wire

/// An address that can be tried, and how early.
struct DialCandidate: Equatable {
    /// How near an address is; near ones are tried first and given up sooner.
    enum Distance: Int { case machine, network, world }

    /// Without `/p2p`.
    let address: Multiaddr
    let distance: Distance
    /// Lower is earlier.
    let rank: Int

    /// Plans an attempt, or says in plain words why there can be none.
    ///
    /// The order follows go-libp2p's dial ranker: this machine, this network, the rest of the world, there IPv6 first.
    /// Each shape that a later version can dial gets its line here.
    static func plan(_ address: Multiaddr) -> Result<DialCandidate, DialRefusal> {
        switch address.dialTarget {
        case .tcp(.ip(let ip), let port):
            if ip.isUnspecified || ip.isMulticast { return refuse("\(ip) is nobody's address") }
            if port == 0 { return refuse("port 0 cannot be dialled") }
            let isVersion4 = if case .v4 = ip.unmapped { true } else { false }
            if ip.isLoopback { return .success(.init(address: address, distance: .machine, rank: isVersion4 ? 0 : 1)) }
            if ip.isPrivate || ip.isLinkLocal {
                return .success(.init(address: address, distance: .network, rank: isVersion4 ? 2 : 3))
            }
            return .success(.init(address: address, distance: .world, rank: isVersion4 ? 5 : 4))
        case .tcp, .dnsaddr: return refuse("the name was not resolved")
        case .webSocket, .secureWebSocket: return refuse(missing("WebSocket"))
        case .webRTCDirect: return refuse(missing("webrtc-direct"))
        case .quic: return refuse(missing("QUIC"))
        case .webTransport: return refuse(missing("WebTransport"))
        case .circuit(_, webRTC: true): return refuse(missing("webrtc"))
        case .circuit(_, webRTC: false): return refuse(missing("dialling through a relay"))
        case .unsupported: return refuse("no transport leads to such an address")
        }
    }

    private static func missing(_ transport: String) -> String { "\(transport) is not available in this version" }

    private static func refuse(_ words: String) -> Result<DialCandidate, DialRefusal> {
        .failure(DialRefusal(words: words))
    }

    /// How long the next attempt waits for this one.
    var stagger: TimeAmount { distance == .world ? .milliseconds(250) : .milliseconds(30) }
    /// How long this one may take.
    var timeout: TimeAmount { distance == .world ? Limits.dialTimeout : Limits.dialTimeoutLocal }
}

/// Why an address cannot be tried at all.
struct DialRefusal: Error, Equatable {
    let words: String
}

/// Where this peer itself listens, to tell its own addresses from others.
struct OwnAddresses {
    private var targets: Set<DialTarget> = []

    init(_ addresses: [Multiaddr] = []) { targets = Set(addresses.map(\.dialTarget)) }

    /// Whether an address leads back here: one that is listened on, or any of this machine at the port of a wildcard.
    func contain(_ address: Multiaddr) -> Bool {
        let target = address.dialTarget
        if target != .unsupported, targets.contains(target) { return true }
        guard case .tcp(.ip(let ip), let port) = target, ip.isLoopback || ip.isUnspecified else { return false }
        return targets.contains { own in
            guard case .tcp(.ip(let listening), port) = own else { return false }
            return listening.isUnspecified || (ip.isUnspecified && listening.isLoopback)
        }
    }
}
