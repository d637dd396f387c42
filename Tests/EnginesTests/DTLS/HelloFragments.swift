import NIOCore
import Testing

@testable import Engines

/// A datagram with one whole hello, cut into fragments of `size` bytes, each a datagram.
func fragments(of hello: ByteBuffer, size: Int, firstSequence: UInt64) throws -> [ByteBuffer] {
    var datagram = hello
    let record = try #require(DTLSRecord(reading: &datagram))
    var messages = record.fragment
    let whole = try #require(DTLSHandshakeFragment(reading: &messages))
    #expect(whole.length == whole.body.readableBytes)
    return stride(from: 0, to: whole.length, by: size).enumerated().map { index, offset in
        fragment(
            type: whole.messageType, length: whole.length, sequence: whole.messageSequence, offset: offset,
            Array(whole.body.readableBytesView.dropFirst(offset).prefix(size)),
            record: firstSequence + UInt64(index))
    }
}

/// A datagram with one record with one fragment, as given.
func fragment(
    type: UInt8 = 1, length: Int, sequence: UInt16 = 0, offset: Int, _ body: [UInt8], record: UInt64
) -> ByteBuffer {
    var datagram = ByteBuffer()
    datagram.writeInteger(UInt8(22))
    datagram.writeInteger(UInt16(0xFEFD))
    datagram.writeInteger(record)
    datagram.writeInteger(UInt16(12 + body.count))
    datagram.writeInteger(UInt32(type) << 24 | UInt32(length))
    datagram.writeInteger(sequence)
    for number in [offset, body.count] {
        datagram.writeInteger(UInt8(number >> 16))
        datagram.writeInteger(UInt16(number & 0xFFFF))
    }
    datagram.writeBytes(body)
    return datagram
}

/// A datagram with one record, as given.
func record(_ contentType: UInt8, epoch: UInt64 = 0, sequence: UInt64, _ body: [UInt8]) -> ByteBuffer {
    var datagram = ByteBuffer()
    datagram.writeInteger(contentType)
    datagram.writeInteger(UInt16(0xFEFD))
    datagram.writeInteger(epoch << 48 | sequence)
    datagram.writeInteger(UInt16(body.count))
    datagram.writeBytes(body)
    return datagram
}

/// The datagram with higher numbers in its unprotected records, which anyone can change.
func renumbered(_ datagram: ByteBuffer, by increment: UInt64) -> ByteBuffer {
    var (result, rest) = (datagram, datagram)
    while case let start = rest.readerIndex, let record = DTLSRecord(reading: &rest) {
        if record.epoch == 0 { result.setInteger(record.sequence + increment, at: start + 3) }
    }
    return result
}
