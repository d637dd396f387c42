import Glibc
import NIOCore
import Wire

/// An address of IP and port as the kernel has it: `sockaddr_in` or `sockaddr_in6`, made from and to numbers.
///
/// By offsets and not by their fields: which module these structs are from, Glibc or NIO's own of C, hangs on what else
/// the compiler happens to build together with this file, and the fields can only be named where it is known.
struct SocketName {
    /// `family 16 | port 16 | address 32 | zero 64` and `family 16 | port 16 | flow 32 | address 128 | scope 32`.
    fileprivate static let lengthOfIPv4 = 16
    fileprivate static let addressOfIPv4 = 4
    fileprivate static let lengthOfIPv6 = 28
    fileprivate static let addressOfIPv6 = 8

    private var storage = sockaddr_storage()
    private var length = socklen_t(MemoryLayout<sockaddr_storage>.size)

    /// Room for a name that the kernel fills in.
    init() {}

    /// The name of an address; no zone, so that a link-local IPv6 address cannot be sent to.
    init(_ address: TransportAddress) {
        let (family, count, offset) =
            switch address.ip {
            case .v4: (AF_INET, Self.lengthOfIPv4, Self.addressOfIPv4)
            case .v6: (AF_INET6, Self.lengthOfIPv6, Self.addressOfIPv6)
            }
        length = socklen_t(count)
        withUnsafeMutableBytes(of: &storage) { bytes in
            bytes.storeBytes(of: sa_family_t(family), as: sa_family_t.self)
            bytes.storeBytes(of: address.port.bigEndian, toByteOffset: 2, as: UInt16.self)
            switch address.ip {
            case .v4(let ip): bytes.storeBytes(of: ip.number.bigEndian, toByteOffset: offset, as: UInt32.self)
            case .v6(let ip):
                bytes.storeBytes(of: ip.high.bigEndian, toByteOffset: offset, as: UInt64.self)
                bytes.storeBytes(of: ip.low.bigEndian, toByteOffset: offset + 8, as: UInt64.self)
            }
        }
    }

    /// What the kernel filled in; nil for another family.
    var address: TransportAddress? { withUnsafeBytes(of: storage) { TransportAddress($0) } }

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
    /// Reads a `sockaddr_in` or `sockaddr_in6` by its layout; nil for another family.
    fileprivate init?(_ name: UnsafeRawBufferPointer) {
        func load<Number: FixedWidthInteger>(_ offset: Int, as: Number.Type) -> Number {
            Number(bigEndian: name.loadUnaligned(fromByteOffset: offset, as: Number.self))
        }
        let port = load(2, as: UInt16.self)
        switch CInt(name.loadUnaligned(as: sa_family_t.self)) {
        case AF_INET where name.count >= SocketName.lengthOfIPv4:
            self.init(.v4(IPv4Address(load(SocketName.addressOfIPv4, as: UInt32.self))), port: port)
        case AF_INET6 where name.count >= SocketName.lengthOfIPv6:
            let offset = SocketName.addressOfIPv6
            self.init(
                .v6(IPv6Address(high: load(offset, as: UInt64.self), low: load(offset + 8, as: UInt64.self))),
                port: port)
        default: return nil
        }
    }

    /// NIO's form of an address, read by its numbers; nil for a Unix socket.
    init?(_ address: SocketAddress) {
        switch address {
        case .v4(let address): self.init(name: address.address)
        case .v6(let address): self.init(name: address.address)
        case .unixDomainSocket: return nil
        }
    }

    private init?<Name>(name: Name) {
        guard let address = withUnsafeBytes(of: name, { TransportAddress($0) }) else { return nil }
        self = address
    }
}
