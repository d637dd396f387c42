package import NIOCore
package import Wire

/// `HolePunch { type = 1 required enum; ObsAddrs = 2 repeated bytes }` (libp2p/specs DCUtR).
///
/// Addresses that cannot be read are skipped; of more than ``Limits/holePunchAddressesRead`` the rest is ignored.
package struct HolePunchMessage: Equatable {
    /// The numbers of the wire.
    package enum Kind: UInt64 {
        case connect = 100
        case sync = 300
    }
    package let kind: Kind
    package var addresses: [Multiaddr] = []

    package init(_ kind: Kind, addresses: [Multiaddr] = []) {
        (self.kind, self.addresses) = (kind, addresses)
    }

    /// Reads a message, without its length.
    package init(protobuf message: ByteBuffer) throws(ProtobufError) {
        var reader = ProtobufReader(message)
        var number: UInt64?
        var read = 0
        while let field = try reader.next() {
            switch field.number {
            case 1: number = try field.varint
            case 2:
                let bytes = try field.bytes
                read += 1
                guard read <= Limits.holePunchAddressesRead, let address = try? Multiaddr(bytes: bytes) else { break }
                addresses.append(address)
            default: break
            }
        }
        guard let number else { throw .missing(field: 1) }
        guard let kind = Kind(rawValue: number) else { throw .invalidValue(field: 1) }
        self.kind = kind
    }

    /// The message with its length.
    package func frame() -> ByteBuffer {
        var body = ByteBuffer()
        body.writeProtobuf(field: 1, varint: kind.rawValue)
        for address in addresses { body.writeProtobuf(field: 2, bytes: address.bytes) }
        var frame = ByteBuffer()
        frame.writeFrame(body)
        return frame
    }
}

/// Why two peers did not agree on a moment to dial each other; ends the stream, not the connection.
package enum HolePunchError: Error, Equatable {
    case timedOut
    /// The stream ended too early, or the peer does not speak the protocol.
    case closed
    /// A length that is no varint, or above ``Limits/holePunchMessage``.
    case framing(FramingError)
    case malformed(ProtobufError)
    /// CONNECT where SYNC belongs, or the reverse.
    case unexpected
}

extension ByteBuffer {
    /// Reads one message of the stream; nil while it is not all there.
    mutating func readHolePunchMessage() throws(HolePunchError) -> HolePunchMessage? {
        let frame: ByteBuffer?
        do throws(FramingError) { frame = try readFrame(limit: Limits.holePunchMessage) } catch {
            throw .framing(error)
        }
        guard let frame else { return nil }
        do throws(ProtobufError) { return try HolePunchMessage(protobuf: frame) } catch { throw .malformed(error) }
    }
}
