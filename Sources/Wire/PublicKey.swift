package import NIOCore

/// A peer's public key: what signatures are checked with and what its ``PeerID`` is made of.
///
/// libp2p/specs peer-ids: a protobuf of a type and the key's bytes.
public struct PublicKey: Hashable, Sendable {
    /// Key types and their numbers on the wire.
    public enum Kind: UInt64, Sendable, CaseIterable {
        case rsa = 0
        case ed25519 = 1
        case secp256k1 = 2
        case ecdsa = 3
    }
    /// The key's type.
    public let kind: Kind
    /// The key as its type writes it: 32 raw bytes, 33 compressed, or a SubjectPublicKeyInfo in DER.
    package let data: [UInt8]

    /// A key from bytes that are known to be one, or that a test wants to be none: nothing is checked here, and
    /// ``isValid(signature:of:)`` is false for a key that is none.
    package init(kind: Kind, data: [UInt8]) {
        self.kind = kind
        self.data = data
    }

    /// Reads the protobuf `PublicKey` and checks that the bytes are a key of their type.
    package init(protobuf message: ByteBuffer) throws(KeyError) {
        let (kind, data) = try Self.parse(message)
        self.init(kind: kind, data: data)
        guard isWellFormed else { throw .invalidKey }
    }

    /// Type and bytes of a `PublicKey` or `PrivateKey` message: both have the same two fields.
    ///
    /// Peer ids are hashes of this message, so only its one canonical form is read: two encodings of a key must not
    /// pass for two peers.
    static func parse(_ message: ByteBuffer) throws(KeyError) -> (Kind, [UInt8]) {
        guard message.readableBytes <= Limits.keyMessage else { throw .malformed }
        var reader = ProtobufReader(message)
        var type: UInt64?
        var data: [UInt8]?
        do {
            while let field = try reader.next() {
                switch field.number {
                case 1: type = try field.varint
                case 2: data = Array(try field.bytes.readableBytesView)
                default: throw KeyError.malformed
                }
            }
        } catch { throw .malformed }
        guard let type, let data else { throw .malformed }
        guard let kind = Kind(rawValue: type) else { throw .unknownType(type) }
        guard encode(kind, data) == message else { throw .malformed }
        return (kind, data)
    }

    /// The protobuf of either key.
    static func encode(_ kind: Kind, _ data: [UInt8]) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(data.count + 8)
        buffer.writeProtobuf(field: 1, varint: kind.rawValue)
        buffer.writeProtobuf(field: 2, bytes: data)
        return buffer
    }

    /// The protobuf `PublicKey`, fields in order, as it is hashed into a peer id.
    package var protobuf: ByteBuffer { Self.encode(kind, data) }

    /// The id of the peer that holds this key.
    public var peerID: PeerID { PeerID(publicKey: self) }
}
