import NIOCore
import Testing

@testable import Wire

@Suite struct ProtobufTests {
    private func sample() -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeProtobuf(field: 1, varint: 300)
        buffer.writeProtobuf(field: 2, bytes: [1, 2, 3])
        buffer.writeProtobuf(field: 3, string: "grüße")
        buffer.writeProtobuf(field: 4, bool: true)
        buffer.writeProtobuf(field: 5, fixed64: 0x0102_0304_0506_0708)
        buffer.writeProtobuf(field: 536_870_911, varint: .max)
        buffer.writeProtobuf(field: 7, bytes: ByteBuffer())
        return buffer
    }

    private func read(_ message: ByteBuffer) throws(ProtobufError) -> Int {
        var reader = ProtobufReader(message)
        var count = 0
        while try reader.next() != nil { count += 1 }
        return count
    }

    @Test func readsWhatItWrote() throws {
        var reader = ProtobufReader(sample())
        let one = try #require(try reader.next())
        #expect(try one.number == 1 && one.varint == 300)
        let two = try #require(try reader.next())
        #expect(try Array(two.bytes.readableBytesView) == [1, 2, 3])
        let three = try #require(try reader.next())
        #expect(try three.string == "grüße")
        let four = try #require(try reader.next())
        #expect(try four.bool)
        let five = try #require(try reader.next())
        guard case .fixed64(0x0102_0304_0506_0708) = five.value else {
            Issue.record("fixed64 expected")
            return
        }
        let largest = try #require(try reader.next())
        #expect(try largest.number == 536_870_911 && largest.varint == .max)
        let empty = try #require(try reader.next())
        #expect(try empty.bytes.readableBytes == 0)
        #expect(try reader.next() == nil)
    }

    @Test func truncationAtEveryByteIsAnErrorOrTheEndOfAField() throws {
        let message = sample()
        var whole = 0
        for length in 0..<message.readableBytes {
            let part = try #require(message.getSlice(at: 0, length: length))
            do {
                #expect(try read(part) < 7)
                whole += 1
            } catch { #expect(error == .truncated) }
        }
        #expect(whole == 7)
    }

    @Test(arguments: [
        ("08", ProtobufError.truncated), ("0880", .truncated), ("80", .truncated), ("0a05616263", .truncated),
        ("0affffffffffffffffff01", .truncated), ("0affffffffffffffff7f", .truncated), ("0900", .truncated),
        ("0d000000", .truncated), ("08ffffffffffffffffff02", .varintOverflow),
        ("0880808080808080808080", .varintOverflow), ("00", .invalidFieldNumber), ("0200", .invalidFieldNumber),
        ("8080808010", .invalidFieldNumber), ("f8ffffffffffffffff01", .invalidFieldNumber),
        ("0b", .unsupportedWireType(3)), ("0c", .unsupportedWireType(4)), ("0e", .unsupportedWireType(6)),
        ("0f", .unsupportedWireType(7)),
    ]) func namesWhatIsWrong(_ text: String, _ error: ProtobufError) throws {
        let bytes = try buffer(text)
        #expect(throws: error) { try read(bytes) }
    }

    @Test(arguments: [("08ac82808000", 300 as UInt64), ("0880808080808080808000", 0), ("08ffffffffffffffffff01", .max)])
    func takesTheLaxVarintsOfProtobuf(_ text: String, _ value: UInt64) throws {
        var reader = ProtobufReader(try buffer(text))
        let field = try #require(try reader.next())
        #expect(try field.varint & 0xFFFF_FFFF == value & 0xFFFF_FFFF)
    }

    @Test func aFieldOfAnotherTypeIsRefused() throws {
        var reader = ProtobufReader(try buffer("08011201ff"))
        let number = try #require(try reader.next())
        #expect(throws: ProtobufError.unexpectedWireType(field: 1)) { try number.bytes }
        #expect(throws: ProtobufError.unexpectedWireType(field: 1)) { try number.string }
        let text = try #require(try reader.next())
        #expect(throws: ProtobufError.unexpectedWireType(field: 2)) { try text.varint }
        #expect(throws: ProtobufError.unexpectedWireType(field: 2)) { try text.bool }
        #expect(throws: ProtobufError.invalidUTF8(field: 2)) { try text.string }
    }

    @Test func anyBytesAreReadOrRefused() {
        var entropy = Entropy.seeded(2)
        for _ in 0..<5000 {
            var bytes = Array(sample().readableBytesView)
            for _ in 0...entropy.next() % 4 {
                bytes[Int(entropy.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: entropy.next())
            }
            _ = try? read(ByteBuffer(bytes: bytes))
            _ = try? read(ByteBuffer(bytes: entropy.bytes(Int(entropy.next() % 40))))
        }
    }
}
