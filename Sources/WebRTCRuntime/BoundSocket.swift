import Glibc
import Wire

/// A UDP socket as the system makes it: bound, its buffers enlarged, offload switched on where there is any.
struct BoundSocket {
    let descriptor: CInt
    let address: TransportAddress
    /// UDP_GRO is on.
    let coalesces: Bool
    /// The kernel knows UDP_SEGMENT; an interface may still refuse.
    let segments: Bool
    /// IP_PKTINFO is on: the kernel says to which address of ours a datagram was sent.
    let tellsDestination: Bool

    init(_ wanted: TransportAddress, offload: Bool, tellsDestination: Bool) throws(DatagramSocketError) {
        let family = if case .v4 = wanted.ip { AF_INET } else { AF_INET6 }
        let type = CInt(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        descriptor = socket(family, type, 0)
        guard descriptor >= 0 else { throw DatagramSocketError(errno: errno, binding: "\(wanted)") }
        if family == AF_INET6 { Self.set(descriptor, CInt(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
        let size = CInt(Limits.datagramSocketBuffer)
        // Beyond what the administrator allows if we may, else as much as that.
        if !Self.set(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, size) { Self.set(descriptor, SOL_SOCKET, SO_RCVBUF, size) }
        if !Self.set(descriptor, SOL_SOCKET, SO_SNDBUFFORCE, size) { Self.set(descriptor, SOL_SOCKET, SO_SNDBUF, size) }
        coalesces = offload && Self.set(descriptor, ControlMessage.udp, ControlMessage.coalesced, 1)
        segments = offload && Self.set(descriptor, ControlMessage.udp, ControlMessage.segment, 0)
        let isVersion6 = family == AF_INET6
        self.tellsDestination =
            tellsDestination && wanted.ip.isUnspecified
            && Self.set(
                descriptor, CInt(isVersion6 ? IPPROTO_IPV6 : IPPROTO_IP),
                CInt(isVersion6 ? IPV6_RECVPKTINFO : IP_PKTINFO), 1)
        let failure = Self.bind(descriptor, to: wanted)
        guard failure == 0, let bound = Self.name(of: descriptor) else {
            _ = close(descriptor)
            throw DatagramSocketError(errno: failure == 0 ? EADDRNOTAVAIL : failure, binding: "\(wanted)")
        }
        address = bound
    }

    @discardableResult
    private static func set(_ descriptor: CInt, _ level: CInt, _ name: CInt, _ value: CInt) -> Bool {
        var value = value
        return setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<CInt>.size)) == 0
    }

    /// Zero, or the error's number.
    private static func bind(_ descriptor: CInt, to address: TransportAddress) -> CInt {
        var name = SocketName(address)
        return name.withPointer { Glibc.bind(descriptor, $0, $1) == 0 ? 0 : errno }
    }

    private static func name(of descriptor: CInt) -> TransportAddress? {
        var name = SocketName()
        guard name.withPointer({ getsockname(descriptor, $0, &$1) == 0 }) else { return nil }
        return name.address
    }
}
