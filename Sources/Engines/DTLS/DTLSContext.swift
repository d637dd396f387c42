import COpenSSL
import Crypto
import WebRTC
import Wire

/// OpenSSL's settings for all associations of one certificate: the SSL_CTX.
///
/// DTLS 1.2 only; forward-secret AEAD suites only; no resumption, tickets, compression or renegotiation. Any certificate
/// of the remote is taken, for what counts is its fingerprint, which others judge; that there is one is demanded.
final class DTLSContext: Sendable {
    /// Where the SSL_CTX is. A number, for the compiler lets no pointer cross between threads; this one may: the SSL_CTX
    /// is written in `init` only, and after that only given to SSL_new, which OpenSSL allows from many threads at once.
    private let address: UInt

    /// ECDSA first; RSA for remotes whose certificates are of that kind.
    private static let suites = [
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-RSA-AES256-GCM-SHA384",
    ].joined(separator: ":")
    private static let signatures = [
        "ECDSA+SHA256", "ECDSA+SHA384", "ECDSA+SHA512", "ed25519", "RSA-PSS+SHA256", "RSA+SHA256", "RSA+SHA384",
        "RSA+SHA512",
    ].joined(separator: ":")
    /// Profiles 8, 7 and 1 of `use_srtp`. No media is ever protected by them, but pion, webrtc-rs and aiortc end a
    /// handshake without any.
    private static let mediaProfiles = "SRTP_AEAD_AES_256_GCM:SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80"

    init(_ certificate: Certificate) {
        defer { ERR_clear_error() }
        guard let context = SSL_CTX_new(DTLS_method()) else { Self.refused("a context") }
        address = UInt(bitPattern: context)
        Self.demand(swift_peer_SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION) == 1, "DTLS 1.2")
        Self.demand(swift_peer_SSL_CTX_set_max_proto_version(context, DTLS1_2_VERSION) == 1, "DTLS 1.2")
        SSL_CTX_set_security_level(context, 2)
        Self.demand(SSL_CTX_set_cipher_list(context, Self.suites) == 1, "its suites")
        Self.demand(swift_peer_SSL_CTX_set1_groups_list(context, "X25519:P-256") == 1, "its groups")
        Self.demand(swift_peer_SSL_CTX_set1_sigalgs_list(context, Self.signatures) == 1, "its signatures")
        // This one function of OpenSSL's returns 0 for success.
        Self.demand(SSL_CTX_set_tlsext_use_srtp(context, Self.mediaProfiles) == 0, "its media profiles")
        SSL_CTX_set_options(
            context,
            swift_peer_SSL_OP_NO_QUERY_MTU | swift_peer_SSL_OP_NO_TICKET | swift_peer_SSL_OP_NO_RENEGOTIATION
                | swift_peer_SSL_OP_NO_COMPRESSION | swift_peer_SSL_OP_CIPHER_SERVER_PREFERENCE)
        _ = swift_peer_SSL_CTX_set_session_cache_mode(context, Int(SSL_SESS_CACHE_OFF))
        _ = swift_peer_SSL_CTX_set_max_cert_list(context, Limits.dtlsHandshakeMessage)
        // Sizes the write buffer of an association; nothing longer than a datagram is ever written.
        _ = swift_peer_SSL_CTX_set_max_send_fragment(context, Limits.datagramPayload)
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
        // Replaces the whole check of a chain. The remote still proves that it holds the key.
        SSL_CTX_set_cert_verify_callback(context, { _, _ in 1 }, nil)
        // DTLSv1_listen sees hellos whose cookie ``HelloVerification`` has checked.
        SSL_CTX_set_cookie_verify_cb(context) { _, _, _ in 1 }
        SSL_CTX_set_cookie_generate_cb(context) { _, _, _ in 0 }
        Self.give(context, certificate)
    }

    deinit { SSL_CTX_free(OpaquePointer(bitPattern: address)) }

    /// A new SSL object with these settings; nil without memory.
    func makeSSL() -> OpaquePointer? { SSL_new(OpaquePointer(bitPattern: address)) }

    private static func give(_ context: OpaquePointer, _ certificate: Certificate) {
        let key = Array(certificate.key.derRepresentation)
        let usesKey = key.withUnsafeBufferPointer { bytes in
            var cursor = bytes.baseAddress
            guard let key = d2i_AutoPrivateKey(nil, &cursor, bytes.count) else { return false }
            defer { EVP_PKEY_free(key) }
            return SSL_CTX_use_certificate_ASN1(context, Int32(certificate.der.count), certificate.der) == 1
                && SSL_CTX_use_PrivateKey(context, key) == 1
        }
        demand(usesKey && SSL_CTX_check_private_key(context) == 1, "our certificate")
    }

    private static func demand(_ succeeded: Bool, _ what: String) { if !succeeded { refused(what) } }

    private static func refused(_ what: String) -> Never {
        preconditionFailure("OpenSSL refused \(what): its build lacks something; no remote input is involved")
    }
}
