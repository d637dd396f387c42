package import NIOCore

/// Why an unsigned varint was refused.
package enum VarintError: Error, Equatable {
    /// The last byte is zero: the same number has a shorter form.
    case nonMinimal
    /// More than nine bytes (63 bits).
    case overflow
}

/// Unsigned varints of the multiformats: LEB128, minimal, at most nine bytes (multiformats/unsigned-varint).
///
/// Protobuf's own varints follow laxer rules: see ``ProtobufReader``.
extension ByteBuffer {
    /// Reads one varint; nil, with nothing read, while its last byte is not there yet.
    package mutating func readUVarint() throws(VarintError) -> UInt64? {
        let readable = readableBytesView
        var value: UInt64 = 0
        var shift: UInt64 = 0
        for byte in readable.prefix(9) {
            value |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 {
                guard byte != 0 || shift == 0 else { throw .nonMinimal }
                moveReaderIndex(forwardBy: Int(shift / 7) + 1)
                return value
            }
            shift += 7
        }
        guard readable.count < 9 else { throw .overflow }
        return nil
    }

    /// Writes `value`, at most 2^63 - 1, in its shortest form; returns the number of bytes.
    @discardableResult
    package mutating func writeUVarint(_ value: UInt64) -> Int {
        var rest = value
        var count = 1
        while rest >= 0x80 {
            writeInteger(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
            count += 1
        }
        writeInteger(UInt8(truncatingIfNeeded: rest))
        return count
    }
}

/// How many bytes the varint of `value` takes.
package func uvarintLength(_ value: UInt64) -> Int {
    max(1, (64 - value.leadingZeroBitCount + 6) / 7)
}
