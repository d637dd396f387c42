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
    /// Whether it leads through a relay, which takes its time.
    var isRelayed = false

    /// Plans an attempt, or says in plain words why there can be none.
    ///
    /// The order follows go-libp2p's dial ranker: this machine, this network, the rest of the world, there IPv6 first.
    /// Each shape that a later version can dial gets its line here.
    static func plan(_ address: Multiaddr) -> Result<DialCandidate, DialRefusal> {
        switch address.dialTarget {
        case .tcp(.ip(let ip), let port): return plan(address, at: ip, port: port, choice: 0)
        case .webSocket(.ip(let ip), let port): return plan(address, at: ip, port: port, choice: 1)
        case .secureWebSocket(.ip(let ip), let port, _): return plan(address, at: ip, port: port, choice: 2)
        case .webRTCDirect(let ip, let port, let hashes):
            if hashes.isEmpty { return refuse("a webrtc-direct address needs a certhash to be dialled") }
            guard hashes[0].code == Multihash.sha256 else {
                return refuse("only certhashes of sha2-256 are understood")
            }
            return plan(address, at: ip, port: port, choice: 3)
        case .tcp, .webSocket, .secureWebSocket, .dnsaddr: return refuse("the name was not resolved")
        case .quic: return refuse(missing("QUIC"))
        case .webTransport: return refuse(missing("WebTransport"))
        case .circuit(let relay, webRTC: true):
            // Through the relay first: a direct connection follows when both ends signal.
            guard let circuit = try? relay.appending(Multiaddr.Component.p2pCircuit) else {
                return refuse("no transport leads to such an address")
            }
            return .success(.init(address: circuit, distance: .world, rank: 100, isRelayed: true))
        case .circuit(_, webRTC: false):
            // A relay costs everybody something: only when nothing leads there directly.
            return .success(.init(address: address, distance: .world, rank: 100, isRelayed: true))
        case .unsupported: return refuse("no transport leads to such an address")
        }
    }

    /// To the same place TCP goes before WebSocket, that before the same over TLS, and all before WebRTC: each needs
    /// fewer round trips and carries more than the next.
    private static func plan(
        _ address: Multiaddr, at ip: IPAddress, port: UInt16, choice: Int
    ) -> Result<DialCandidate, DialRefusal> {
        if ip.isUnspecified || ip.isMulticast { return refuse("\(ip) is nobody's address") }
        if port == 0 { return refuse("port 0 cannot be dialled") }
        let isVersion4 = if case .v4 = ip.unmapped { true } else { false }
        let (distance, rank): (Distance, Int) =
            if ip.isLoopback {
                (.machine, isVersion4 ? 0 : 1)
            } else if ip.isPrivate || ip.isLinkLocal {
                (.network, isVersion4 ? 2 : 3)
            } else {
                (.world, isVersion4 ? 5 : 4)
            }
        return .success(.init(address: address, distance: distance, rank: rank * 4 + choice))
    }

    private static func missing(_ transport: String) -> String { "\(transport) is not available in this version" }

    private static func refuse(_ words: String) -> Result<DialCandidate, DialRefusal> {
        .failure(DialRefusal(words: words))
    }

    /// How long the next attempt waits for this one.
    var stagger: TimeAmount { distance == .world ? .milliseconds(250) : .milliseconds(30) }
    /// How long this one may take.
    var timeout: TimeAmount {
        if isRelayed { return Limits.relayDialTimeout }
        return distance == .world ? Limits.dialTimeout : Limits.dialTimeoutLocal
    }
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
        guard let place = Place(target), place.ip.isLoopback || place.ip.isUnspecified else { return false }
        return targets.contains { own in
            guard let own = Place(own), own.port == place.port, own.isUDP == place.isUDP else { return false }
            return own.ip.isUnspecified || (place.ip.isUnspecified && own.ip.isLoopback)
        }
    }

    /// The socket behind a target that names one by number.
    private struct Place {
        let ip: IPAddress
        let port: UInt16
        let isUDP: Bool

        init?(_ target: DialTarget) {
            switch target {
            case .tcp(.ip(let ip), let port), .webSocket(.ip(let ip), let port),
                .secureWebSocket(.ip(let ip), let port, _):
                (self.ip, self.port, isUDP) = (ip, port, false)
            case .webRTCDirect(let ip, let port, _): (self.ip, self.port, isUDP) = (ip, port, true)
            default: return nil
            }
        }
    }
}
