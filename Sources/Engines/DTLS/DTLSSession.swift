import COpenSSL
import Crypto
import NIOCore
import WebRTC
import Wire

/// One SSL object of OpenSSL's on a ``DatagramPipe``: everything ``OpenSSLDTLS`` asks of the library, with OpenSSL's
/// queue of errors empty after each call.
///
/// OpenSSL measures the time to a retransmission by its own clock. It is asked how much is left, never trusted with when
/// to ask again: see ``timeLeft()``.
final class DTLSSession {
    enum Progress {
        /// Everything received has been looked at.
        case waiting
        case done
        case failed(DTLSError)
    }
    enum Reading {
        case packet
        case nothing
        /// The remote said close_notify.
        case ended
        case failed(DTLSError)
    }

    private let ssl: OpaquePointer
    private let pipe: DatagramPipe
    private let context: DTLSContext

    /// - Parameter hello: what ``HelloVerification`` accepted; nil: a client, or a server without cookies.
    init?(_ context: DTLSContext, _ role: DTLSRole, pipe: DatagramPipe, hello: ByteBuffer? = nil) {
        defer { ERR_clear_error() }
        guard let ssl = context.makeSSL() else { return nil }
        guard let bio = pipe.makeBIO() else {
            SSL_free(ssl)
            return nil
        }
        (self.ssl, self.pipe, self.context) = (ssl, pipe, context)
        // One BIO for both directions: this takes over its one reference.
        SSL_set_bio(ssl, bio, bio)
        _ = swift_peer_SSL_set_mtu(ssl, Limits.datagramPayload)
        DTLS_set_timer_cb(ssl) { _, last in
            let (first, longest) = (Limits.dtlsFirstRetransmission, Limits.dtlsLastRetransmission)
            let next = min(last == 0 ? first : .microseconds(Int64(last) * 2), longest)
            return UInt32(truncatingIfNeeded: next.nanoseconds / 1000)
        }
        switch role {
        case .client: SSL_set_connect_state(ssl)
        case .server: SSL_set_accept_state(ssl)
        }
        guard let hello else { return }
        pipe.received(hello)
        // Takes over the numbers the client and the cookie's exchange have used.
        let address = BIO_ADDR_new()
        defer { BIO_ADDR_free(address) }
        guard DTLSv1_listen(ssl, address) == 1 else { return nil }
    }

    deinit { SSL_free(ssl) }

    // MARK: Handshake

    /// Lets OpenSSL look at all that was received.
    func handshake() -> Progress {
        defer { ERR_clear_error() }
        // Each turn but the last consumes a record at least, of which a datagram holds a bounded number.
        for _ in 0..<Limits.dtlsDatagram {
            ERR_clear_error()
            pipe.expectReads()
            let result = SSL_do_handshake(ssl)
            if result == 1 { return .done }
            guard SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ else {
                return .failed(Self.error(.handshakeFailed, "the handshake failed"))
            }
            // OpenSSL also stops after a record out of order, with more to read.
            if pipe.isStarved { break }
        }
        return .waiting
    }

    /// Whether the remote's new keys are in force and its Finished is the next that counts.
    var expectsFinished: Bool {
        let state = SSL_get_state(ssl)
        return state == TLS_ST_SR_CHANGE || state == TLS_ST_CR_CHANGE
    }

    /// Without it, an attacker between two connections can make them share their secret (RFC 7627).
    var usesExtendedMasterSecret: Bool { swift_peer_SSL_get_extms_support(ssl) == 1 }

    /// Of the remote's certificate.
    var remoteFingerprint: Fingerprint? {
        guard let certificate = SSL_get1_peer_certificate(ssl) else { return nil }
        defer { X509_free(certificate) }
        var digest = [UInt8](repeating: 0, count: 32)
        var count: UInt32 = 0
        guard X509_digest(certificate, EVP_sha256(), &digest, &count) == 1, count == 32 else { return nil }
        return Fingerprint(digest)
    }

    /// The suite, the group and so on, in OpenSSL's words.
    var suite: String {
        SSL_CIPHER_get_name(SSL_get_current_cipher(ssl)).map { String(cString: $0) } ?? ""
    }

    // MARK: Time

    /// How long until the last flight is to be sent again; nil when none is awaiting an answer.
    ///
    /// At least a millisecond, so that a caller whose clock differs does not spin; at most the longest interval there
    /// is, so that a system clock set back (OpenSSL uses that one) does not make it sleep.
    func timeLeft() -> TimeAmount? {
        var left = timeval()
        guard swift_peer_DTLSv1_get_timeout(ssl, &left) == 1 else { return nil }
        let amount = TimeAmount.seconds(Int64(left.tv_sec)) + .microseconds(Int64(left.tv_usec))
        return max(.milliseconds(1), min(amount, Limits.dtlsLastRetransmission))
    }

    /// Sends the last flight again if that is due.
    func timedOut() -> DTLSError? {
        defer { ERR_clear_error() }
        ERR_clear_error()
        return swift_peer_DTLSv1_handle_timeout(ssl) < 0
            ? DTLSError(.timeout, "nobody answered the last flight, sent again and again") : nil
    }

    // MARK: Packets

    /// Puts all that can be decrypted at the end of `packets`.
    ///
    /// - Parameter limit: so many packets at most; then it ends with `packet`.
    func read(into packets: inout PacketBatch, limit: Int = .max) -> Reading {
        let before = packets.count
        // Each turn but the last consumes a record, of which a datagram holds a bounded number.
        while packets.count - before < limit {
            // To be told that there is nothing costs OpenSSL a third of what a record does.
            guard let room = pipe.expectRead() ?? restOfRecords() else { return .nothing }
            var result: Int32 = 0
            packets.append(atMost: room) { bytes in
                result = SSL_read(ssl, bytes.baseAddress, Int32(truncatingIfNeeded: bytes.count))
                return Int(result)
            }
            if result > 0 { continue }
            defer { ERR_clear_error() }
            switch SSL_get_error(ssl, result) {
            case SSL_ERROR_WANT_READ: if pipe.isStarved { return .nothing }
            case SSL_ERROR_ZERO_RETURN: return .ended
            default: return .failed(Self.error(.handshakeFailed, "the remote broke the protocol"))
            }
        }
        return .packet
    }

    /// A datagram may hold several records. The room for one of them, nil when none is left.
    private func restOfRecords() -> Int? {
        guard SSL_has_pending(ssl) == 1 else { return nil }
        pipe.expectReads()
        return max(pipe.longestReceived, 1)
    }

    /// Seals `packet` into one record, which becomes one datagram.
    func write(_ packet: UnsafeRawBufferPointer) -> Bool {
        if SSL_write(ssl, packet.baseAddress, Int32(truncatingIfNeeded: packet.count)) > 0 { return true }
        ERR_clear_error()
        return false
    }

    /// Says close_notify.
    func shutDown() {
        _ = SSL_shutdown(ssl)
        ERR_clear_error()
    }

    /// What OpenSSL's queue of errors says. Reasons from 1000 on are alerts of the remote.
    private static func error(_ code: DTLSError.Code, _ what: String) -> DTLSError {
        let error = ERR_peek_error()
        guard error != 0 else { return DTLSError(.internalError, what) }
        let reason = ERR_GET_REASON(error)
        let words = ERR_reason_error_string(error).map { String(cString: $0) } ?? "error \(reason)"
        guard reason >= SSL_AD_REASON_OFFSET else { return DTLSError(code, "\(what): \(words)") }
        return DTLSError(.alert, "alert \(reason - SSL_AD_REASON_OFFSET) of the remote: \(words)")
    }
}
