import Cryptography
package import NIOCore
import Wire

/// The records of an established Noise channel: `length (16 bits) ciphertext tag` (libp2p/specs noise/README.md).
///
/// Writing: what is appended gathers in an open record inside the caller's output buffer and is sealed there, in
/// place, when the record is full or `finish` is called. One copy, no allocation of its own.
/// Reading: one record at a time, opened straight into the caller's inbox.
///
/// Limits: we send records of at most `Limits.noiseRecordSent` bytes of plaintext and accept the full 65,535 bytes
/// of ciphertext; 2^64 - 1 records per direction. An empty record is legal and yields nothing; a frame shorter
/// than a tag is an error. It does not know what the bytes mean.
package struct NoiseTransport {
    private let sealing: AEAD
    private let opening: AEAD
    private var sealed: UInt64 = 0
    private var opened: UInt64 = 0
    /// Where in the output the open record begins.
    private var record: Int?

    package init(sealingKey: [UInt8], openingKey: [UInt8]) {
        sealing = AEAD(sealingWith: sealingKey)
        opening = AEAD(openingWith: openingKey)
    }

    /// Plaintext bytes the open record still takes; a whole record when none is open.
    package func room(in output: ByteBuffer) -> Int {
        guard let record else { return Limits.noiseRecordSent }
        return Limits.noiseRecordSent - (output.writerIndex - record - 2)
    }

    /// Appends plaintext; full records are sealed on the way.
    package mutating func append(_ bytes: ByteBuffer, to output: inout ByteBuffer) throws(NoiseError) {
        var rest = bytes
        while rest.readableBytes > 0 {
            if room(in: output) == 0 { try finish(&output) }
            begin(in: &output)
            let count = min(room(in: output), rest.readableBytes)
            guard var chunk = rest.readSlice(length: count) else { return }
            output.writeBuffer(&chunk)
        }
    }

    /// Appends a Yamux header, which never straddles two records.
    package mutating func append(_ header: YamuxHeader, to output: inout ByteBuffer) throws(NoiseError) {
        if room(in: output) < YamuxHeader.length { try finish(&output) }
        begin(in: &output)
        header.write(to: &output)
    }

    private mutating func begin(in output: inout ByteBuffer) {
        guard record == nil else { return }
        record = output.writerIndex
        output.writeInteger(UInt16(0))
    }

    /// Seals the open record, when there is one.
    package mutating func finish(_ output: inout ByteBuffer) throws(NoiseError) {
        guard let start = record else { return }
        guard sealed < .max else { throw .nonceExhausted }
        record = nil
        sealing.seal(&output, from: start + 2, nonce: sealed)
        sealed += 1
        output.setInteger(UInt16(clamping: output.writerIndex - start - 2), at: start)
    }

    /// Bytes `inbox` lacks to hold its first length, or its first record; at least 1 when it holds less than those.
    package static func missing(in inbox: ByteBuffer) -> Int {
        guard let length = inbox.getInteger(at: inbox.readerIndex, as: UInt16.self) else {
            return 2 - inbox.readableBytes
        }
        return max(1, 2 + Int(length) - inbox.readableBytes)
    }

    /// Opens the next record of `inbox` onto `plaintext`; false, with nothing read, while it is not all there.
    package mutating func receive(
        _ inbox: inout ByteBuffer, into plaintext: inout ByteBuffer
    ) throws(NoiseError) -> Bool {
        guard let length = inbox.getInteger(at: inbox.readerIndex, as: UInt16.self) else { return false }
        guard length >= AEAD.tagLength else { throw .truncatedMessage }
        guard let frame = inbox.readLengthPrefixedSlice(as: UInt16.self) else { return false }
        guard opened < .max else { throw .nonceExhausted }
        guard opening.open(frame, into: &plaintext, nonce: opened) else { throw .authenticationFailed }
        opened += 1
        return true
    }
}
