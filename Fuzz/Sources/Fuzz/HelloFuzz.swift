import NIOCore
import Wire

@testable import Engines

/// A DTLS server's first exchange: datagrams, each behind the sixteen bits of its length. Cookies are the server's
/// secret, so those it gives are put into the hellos, and what comes after a hello with its cookie is reached, too.
enum HelloFuzz {
    static func run(_ input: UnsafeBufferPointer<UInt8>) {
        var rest = ByteBuffer(bytes: input)
        var verification = HelloVerification(binding: [1])
        while let datagram = rest.readLengthPrefixedSlice(as: UInt16.self)
            ?? rest.readSlice(length: rest.readableBytes),
            datagram.readableBytes > 0
        {
            let kept = verification.keepsState
            switch verification.received(datagram) {
            case .none: continue
            case .reply(let reply):
                precondition(reply.readableBytes <= datagram.readableBytes, "an answer longer than its question")
                precondition(verification.keepsState == kept, "a hello without its cookie left something behind")
                guard let echoed = echo(of: datagram, with: reply) else { continue }
                if case .accepted(let hello) = verification.received(echoed) { check(hello) }
            case .accepted(let hello): check(hello)
            }
        }
    }

    /// The first hello of `datagram` with the cookie of `reply`; nil when it is not the first thing in it.
    private static func echo(of datagram: ByteBuffer, with reply: ByteBuffer) -> ByteBuffer? {
        var (records, answers) = (datagram, reply)
        guard let record = DTLSRecord(reading: &records), var answer = DTLSRecord(reading: &answers)?.fragment else {
            return nil
        }
        var messages = record.fragment
        guard let fragment = DTLSHandshakeFragment(reading: &messages), fragment.offset == 0,
            let message = DTLSHandshakeFragment(reading: &answer),
            let cookie = message.body.getSlice(at: message.body.readerIndex + 3, length: HelloVerification.cookieLength)
        else { return nil }
        var body = fragment.body
        guard let start = body.readSlice(length: 34), let session = body.readLengthPrefixedSlice(as: UInt8.self),
            let old = body.readLengthPrefixedSlice(as: UInt8.self)
        else { return nil }
        let growth = cookie.readableBytes - old.readableBytes
        let count = fragment.body.readableBytes + growth
        guard let recordLength = UInt16(exactly: count + 12), let length = UInt32(exactly: fragment.length + growth),
            length < 1 << 24
        else { return nil }
        var echo = ByteBuffer()
        echo.writeInteger(record.contentType)
        echo.writeInteger(record.version)
        echo.writeInteger(record.sequence)
        echo.writeInteger(recordLength)
        echo.writeInteger(UInt32(fragment.messageType) << 24 | length)
        echo.writeInteger(fragment.messageSequence)
        echo.writeRepeatingByte(0, count: 4)
        echo.writeInteger(UInt16(truncatingIfNeeded: count))
        echo.writeImmutableBuffer(start)
        echo.writeInteger(UInt8(truncatingIfNeeded: session.readableBytes))
        echo.writeImmutableBuffer(session)
        echo.writeInteger(UInt8(truncatingIfNeeded: cookie.readableBytes))
        echo.writeImmutableBuffer(cookie)
        echo.writeImmutableBuffer(body)
        return echo
    }

    /// What OpenSSL would be given: one record with one whole message, no larger than the limit.
    private static func check(_ hello: ByteBuffer) {
        var (rest, messages) = (hello, ByteBuffer())
        if let record = DTLSRecord(reading: &rest) { messages = record.fragment }
        let message = DTLSHandshakeFragment(reading: &messages)
        precondition(rest.readableBytes == 0 && messages.readableBytes == 0, "more, or less, than one record")
        precondition(message?.body.readableBytes == message?.length, "not the whole message")
        precondition((message?.length ?? .max) <= Limits.dtlsHandshakeMessage, "a hello above the limit")
    }
}
