import Crypto
import NIOCore
import Wire

/// A server's first exchange: it keeps nothing of a client that has not echoed a cookie (RFC 6347 §4.2.1).
///
///     ClientHello, no or wrong cookie  ──▶ HelloVerifyRequest, nothing kept
///     ClientHello with its cookie      ──▶ the hello, whole: the handshake may begin
///     … only a first fragment of it    ──▶ nothing yet; further fragments are joined to it, in order
///
/// The cookie is the HMAC-SHA256, under a secret of this process, of the binding (the client's address, say) and of the
/// client's random bytes, which are the same in both hellos. It stands so near the beginning of a hello that the first
/// fragment is enough to check it; the fragments behind it (a hello with post-quantum keys is longer than a datagram)
/// are kept only then.
///
/// Limits: a hello of `Limits.dtlsHandshakeMessage` bytes. The answer is never longer than the question.
struct HelloVerification {
    enum Action {
        case none
        /// To be sent to where the hello came from.
        case reply(ByteBuffer)
        /// One record with the whole hello, its cookie checked.
        case accepted(ByteBuffer)
    }

    private struct Hello {
        let version: UInt16
        let messageSequence: UInt16
        let length: Int
        var sequence: UInt64
        var body: ByteBuffer
    }

    private static let secret = SymmetricKey(size: .bits256)
    static let cookieLength = 32

    private let binding: [UInt8]
    private var hello: Hello?

    init(binding: [UInt8]) { self.binding = binding }

    /// Whether anything is kept: a client has shown its cookie.
    var keepsState: Bool { hello != nil }

    mutating func received(_ datagram: ByteBuffer) -> Action {
        var rest = datagram
        while let record = DTLSRecord(reading: &rest) {
            guard record.contentType == DTLSRecord.ContentType.handshake, record.epoch == 0 else { continue }
            var messages = record.fragment
            while let fragment = DTLSHandshakeFragment(reading: &messages) {
                guard fragment.messageType == DTLSHandshakeFragment.clientHello,
                    fragment.length <= Limits.dtlsHandshakeMessage
                else { return .none }
                switch received(fragment, of: record, datagramLength: datagram.readableBytes) {
                case .none: continue
                case let action: return action
                }
            }
        }
        return .none
    }

    private mutating func received(
        _ fragment: DTLSHandshakeFragment, of record: DTLSRecord, datagramLength: Int
    ) -> Action {
        if fragment.offset == 0 {
            guard let start = HelloStart(fragment.body) else { return .none }
            let cookie = cookie(for: start.random)
            // Compared in constant time.
            guard
                HMAC<SHA256>.isValidAuthenticationCode(
                    start.cookie, authenticating: message(start.random), using: Self.secret)
            else {
                let reply = Self.helloVerifyRequest(cookie, sequence: record.sequence)
                return reply.readableBytes <= datagramLength ? .reply(reply) : .none
            }
            hello = Hello(
                version: record.version, messageSequence: fragment.messageSequence, length: fragment.length,
                sequence: record.sequence, body: ByteBuffer(bytes: fragment.body.readableBytesView))
        } else {
            guard var begun = hello, fragment.messageSequence == begun.messageSequence,
                fragment.length == begun.length, fragment.offset <= begun.body.readableBytes
            else { return .none }
            hello = nil
            var news = fragment.body
            news.moveReaderIndex(forwardBy: min(begun.body.readableBytes - fragment.offset, news.readableBytes))
            begun.body.writeBuffer(&news)
            begun.sequence = max(begun.sequence, record.sequence)
            hello = begun
        }
        guard let hello, hello.body.readableBytes == hello.length else { return .none }
        return .accepted(Self.record(of: hello))
    }

    private func message(_ random: ByteBuffer) -> [UInt8] { binding + random.readableBytesView }

    private func cookie(for random: ByteBuffer) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: message(random), using: Self.secret))
    }

    /// What stands at the beginning of a ClientHello: version, random bytes, session, cookie.
    private struct HelloStart {
        let random: ByteBuffer
        let cookie: [UInt8]

        init?(_ body: ByteBuffer) {
            var body = body
            guard body.readInteger(as: UInt16.self) != nil, let random = body.readSlice(length: 32),
                let session = body.readLengthPrefixedSlice(as: UInt8.self), session.readableBytes <= 32,
                let cookie = body.readLengthPrefixedSlice(as: UInt8.self)
            else { return nil }
            (self.random, self.cookie) = (random, Array(cookie.readableBytesView))
        }
    }

    /// A HelloVerifyRequest: version 1.0 whatever follows, the record's number that of the hello.
    private static func helloVerifyRequest(_ cookie: [UInt8], sequence: UInt64) -> ByteBuffer {
        var body = ByteBuffer()
        body.writeInteger(UInt16(0xFEFF))
        body.writeInteger(UInt8(cookieLength))
        body.writeBytes(cookie)
        return record(
            DTLSHandshakeFragment.helloVerifyRequest, body, messageSequence: 0, version: 0xFEFF, sequence: sequence)
    }

    private static func record(of hello: Hello) -> ByteBuffer {
        record(
            DTLSHandshakeFragment.clientHello, hello.body, messageSequence: hello.messageSequence,
            version: hello.version, sequence: hello.sequence)
    }

    /// One unprotected record with one whole handshake message of at most `Limits.dtlsHandshakeMessage` bytes.
    private static func record(
        _ type: UInt8, _ body: ByteBuffer, messageSequence: UInt16, version: UInt16, sequence: UInt64
    ) -> ByteBuffer {
        let length = UInt32(truncatingIfNeeded: body.readableBytes)
        var record = ByteBuffer()
        record.reserveCapacity(DTLSRecord.headerLength + 12 + body.readableBytes)
        record.writeInteger(DTLSRecord.ContentType.handshake)
        record.writeInteger(version)
        record.writeInteger(sequence)
        record.writeInteger(UInt16(truncatingIfNeeded: length + 12))
        record.writeInteger(UInt32(type) << 24 | length)
        record.writeInteger(messageSequence)
        // The fragment is the message: offset 0, and its length again.
        record.writeRepeatingByte(0, count: 3)
        record.writeInteger(UInt8(truncatingIfNeeded: length >> 16))
        record.writeInteger(UInt16(truncatingIfNeeded: length))
        record.writeImmutableBuffer(body)
        return record
    }
}
