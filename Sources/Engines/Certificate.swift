package import Crypto
package import WebRTC
public import Wire

/// What one end of a DTLS connection shows the other: a self-signed certificate on P-256, and its key.
///
/// Nobody checks more of it than its ``fingerprint`` and that its holder has the key, so it says nothing: its names are
/// fixed and it is valid from 2020 to 2120. Its serial number comes from its key: Firefox refuses two certificates that
/// share issuer and number. The bytes depend on nothing but the key: the signature's nonce is RFC 6979's.
public struct Certificate: Sendable {
    /// The certificate in DER (RFC 5280).
    public let der: [UInt8]
    /// SHA-256 of ``der``: what the remote is told beforehand.
    package let fingerprint: Fingerprint
    package let key: P256.Signing.PrivateKey

    /// The certificate of a key.
    package init(_ key: P256.Signing.PrivateKey) {
        self.key = key
        der = CertificateDER.certificate(of: key)
        guard let fingerprint = Fingerprint(Array(SHA256.hash(data: der))) else {
            preconditionFailure("SHA-256 gives 32 bytes, whatever was hashed")
        }
        self.fingerprint = fingerprint
    }

    /// A new one, on a key from the system's generator.
    public static func generate() -> Certificate { Certificate(P256.Signing.PrivateKey()) }

    /// The one certificate of a peer, the same at every start: addresses that people wrote down keep their certhash.
    ///
    /// Its key is computed from the identity's: whoever knows one of them and not the other learns nothing of it.
    public static func derived(from identity: KeyPair) -> Certificate {
        // A scalar is out of range once in 2^32 attempts: there is no second failure to be seen.
        for attempt in 0..<256 {
            let scalar = identity.secret(for: "swift-peer WebRTC certificate, P-256, attempt \(attempt)", count: 32)
            if let key = try? P256.Signing.PrivateKey(rawRepresentation: scalar) { return Certificate(key) }
        }
        preconditionFailure("256 hashes in turn above the order of P-256; no remote input is involved")
    }

    /// SHA-256 of ``der``, as SDP and `openssl x509 -fingerprint` write it: upper-case pairs with colons.
    public var fingerprintText: String { fingerprint.description }
}
