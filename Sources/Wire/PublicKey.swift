import Crypto
package import NIOCore

/// Why a key, a peer id or a signature was refused.
public enum KeyError: Error, Equatable {
    /// The protobuf around a key is malformed.
    case malformed
    /// A key type no peer of this network has.
    case unknownType(UInt64)
    /// The key's bytes are not a key of its type.
    case invalidKey
    /// Reading such a key is supported, signing with it is not.
    case cannotSign
    /// The peer id is no multihash a peer id can be.
    case invalidPeerID
}

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

    package init(kind: Kind, data: [UInt8]) {
        self.kind = kind
        self.data = data
    }

    /// Reads the protobuf `PublicKey`.
    package init(protobuf message: ByteBuffer) throws(KeyError) {
        let (kind, data) = try Self.parse(message)
        self.init(kind: kind, data: data)
    }

    /// Type and bytes of a `PublicKey` or `PrivateKey` message: both have the same two fields.
    static func parse(_ message: ByteBuffer) throws(KeyError) -> (Kind, [UInt8]) {
        var reader = ProtobufReader(message)
        var type: UInt64?
        var data: [UInt8]?
        do {
            while let field = try reader.next() {
                switch field.number {
                case 1: type = try field.varint
                case 2: data = Array(try field.bytes.readableBytesView)
                default: break
                }
            }
        } catch { throw .malformed }
        guard let type, let data else { throw .malformed }
        guard let kind = Kind(rawValue: type) else { throw .unknownType(type) }
        return (kind, data)
    }

    /// The protobuf `PublicKey`, fields in order, as it is hashed into a peer id.
    package var protobuf: ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeProtobuf(field: 1, varint: kind.rawValue)
        buffer.writeProtobuf(field: 2, bytes: data)
        return buffer
    }

    /// The id of the peer that holds this key.
    public var peerID: PeerID { PeerID(publicKey: self) }

    /// Whether `signature` is this key's signature of `message`. False for anything malformed; never traps.
    package func isValid(signature: some Collection<UInt8>, of message: some Collection<UInt8>) -> Bool {
        switch kind {
        case .ed25519:
            guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: data) else { return false }
            return key.isValidSignature(Array(signature), for: Array(message))
        case .rsa, .secp256k1, .ecdsa:
            return isValidByOpenSSL(signature: Array(signature), of: Array(message))
        }
    }
}
