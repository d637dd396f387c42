import Glibc
import NIOCore
import Wire

/// An address of IP and port as the kernel has it: `sockaddr_in` or `sockaddr_in6`, made from and to numbers.
struct SocketName {
    private var storage = sockaddr_storage()
    private var length = socklen_t(MemoryLayout<sockaddr_storage>.size)

    /// Room for a name that the kernel fills in.
    init() {}

    /// The name of an address; no zone, so that a link-local IPv6 address cannot be sent to.
    init(_ address: TransportAddress) {
        switch address.ip {
        case .v4(let ip):
            var name = sockaddr_in()
            name.sin_family = sa_family_t(AF_INET)
            name.sin_port = address.port.bigEndian
            name.sin_addr.s_addr = ip.number.bigEndian
            length = socklen_t(MemoryLayout<sockaddr_in>.size)
            withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: name, as: sockaddr_in.self) }
        case .v6(let ip):
            var name = sockaddr_in6()
            name.sin6_family = sa_family_t(AF_INET6)
            name.sin6_port = address.port.bigEndian
            withUnsafeMutableBytes(of: &name.sin6_addr) { bytes in
                bytes.storeBytes(of: ip.high.bigEndian, as: UInt64.self)
                bytes.storeBytes(of: ip.low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            length = socklen_t(MemoryLayout<sockaddr_in6>.size)
            withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: name, as: sockaddr_in6.self) }
        }
    }

    /// What the kernel filled in; nil for another family.
    var address: TransportAddress? {
        withUnsafeBytes(of: storage) { bytes in
            switch CInt(storage.ss_family) {
            case AF_INET: TransportAddress(bytes.load(as: sockaddr_in.self))
            case AF_INET6: TransportAddress(bytes.load(as: sockaddr_in6.self))
            default: nil
            }
        }
    }

    /// The name where C wants it, with its length.
    mutating func withPointer<Result>(_ body: (UnsafeMutablePointer<sockaddr>, inout socklen_t) -> Result) -> Result {
        withUnsafeMutableBytes(of: &storage) { bytes in
            bytes.withMemoryRebound(to: sockaddr.self) { names in
                guard let name = names.baseAddress else {
                    preconditionFailure("a struct with fields has an address, whatever a remote sends")
                }
                return body(name, &length)
            }
        }
    }
}

extension TransportAddress {
    fileprivate init(_ name: sockaddr_in) {
        self.init(
            .v4(IPv4Address(UInt32(bigEndian: name.sin_addr.s_addr))), port: UInt16(bigEndian: name.sin_port))
    }

    fileprivate init(_ name: sockaddr_in6) {
        let (high, low) = withUnsafeBytes(of: name.sin6_addr) {
            ($0.load(as: UInt64.self), $0.load(fromByteOffset: 8, as: UInt64.self))
        }
        self.init(
            .v6(IPv6Address(high: UInt64(bigEndian: high), low: UInt64(bigEndian: low))),
            port: UInt16(bigEndian: name.sin6_port))
    }

    /// NIO's form of an address, read by its numbers; nil for a Unix socket.
    init?(_ address: SocketAddress) {
        switch address {
        case .v4(let address): self.init(address.address)
        case .v6(let address): self.init(address.address)
        case .unixDomainSocket: return nil
        }
    }
}
