package import NIOCore
package import Wire

/// A peer in a hop or stop message.
package struct RelayPeer: Hashable, Sendable {
    package let id: PeerID
    /// At most ``Limits/relayMessageAddresses``; those that cannot be read are left out.
    package var addresses: [Multiaddr]

    package init(_ id: PeerID, addresses: [Multiaddr] = []) { (self.id, self.addresses) = (id, addresses) }

    init(protobuf message: ByteBuffer) throws(ProtobufError) {
        var id: PeerID?
        var addresses: [Multiaddr] = []
        var reader = ProtobufReader(message)
        while let field = try reader.next() {
            switch field.number {
            case 1:
                guard let peer = try? PeerID(bytes: try field.bytes.readableBytesView) else {
                    throw .invalidValue(field: 1)
                }
                id = peer
            case 2: Multiaddr.read(try field.bytes, into: &addresses)
            default: break
            }
        }
        guard let id else { throw .missing(field: 1) }
        self.init(id, addresses: addresses)
    }

    var protobuf: ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeProtobuf(field: 1, bytes: id.bytes)
        for address in addresses { buffer.writeProtobuf(field: 2, bytes: address.bytes) }
        return buffer
    }
}

/// What a relay grants.
package struct RelayReservation: Hashable, Sendable {
    /// When it ends, in seconds since 1970.
    package var expires: UInt64
    /// Where the relay can be reached; at most ``Limits/relayMessageAddresses``.
    package var addresses: [Multiaddr]
    /// A signed envelope around a ``ReservationVoucher``.
    package var voucher: ByteBuffer?

    package init(expires: UInt64, addresses: [Multiaddr] = [], voucher: ByteBuffer? = nil) {
        (self.expires, self.addresses, self.voucher) = (expires, addresses, voucher)
    }

    init(protobuf message: ByteBuffer) throws(ProtobufError) {
        self.init(expires: 0)
        var reader = ProtobufReader(message)
        while let field = try reader.next() {
            switch field.number {
            case 1: expires = try field.varint
            case 2: Multiaddr.read(try field.bytes, into: &addresses)
            case 3: voucher = try field.bytes
            default: break
            }
        }
    }

    var protobuf: ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeProtobuf(field: 1, varint: expires)
        for address in addresses { buffer.writeProtobuf(field: 2, bytes: address.bytes) }
        if let voucher { buffer.writeProtobuf(field: 3, bytes: voucher) }
        return buffer
    }
}

extension Multiaddr {
    /// Adds an address of a remote's list, when it can be read and the list is not full.
    fileprivate static func read(_ bytes: ByteBuffer, into list: inout [Multiaddr]) {
        guard list.count < Limits.relayMessageAddresses, let address = try? Multiaddr(bytes: bytes) else { return }
        list.append(address)
    }
}

extension RelayLimit {
    init(protobuf message: ByteBuffer) throws(ProtobufError) {
        self.init(seconds: 0, bytes: 0)
        var reader = ProtobufReader(message)
        while let field = try reader.next() {
            switch field.number {
            // A duration that is no 32-bit number stands for one that never comes.
            case 1: seconds = UInt32(exactly: try field.varint) ?? 0
            case 2: bytes = try field.varint
            default: break
            }
        }
    }

    var protobuf: ByteBuffer {
        var buffer = ByteBuffer()
        if seconds != 0 { buffer.writeProtobuf(field: 1, varint: UInt64(seconds)) }
        if bytes != 0 { buffer.writeProtobuf(field: 2, varint: bytes) }
        return buffer
    }

    /// Whether it bounds anything.
    package var isBounded: Bool { seconds != 0 || bytes != 0 }
}
