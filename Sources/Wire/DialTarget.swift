/// The machine at the start of a multiaddr.
package enum Host: Hashable, Sendable, CustomStringConvertible {
    case ip(IPAddress)
    /// A name with addresses of either version.
    case dns(String)
    /// A name with addresses of version 4.
    case dns4(String)
    /// A name with addresses of version 6.
    case dns6(String)

    /// The host of a multiaddr's first component.
    init?(_ component: Multiaddr.Component) {
        switch component.code {
        case .ip4, .ip6:
            guard let ip = component.ip else { return nil }
            self = .ip(ip)
        case .dns: self = .dns(component.text)
        case .dns4: self = .dns4(component.text)
        case .dns6: self = .dns6(component.text)
        default: return nil
        }
    }

    /// The name, when it is one.
    package var name: String? {
        switch self {
        case .ip: nil
        case .dns(let name), .dns4(let name), .dns6(let name): name
        }
    }

    /// The number or the name.
    package var description: String {
        switch self {
        case .ip(let address): address.description
        case .dns(let name), .dns4(let name), .dns6(let name): name
        }
    }
}

/// What a multiaddr asks a transport to do: the shapes peers of this network use, by name.
///
/// The peer at the end is ``Multiaddr/peerID``. A name is left a name: ``AddressResolver`` makes numbers of it.
package enum DialTarget: Hashable, Sendable {
    /// `H/tcp/P`.
    case tcp(Host, port: UInt16)
    /// `H/tcp/P/ws`.
    case webSocket(Host, port: UInt16)
    /// `H/tcp/P/tls/ws`, `…/wss`, `…/tls/sni/NAME/ws`: `serverName` is the name to ask for and to check, from the
    /// `sni` or else the host.
    case secureWebSocket(Host, port: UInt16, serverName: String?)
    /// `H/udp/P/webrtc-direct` with the hashes of the certificates it may show; a listener's own address may lack
    /// them, and then cannot be dialled. Hosts that are names are refused by everybody.
    case webRTCDirect(IPAddress, port: UInt16, certhashes: [Multihash])
    /// `H/udp/P/quic-v1`.
    case quic(Host, port: UInt16)
    /// `H/udp/P/quic-v1/webtransport`.
    case webTransport(Host, port: UInt16, certhashes: [Multihash])
    /// `<relay>/p2p/R/p2p-circuit`, or with `/webrtc` behind it. `relay` ends in `/p2p/R`, and may be only that.
    case circuit(relay: Multiaddr, webRTC: Bool)
    /// `/dnsaddr/NAME`: the name of a list of addresses.
    case dnsaddr(String)
    /// Anything else, however valid.
    case unsupported
}

extension Multiaddr {
    /// The shape of this address.
    package var dialTarget: DialTarget {
        var rest = components[...]
        if rest.contains(where: { $0.code == .p2pCircuit }) { return Self.circuit(rest) }
        if rest.last?.code == .p2p { rest.removeLast() }
        guard let first = rest.popFirst() else { return .unsupported }
        if first.code == .dnsaddr { return rest.isEmpty ? .dnsaddr(first.text) : .unsupported }
        guard let host = Host(first), let port = rest.first?.port else { return .unsupported }

        var certhashes: [Multihash] = []
        while let hash = rest.last?.certhash {
            certhashes.insert(hash, at: 0)
            rest.removeLast()
        }
        let shape = rest.map(\.code)
        guard certhashes.isEmpty || shape.last == .webRTCDirect || shape.last == .webTransport else {
            return .unsupported
        }
        switch shape {
        case [.tcp]: return .tcp(host, port: port)
        case [.tcp, .ws]: return .webSocket(host, port: port)
        case [.tcp, .wss], [.tcp, .tls, .ws]:
            return .secureWebSocket(host, port: port, serverName: host.name)
        case [.tcp, .tls, .sni, .ws]:
            return .secureWebSocket(host, port: port, serverName: rest.dropLast().last?.text)
        case [.udp, .quicV1]: return .quic(host, port: port)
        case [.udp, .quicV1, .webTransport]: return .webTransport(host, port: port, certhashes: certhashes)
        case [.udp, .webRTCDirect]:
            guard case .ip(let address) = host else { return .unsupported }
            return .webRTCDirect(address, port: port, certhashes: certhashes)
        default: return .unsupported
        }
    }

    private static func circuit(_ components: ArraySlice<Component>) -> DialTarget {
        guard let index = components.firstIndex(where: { $0.code == .p2pCircuit }),
            components[..<index].last?.code == .p2p, let relay = try? Multiaddr(components[..<index])
        else { return .unsupported }
        switch components[(index + 1)...].map(\.code) {
        case [], [.p2p]: return .circuit(relay: relay, webRTC: false)
        case [.webRTC], [.webRTC, .p2p]: return .circuit(relay: relay, webRTC: true)
        default: return .unsupported
        }
    }
}
