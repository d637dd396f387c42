package import WebRTC
package import Wire

/// Why an address cannot be dialled by webrtc-direct, in words for people.
package enum DirectAddressError: Error, Hashable, CustomStringConvertible {
    /// It has another shape.
    case notDirect
    /// The IP address or the port is nobody's.
    case notAHost(String)
    /// Nothing says which certificate the listener has.
    case noCertificateHash
    /// The certificate's hash is by a function that WebRTC implementations have not in common: its multicodec.
    case unsupportedHash(UInt64)

    package var description: String {
        switch self {
        case .notDirect: "that is no webrtc-direct address"
        case .notAHost(let host): "\(host) is nobody's address"
        case .noCertificateHash: "the address lacks /certhash, so nobody could tell who answers"
        case .unsupportedHash(let code):
            "the address has a /certhash of kind 0x\(String(code, radix: 16)); only sha2-256 is supported"
        }
    }
}

/// What a webrtc-direct address says: `/ip4|ip6/H/udp/P/webrtc-direct/certhash/C[/p2p/ID]` (libp2p/specs
/// webrtc/webrtc-direct.md; section 4.7 of the wire reference).
///
/// Of several certificate hashes the first counts, as in go and js; it must be of sha2-256.
package struct DirectAddress: Hashable, Sendable {
    package let remote: TransportAddress
    /// The certificate the listener must show.
    package let fingerprint: Fingerprint
    package let peer: PeerID?

    package init(_ address: Multiaddr) throws(DirectAddressError) {
        guard case .webRTCDirect(let ip, let port, let hashes) = address.dialTarget else { throw .notDirect }
        guard !ip.isUnspecified, !ip.isMulticast else { throw .notAHost("\(ip)") }
        guard port != 0 else { throw .notAHost("port 0") }
        guard let hash = hashes.first else { throw .noCertificateHash }
        guard hash.code == Multihash.sha256, let fingerprint = Fingerprint(hash.digest) else {
            throw .unsupportedHash(hash.code)
        }
        remote = TransportAddress(ip, port: port)
        self.fingerprint = fingerprint
        peer = address.peerID
    }

    /// How others dial a listener: with exactly one certificate hash, because rust-libp2p refuses more.
    package static func listening(
        at address: TransportAddress, _ fingerprint: Fingerprint
    ) throws(MultiaddrError) -> Multiaddr {
        var components = Multiaddr(address.ip, udp: address.port).components + [.webRTCDirect]
        if let hash = Multihash(sha256: fingerprint.bytes) { components.append(.init(certhash: hash)) }
        return try Multiaddr(components)
    }
}
