import Crypto
import Cryptography

extension PublicKey {
    /// `SEQUENCE { SEQUENCE { ecPublicKey, secp256k1 }, BIT STRING … }` up to the 33 compressed bytes.
    private static let secp256k1Prefix: [UInt8] = [
        0x30, 0x36, 0x30, 0x10, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x05, 0x2B, 0x81, 0x04,
        0x00, 0x0A, 0x03, 0x22, 0x00,
    ]
    /// The same for P-256, up to the 65 bytes of an uncompressed point.
    private static let p256Prefix: [UInt8] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48,
        0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ]

    /// How OpenSSL is to see the key; nil when the bytes cannot be one, found out by comparisons alone, or when it
    /// is swift-crypto's.
    private var subjectPublicKeyInfo: (der: [UInt8], algorithm: PublicKeyAlgorithm)? {
        guard data.count <= Limits.publicKeyData else { return nil }
        switch kind {
        case .ed25519: return nil
        case .rsa: return (data, .rsa(bits: Limits.rsaBits))
        case .ecdsa:
            guard data.count == Self.p256Prefix.count + 65, data.starts(with: Self.p256Prefix),
                data[Self.p256Prefix.count] == 0x04
            else { return nil }
            return (data, .ellipticCurve)
        case .secp256k1:
            guard data.count == 33, data[0] == 0x02 || data[0] == 0x03 else { return nil }
            return (Self.secp256k1Prefix + data, .ellipticCurve)
        }
    }

    /// Whether the bytes are a key of their kind. Ed25519 keys are checked for their length, as everybody does; what
    /// is no point then verifies nothing.
    var isWellFormed: Bool {
        guard kind != .ed25519 else { return data.count == 32 }
        guard let (der, algorithm) = subjectPublicKeyInfo else { return false }
        return isPublicKey(subjectPublicKeyInfo: der, algorithm)
    }

    /// Whether `signature` is this key's signature of `message`. False for anything malformed, a key that is none
    /// included; never traps.
    ///
    /// Ed25519 by RFC 8032 as BoringSSL does it: a scalar above the group's order is refused. Others are over the
    /// SHA-256, elliptic-curve ones in DER; go and js do not insist on the lower half for `s`, so neither do we.
    package func isValid(signature: some Collection<UInt8>, of message: some Collection<UInt8>) -> Bool {
        guard signature.count <= Limits.signature else { return false }
        guard kind != .ed25519 else {
            guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: data) else { return false }
            return key.isValidSignature(Array(signature), for: Array(message))
        }
        guard let (der, algorithm) = subjectPublicKeyInfo else { return false }
        return Cryptography.isValid(
            signature: Array(signature), of: Array(message), subjectPublicKeyInfo: der, algorithm)
    }
}
