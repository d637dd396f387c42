import Glibc
import Wire

/// Control messages of a UDP socket: their layout, because Swift does not see C's macros for it.
///
/// Two kinds each way: the segment size of a train (UDP_SEGMENT, UDP_GRO), and the address of ours that it was sent to
/// or is to be sent from (IP_PKTINFO, IPV6_PKTINFO: RFC 3542 §6).
enum ControlMessage {
    /// `SOL_UDP`.
    static let udp: CInt = 17
    /// `UDP_SEGMENT`: cut what is sent into datagrams of so many bytes.
    static let segment: CInt = 103
    /// `UDP_GRO`: couple what arrives; says the size.
    static let coalesced: CInt = 104

    /// `CMSG_LEN(0)`.
    private static let headerLength = MemoryLayout<cmsghdr>.size
    /// `struct in_pktinfo`: interface, our address, the address in the packet's header.
    private static let version4 = (length: 12, ours: 4, header: 8)
    /// `struct in6_pktinfo`: our address, interface.
    private static let version6 = (length: 20, ours: 0)

    /// What came with a train.
    struct Told {
        /// 0 when there is none.
        var segmentSize = 0
        /// Where the remote sent it to.
        var destination: IPAddress?

        init() {}

        /// Reads `length` bytes of messages as the kernel wrote them.
        init(_ control: UnsafeRawPointer, _ length: Int) {
            var offset = 0
            while offset + headerLength <= length {
                let header = control.load(fromByteOffset: offset, as: cmsghdr.self)
                let size = Int(header.cmsg_len)
                guard size >= headerLength, offset + size <= length else { return }
                take(header, control + offset + headerLength, size - headerLength)
                offset += ControlMessage.aligned(size)
            }
        }

        private mutating func take(_ header: cmsghdr, _ data: UnsafeRawPointer, _ count: Int) {
            switch (header.cmsg_level, header.cmsg_type) {
            case (udp, coalesced) where count >= MemoryLayout<CInt>.size:
                segmentSize = Int(data.load(as: CInt.self))
            case (CInt(IPPROTO_IP), CInt(IP_PKTINFO)) where count >= version4.length:
                let number = data.load(fromByteOffset: version4.header, as: UInt32.self)
                destination = .v4(IPv4Address(UInt32(bigEndian: number)))
            case (CInt(IPPROTO_IPV6), CInt(IPV6_PKTINFO)) where count >= version6.length:
                let high = data.loadUnaligned(as: UInt64.self)
                let low = data.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
                let ip = IPAddress.v6(IPv6Address(high: UInt64(bigEndian: high), low: UInt64(bigEndian: low)))
                // Without its interface it is no address to send from; the kernel knows a better one.
                if !ip.isLinkLocal { destination = ip }
            default: break
            }
        }
    }

    /// Appends a message behind `used` bytes.
    static func write(segmentSize: Int, to control: UnsafeMutableRawPointer, _ used: inout Int) {
        let data = begin(udp, segment, MemoryLayout<UInt16>.size, in: control, &used)
        data.storeBytes(of: UInt16(truncatingIfNeeded: segmentSize), as: UInt16.self)
    }

    /// Appends a message behind `used` bytes. The interface is left to the routes.
    static func write(source: IPAddress, to control: UnsafeMutableRawPointer, _ used: inout Int) {
        switch source {
        case .v4(let ip):
            let data = begin(CInt(IPPROTO_IP), CInt(IP_PKTINFO), version4.length, in: control, &used)
            data.storeBytes(of: ip.number.bigEndian, toByteOffset: version4.ours, as: UInt32.self)
        case .v6(let ip):
            let data = begin(CInt(IPPROTO_IPV6), CInt(IPV6_PKTINFO), version6.length, in: control, &used)
            data.storeBytes(of: ip.high.bigEndian, toByteOffset: version6.ours, as: UInt64.self)
            data.storeBytes(of: ip.low.bigEndian, toByteOffset: version6.ours + 8, as: UInt64.self)
        }
    }

    /// Writes a header and zeros behind it, and says where the data goes.
    private static func begin(
        _ level: CInt, _ type: CInt, _ count: Int, in control: UnsafeMutableRawPointer, _ used: inout Int
    ) -> UnsafeMutableRawPointer {
        var header = cmsghdr()
        header.cmsg_len = headerLength + count
        header.cmsg_level = level
        header.cmsg_type = type
        let start = control + used
        start.initializeMemory(as: UInt8.self, repeating: 0, count: aligned(headerLength + count))
        start.storeBytes(of: header, as: cmsghdr.self)
        used += aligned(headerLength + count)
        return start + headerLength
    }

    /// `CMSG_ALIGN`.
    private static func aligned(_ length: Int) -> Int {
        (length + MemoryLayout<Int>.size - 1) & ~(MemoryLayout<Int>.size - 1)
    }
}
