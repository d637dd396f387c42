import Glibc
import Runtime
import Wire

/// Where to listen when the user names no address: all transports of this version, on one port number.
///
/// That is TCP, on the same sockets WebSocket and, with a certificate, WebSocket over TLS, and WebRTC-direct on UDP,
/// each on IPv4 and, where the machine has it, on IPv6. The number is one that is free for all of them when this looks; whoever takes it in between makes the start fail, as if it had been asked
/// for.
struct ListenPlan {
    /// What to listen on.
    let addresses: [Multiaddr]
    /// Why it is another port than was asked for.
    let notice: String?

    /// The user's addresses, or the defaults on a port that is free.
    init(_ settings: Settings) {
        if let listen = settings.listen {
            addresses = listen
            notice = nil
            return
        }
        let families = [Family.ip4, .ip6].filter(\.isThere)
        if settings.port != 0, Self.isFree(settings.port, families) {
            addresses = Self.addresses(settings.port, families, settings.security.hasCertificate)
            notice = nil
        } else {
            addresses = Self.addresses(
                Self.freePort(families), families, settings.security.hasCertificate)
            notice = settings.port == 0 ? nil : "port \(settings.port) is taken: listening on a free one instead"
        }
    }

    private static func addresses(_ port: UInt16, _ families: [Family], _ isSecure: Bool) -> [Multiaddr] {
        let tcp = families.map { "\($0.anyAddress)/tcp/\(port)" }
        let udp = families.map { "\($0.anyAddress)/udp/\(port)/webrtc-direct" }
        let webSocket = tcp.map { "\($0)/ws" }
        let secure = isSecure ? tcp.map { "\($0)/tls/ws" } : []
        return (tcp + udp + webSocket + secure).compactMap { try? Multiaddr($0) }
    }

    /// A port that nobody has, for TCP or UDP; 0, and with it a different one for each, when none is found soon.
    private static func freePort(_ families: [Family]) -> UInt16 {
        for _ in 0..<16 {
            // What the system gives out for one of the four is free for the others nearly always.
            guard let probe = PortProbe(.ip4, SOCK_DGRAM), probe.bind(0), let port = probe.port else { return 0 }
            probe.close()
            if isFree(port, families) { return port }
        }
        return 0
    }

    private static func isFree(_ port: UInt16, _ families: [Family]) -> Bool {
        families.allSatisfy { family in
            [SOCK_STREAM, SOCK_DGRAM].allSatisfy { kind in
                // Without a descriptor the runtime says better what is wrong.
                guard let probe = PortProbe(family, kind) else { return true }
                defer { probe.close() }
                return probe.bind(port)
            }
        }
    }
}

/// A version of the Internet Protocol.
private enum Family {
    case ip4, ip6

    /// Every address of the machine.
    var anyAddress: String { self == .ip4 ? "/ip4/0.0.0.0" : "/ip6/::" }

    /// Whether a socket can be bound at all: kernels may come without IPv6.
    var isThere: Bool {
        guard self == .ip6 else { return true }
        guard let probe = PortProbe(.ip6, SOCK_STREAM) else { return false }
        defer { probe.close() }
        return probe.bind(0)
    }
}

/// A socket that is bound as the runtime will bind its own, and let go again.
private struct PortProbe {
    private let descriptor: Int32
    private let family: Family
    private let isStream: Bool

    init?(_ family: Family, _ kind: __socket_type) {
        descriptor = socket(family == .ip4 ? AF_INET : AF_INET6, Int32(kind.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        self.family = family
        isStream = kind == SOCK_STREAM
        var one: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        // For UDP it would let two share one port.
        if isStream { setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, size) }
        if family == .ip6 { setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &one, size) }
    }

    func close() { Glibc.close(descriptor) }

    /// False when somebody else has the port.
    func bind(_ port: UInt16) -> Bool {
        let isBound: Bool
        switch family {
        case .ip4:
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            isBound = bind(&address)
        case .ip6:
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            isBound = bind(&address)
        }
        // Binding alone may succeed beside a socket that listens; listening too does not.
        return (isBound && (!isStream || listen(descriptor, 1) == 0)) || (errno != EADDRINUSE && port != 0)
    }

    private func bind<Address>(_ address: inout Address) -> Bool {
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<Address>.size)) == 0
            }
        }
    }

    /// The port it is bound to.
    var port: UInt16? {
        var address = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isKnown = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) == 0 }
        }
        return isKnown ? UInt16(bigEndian: address.sin_port) : nil
    }
}
