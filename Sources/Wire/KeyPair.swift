import Crypto
package import NIOCore

/// A peer's identity: its Ed25519 key pair, the one kind this project signs with.
public struct KeyPair: Sendable {
    private let key: Curve25519.Signing.PrivateKey
    /// The public half.
    public let publicKey: PublicKey
    /// The id of the peer that holds this key.
    public let peerID: PeerID

    private init(_ key: Curve25519.Signing.PrivateKey) {
        self.key = key
        publicKey = PublicKey(kind: .ed25519, data: Array(key.publicKey.rawRepresentation))
        peerID = publicKey.peerID
    }

    /// A new key from the system's generator.
    public static func generate() -> KeyPair { KeyPair(Curve25519.Signing.PrivateKey()) }

    /// A key from its 32-byte seed: for tests and simulations. Throws ``KeyError/invalidKey`` for another length.
    package init(seed: [UInt8]) throws(KeyError) {
        do { self.init(try Curve25519.Signing.PrivateKey(rawRepresentation: seed)) } catch { throw .invalidKey }
    }

    /// Reads the protobuf `PrivateKey`, the format of identity files (go-peer's works as it is).
    ///
    /// The data is seed ‖ public key, 64 bytes, or the older 96 bytes with the public key twice. A public half that
    /// does not belong to the seed is refused: signing with it would give the key away. A key of another type is
    /// ``KeyError/cannotSign``.
    package init(protobuf message: ByteBuffer) throws(KeyError) {
        let (kind, data) = try PublicKey.parse(message)
        guard kind == .ed25519 else { throw .cannotSign }
        guard data.count == 64 || data.count == 96 else { throw .invalidKey }
        try self.init(seed: Array(data[..<32]))
        for start in stride(from: 32, to: data.count, by: 32) {
            guard data[start..<start + 32] == publicKey.data[...] else { throw .invalidKey }
        }
    }

    /// The protobuf `PrivateKey`: 68 bytes, secret.
    package var protobuf: ByteBuffer {
        PublicKey.encode(.ed25519, Array(key.rawRepresentation) + publicKey.data)
    }

    /// The 64-byte signature of `message` (RFC 8032).
    package func signature(of message: some Collection<UInt8>) -> [UInt8] {
        // Signing fails only when the system has no randomness for the blinding; an empty signature is then refused
        // by every verifier, which is the safe outcome.
        guard let signature = try? key.signature(for: Array(message)) else { return [] }
        return Array(signature)
    }

    /// A secret of `count` bytes that only the holder of this key can compute, the same every time: HKDF-SHA256 (RFC
    /// 5869) of the seed. Different `purpose`s give independent secrets; `count` is at most 8160.
    package func secret(for purpose: String, count: Int) -> [UInt8] {
        let secret = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: key.rawRepresentation), info: Array(purpose.utf8),
            outputByteCount: count)
        return unsafe secret.withUnsafeBytes { unsafe Array($0) }
    }
}
