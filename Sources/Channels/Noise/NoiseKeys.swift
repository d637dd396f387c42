package import Crypto
package import Wire

/// The two X25519 keys one handshake needs; both are used once.
package struct NoiseKeys {
    package let staticKey: Curve25519.KeyAgreement.PrivateKey
    package let ephemeralKey: Curve25519.KeyAgreement.PrivateKey

    /// Given keys: for test vectors.
    package init(
        staticKey: Curve25519.KeyAgreement.PrivateKey, ephemeralKey: Curve25519.KeyAgreement.PrivateKey
    ) {
        self.staticKey = staticKey
        self.ephemeralKey = ephemeralKey
    }

    /// New keys.
    package init(from entropy: inout Entropy) {
        staticKey = Self.key(from: &entropy)
        ephemeralKey = Self.key(from: &entropy)
    }

    private static func key(from entropy: inout Entropy) -> Curve25519.KeyAgreement.PrivateKey {
        // Any 32 bytes are an X25519 key, so the second way is never taken; it is as good as the first.
        (try? Curve25519.KeyAgreement.PrivateKey(rawRepresentation: entropy.bytes(32)))
            ?? Curve25519.KeyAgreement.PrivateKey()
    }
}
