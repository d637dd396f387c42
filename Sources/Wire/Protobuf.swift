package import NIOCore

/// Why a protobuf message was refused.
package enum ProtobufError: Error, Equatable {
    case truncated
    case varintOverflow
    case invalidFieldNumber
    case unsupportedWireType(UInt8)
    /// A field has another wire type than its message says.
    case unexpectedWireType(field: Int)
    /// A string field is not UTF-8.
    case invalidUTF8(field: Int)
    /// A required field is absent.
    case missing(field: Int)
    /// A repeated field holds more entries than its limit.
    case tooMany(field: Int, limit: Int)
    /// A field's value is out of its range.
    case invalidValue(field: Int)
}

/// One field as it stands on the wire.
package struct ProtobufField {
    /// What stands behind the tag, by its wire type.
    package enum Value {
        case varint(UInt64)
        case fixed64(UInt64)
        case bytes(ByteBuffer)
        case fixed32(UInt32)
    }
    package let number: Int
    package let value: Value

    package var bytes: ByteBuffer {
        get throws(ProtobufError) {
            guard case .bytes(let bytes) = value else { throw .unexpectedWireType(field: number) }
            return bytes
        }
    }
    package var varint: UInt64 {
        get throws(ProtobufError) {
            guard case .varint(let value) = value else { throw .unexpectedWireType(field: number) }
            return value
        }
    }
    package var bool: Bool { get throws(ProtobufError) { try varint != 0 } }
    /// The field as text; UTF-8 is checked, not repaired.
    package var string: String {
        get throws(ProtobufError) {
            guard let text = String(validating: try bytes.readableBytesView, as: UTF8.self) else {
                throw .invalidUTF8(field: number)
            }
            return text
        }
    }
}

/// Reads the fields of one protobuf message, in wire order, by slices of the buffer it was given.
///
/// Allocates nothing, recurses never, accepts non-minimal and ten-byte varints as protobuf does. Groups (wire types
/// 3 and 4) are refused. Unknown fields are the caller's to skip: it simply asks for the next one.
package struct ProtobufReader {
    private var buffer: ByteBuffer

    package init(_ message: ByteBuffer) { buffer = message }

    /// The next field, or nil at the end of the message.
    package mutating func next() throws(ProtobufError) -> ProtobufField? {
        guard buffer.readableBytes > 0 else { return nil }
        let tag = try varint()
        let number = tag >> 3
        guard number >= 1, number < 1 << 29 else { throw .invalidFieldNumber }
        let value: ProtobufField.Value
        switch tag & 7 {
        case 0: value = .varint(try varint())
        case 1:
            guard let word = buffer.readInteger(endianness: .little, as: UInt64.self) else { throw .truncated }
            value = .fixed64(word)
        case 2:
            let length = try varint()
            guard length <= UInt64(buffer.readableBytes), let bytes = buffer.readSlice(length: Int(length)) else {
                throw .truncated
            }
            value = .bytes(bytes)
        case 5:
            guard let word = buffer.readInteger(endianness: .little, as: UInt32.self) else { throw .truncated }
            value = .fixed32(word)
        default: throw .unsupportedWireType(UInt8(tag & 7))
        }
        return ProtobufField(number: Int(number), value: value)
    }

    private mutating func varint() throws(ProtobufError) -> UInt64 {
        var value: UInt64 = 0
        for index in 0..<10 {
            guard let byte = buffer.readInteger(as: UInt8.self) else { throw .truncated }
            guard index < 9 || byte <= 1 else { throw .varintOverflow }
            value |= UInt64(byte & 0x7F) << UInt64(7 * index)
            if byte & 0x80 == 0 { return value }
        }
        throw .varintOverflow
    }
}

/// Writing fields, each with its tag, in the order the caller wants them on the wire.
extension ByteBuffer {
    package mutating func writeProtobuf(field: Int, varint value: UInt64) {
        writeUVarint(UInt64(field) << 3)
        writeUVarint(value)
    }
    package mutating func writeProtobuf(field: Int, bool value: Bool) {
        writeProtobuf(field: field, varint: value ? 1 : 0)
    }
    package mutating func writeProtobuf(field: Int, bytes value: ByteBuffer) {
        writeUVarint(UInt64(field) << 3 | 2)
        writeFrame(value)
    }
    package mutating func writeProtobuf(field: Int, bytes value: some Collection<UInt8>) {
        writeUVarint(UInt64(field) << 3 | 2)
        writeUVarint(UInt64(value.count))
        writeBytes(value)
    }
    package mutating func writeProtobuf(field: Int, string value: String) {
        writeProtobuf(field: field, bytes: value.utf8)
    }
    package mutating func writeProtobuf(field: Int, fixed64 value: UInt64) {
        writeUVarint(UInt64(field) << 3 | 1)
        writeInteger(value, endianness: .little)
    }
}
