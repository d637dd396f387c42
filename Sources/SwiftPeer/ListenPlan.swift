import Glibc
import Wire

/// Where to listen when the user names no address: all transports of this version on one port.
///
/// That is TCP, on IPv4 and, where the machine has it, on IPv6.
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
        let isFree = Self.isFree(settings.port)
        notice = isFree ? nil : "port \(settings.port) is taken: listening on a free one instead"
        let port = isFree ? settings.port : 0
        let hosts = Self.hasIPv6 ? ["/ip4/0.0.0.0", "/ip6/::"] : ["/ip4/0.0.0.0"]
        addresses = hosts.compactMap { try? Multiaddr("\($0)/tcp/\(port)") }
    }

    /// Whether a socket of IPv6 can be bound at all: kernels may come without it.
    private static var hasIPv6: Bool {
        let descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size)) == 0
            }
        }
    }

    /// Binds as the runtime will, and lets go again.
    private static func isFree(_ port: UInt16) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        // Without a descriptor the runtime says better what is wrong.
        guard descriptor >= 0 else { return true }
        defer { close(descriptor) }
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                // Binding alone may succeed beside a socket that listens; listening too does not.
                bind(descriptor, $0, size) == 0 && listen(descriptor, 1) == 0
            } || errno != EADDRINUSE
        }
    }
}
