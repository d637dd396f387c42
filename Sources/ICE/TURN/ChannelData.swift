package import NIOCore
import Wire

/// Data of a peer behind a channel's number (RFC 8656 §12.4): `number 16 | length 16 | data`, over TCP padded to a
/// multiple of four.
package struct ChannelData: Hashable, Sendable {
    /// What numbers may be.
    package static let numbers: ClosedRange<UInt16> = 0x4000...0x4FFF

    package let number: UInt16
    package let bytes: ByteBuffer

    package init(number: UInt16, bytes: ByteBuffer) { (self.number, self.bytes) = (number, bytes) }

    /// Whether a datagram with this first byte can be one (RFC 7983 §7).
    package static func isChannelData(firstByte: UInt8) -> Bool { (64...79).contains(firstByte) }

    /// Reads a whole datagram, or a frame of a stream; nil when it is none. Padding is passed over: up to three bytes.
    package init?(parsing datagram: ByteBuffer) {
        let start = datagram.readerIndex
        guard let (number, length) = datagram.getMultipleIntegers(at: start, as: (UInt16, UInt16).self),
            Self.numbers.contains(number), datagram.readableBytes - 4 - Int(length) < 4,
            let bytes = datagram.getSlice(at: start + 4, length: Int(length))
        else { return nil }
        (self.number, self.bytes) = (number, bytes)
    }

    /// The bytes to send.
    package func encoded(padded: Bool) -> ByteBuffer {
        var buffer = ByteBuffer()
        let count = bytes.readableBytes
        buffer.reserveCapacity(4 + count + 3)
        buffer.writeMultipleIntegers(number, UInt16(truncatingIfNeeded: count))
        buffer.writeImmutableBuffer(bytes)
        if padded { buffer.writeRepeatingByte(0, count: -count & 3) }
        return buffer
    }
}
