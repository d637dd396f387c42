import Crypto
import NIOCore

/// The name of a peer: a multihash of its public key (libp2p/specs peer-ids).
///
/// Short keys (Ed25519, secp256k1) stand in the id themselves, longer ones by their SHA-256. Ids are compared and
/// ordered by their bytes, never by text.
public struct PeerID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The longest key message that stands in its id, in bytes.
    private static let longestInlineKey = 42

    /// The multihash: at most 44 bytes.
    package let bytes: [UInt8]

    /// Reads the binary form: an identity multihash of at most 42 bytes, or a SHA-256.
    ///
    /// What an identity hash holds is not looked at: ``publicKey`` is nil when it is no key. Throws
    /// ``KeyError/invalidPeerID``.
    package init(bytes: some Collection<UInt8>) throws(KeyError) {
        guard bytes.count >= 2, bytes.count <= 2 + Self.longestInlineKey else { throw .invalidPeerID }
        let bytes = Array(bytes)
        guard Int(bytes[1]) == bytes.count - 2 else { throw .invalidPeerID }
        switch bytes[0] {
        case 0x00: break
        case 0x12 where bytes.count == 34: break
        default: throw .invalidPeerID
        }
        self.bytes = bytes
    }

    /// Reads text: base 58 that starts with `1` or `Qm`, or a version 1 content id with the codec `libp2p-key` in
    /// any multibase (`bafz…`, `k51…`). Throws ``KeyError/invalidPeerID`` for anything else.
    public init(text: some StringProtocol) throws(KeyError) {
        if text.hasPrefix("1") || text.hasPrefix("Qm") {
            guard let bytes = Base58.decode(text) else { throw .invalidPeerID }
            try self.init(bytes: bytes)
        } else {
            let id: CID
            do { id = try CID(text: text) } catch { throw .invalidPeerID }
            guard id.codec == CID.libp2pKey else { throw .invalidPeerID }
            try self.init(bytes: id.multihash.bytes)
        }
    }

    /// The id of the holder of `publicKey`.
    public init(publicKey: PublicKey) {
        let message = Array(publicKey.protobuf.readableBytesView)
        if message.count <= Self.longestInlineKey {
            bytes = [0x00, UInt8(truncatingIfNeeded: message.count)] + message
        } else {
            bytes = [0x12, 32] + Array(SHA256.hash(data: message))
        }
    }

    /// The key itself, when the id is short enough to carry it and what it carries is one.
    package var publicKey: PublicKey? {
        guard bytes[0] == 0x00 else { return nil }
        return try? PublicKey(protobuf: ByteBuffer(bytes: bytes.dropFirst(2)))
    }

    /// The id as people write it, in base 58: `12D3KooW…`.
    public var description: String { Base58.encode(bytes) }

    /// The id as a DNS label can hold it: a content id in base 36, `k51…`.
    package var base36: String { Multibase.base36.encode([0x01, 0x72] + bytes) }

    /// The last `count` letters of the text: what a screen shows.
    package func suffix(_ count: Int = 8) -> String { String(description.suffix(count)) }

    /// Orders by the bytes of the multihash.
    public static func < (left: PeerID, right: PeerID) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes)
    }

    /// Hashes the last 32 bytes, which is where ids differ, as four words: an array would hash byte by byte.
    public func hash(into hasher: inout Hasher) {
        var word: UInt64 = 0
        var filled = 0
        for byte in bytes.suffix(32) {
            word = word << 8 | UInt64(byte)
            filled += 1
            if filled & 7 == 0 { hasher.combine(word) }
        }
        if filled & 7 != 0 { hasher.combine(word) }
    }
}
