package import NIOCore

/// Bounds on identifiers, keys, records and name lookups.
extension Limits {
    // MARK: Identifiers

    /// A multiaddr in binary: the longest anybody announces (two certhashes behind a relay) takes about 300.
    package static let multiaddr = 1024
    /// A multiaddr as text; a text of this length always fits ``multiaddr`` after decoding, or is refused there.
    package static let multiaddrText = 4096
    /// Components of one multiaddr.
    package static let multiaddrComponents = 32
    /// The digest inside a multihash, as go-multihash bounds its identity digests.
    package static let multihashDigest = 128
    /// Letters of a multibase text, and of a bare base 58 one: decoding those bases takes quadratic time.
    package static let multibaseText = 1024
    package static let radixText = 256

    // MARK: Keys

    /// RSA moduli in bits, as go-libp2p bounds them; checked before any arithmetic (CVE-2023-39533).
    package static let rsaBits = 2048...8192
    /// A `PublicKey` or `PrivateKey` message: a private RSA key of 8192 bits is the longest there is.
    package static let keyMessage = 6144
    /// The bytes of a public key: a SubjectPublicKeyInfo of 8192 bits of RSA takes 1062.
    package static let publicKeyData = 1100
    /// A signature: RSA of 8192 bits.
    package static let signature = 1024

    // MARK: Records

    /// A signed envelope, which travels inside an identify message.
    package static let envelope = 8192
    /// Addresses of one peer record (CVE-2023-40583).
    package static let peerRecordAddresses = 64

    // MARK: Name resolution (go-multiaddr-dns and rust-libp2p)

    /// `/dnsaddr` records that lead to further `/dnsaddr` records.
    package static let dnsaddrDepth = 4
    /// Questions asked for one address.
    package static let dnsLookups = 32
    /// Addresses one address may become.
    package static let dnsAddresses = 100
    /// Records looked at in one answer.
    package static let dnsRecords = 100
    /// A name without its final dot (RFC 1035, 3.1).
    package static let dnsName = 253
    /// From a question to its answer.
    package static let dnsLookupTimeout = TimeAmount.seconds(5)
}
