import Crypto
import NIOCore

/// The name of a peer: a multihash of its public key (libp2p/specs peer-ids).
///
/// Short keys (Ed25519, secp256k1) stand in the id themselves, longer ones by their SHA-256. Ids are compared and
/// ordered by their bytes.
public struct PeerID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The multihash.
    package let bytes: [UInt8]

    /// Reads the binary form.
    package init(bytes: some Collection<UInt8>) throws(KeyError) {
        let bytes = Array(bytes)
        guard bytes.count >= 2, Int(bytes[1]) == bytes.count - 2 else { throw .invalidPeerID }
        switch bytes[0] {
        case 0x00 where bytes.count <= 44: break
        case 0x12 where bytes.count == 34: break
        default: throw .invalidPeerID
        }
        self.bytes = bytes
    }

    /// The id of the holder of `publicKey`.
    public init(publicKey: PublicKey) {
        let message = Array(publicKey.protobuf.readableBytesView)
        if message.count <= 42 {
            bytes = [0x00, UInt8(message.count)] + message
        } else {
            bytes = [0x12, 32] + Array(SHA256.hash(data: message))
        }
    }

    /// The key itself, when the id is short enough to carry it.
    package var publicKey: PublicKey? {
        guard bytes[0] == 0x00 else { return nil }
        return try? PublicKey(protobuf: ByteBuffer(bytes: bytes.dropFirst(2)))
    }

    /// The id as people write it: `12D3KooW…`.
    public var description: String { Base58.encode(bytes) }

    /// The last `count` letters of the text: what a screen shows.
    package func suffix(_ count: Int = 8) -> String { String(description.suffix(count)) }

    public static func < (left: PeerID, right: PeerID) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes)
    }
}
