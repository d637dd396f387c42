package import NIOCore

/// Why a length-prefixed message was refused.
package enum FramingError: Error, Equatable {
    /// The prefix itself is no varint.
    case varint(VarintError)
    /// The message is longer than the limit; the announced length is never allocated.
    case tooLong(UInt64, limit: Int)
}

extension ByteBuffer {
    /// Reads one `varint(length) message`, sharing storage; nil, with nothing read, while it is not all there.
    ///
    /// A length above `limit` is refused as soon as the prefix can be read, before the bytes arrive.
    package mutating func readFrame(limit: Int) throws(FramingError) -> ByteBuffer? {
        let start = readerIndex
        let length: UInt64?
        do { length = try readUVarint() } catch { throw .varint(error) }
        guard let length else { return nil }
        guard length <= UInt64(limit) else {
            moveReaderIndex(to: start)
            throw .tooLong(length, limit: limit)
        }
        guard let message = readSlice(length: Int(length)) else {
            moveReaderIndex(to: start)
            return nil
        }
        return message
    }

    /// Writes `varint(length) message`.
    package mutating func writeFrame(_ message: ByteBuffer) {
        writeUVarint(UInt64(message.readableBytes))
        writeImmutableBuffer(message)
    }
}
