import NIOCore
import Testing

@testable import Wire

@Suite struct VarintTests {
    static let vectors = Vector.load("varint")

    @Test func everyVectorIsThere() { #expect(Self.vectors.count == 43) }

    @Test(arguments: vectors) func agreesWithTheVector(_ vector: Vector) throws {
        if vector.output.isOK {
            let value = try #require((vector.input["value"] ?? vector.output["value"]).flatMap(UInt64.init))
            let wire = try #require(vector.output["hex"] ?? vector.input["hex"])
            var bytes = try buffer(wire)
            let before = bytes.readableBytes
            #expect(try bytes.readUVarint() == value)
            #expect(before - bytes.readableBytes == uvarintLength(value))
            var written = ByteBuffer()
            #expect(written.writeUVarint(value) == uvarintLength(value))
            #expect(wire.hasPrefix(hex(written.readableBytesView)))
        } else {
            var bytes = try buffer(vector.input["hex"] ?? "")
            let before = bytes
            // What is cut off may still come: that is no error, and no value.
            if let value = try? bytes.readUVarint() { Issue.record("read \(value)") }
            #expect(bytes == before)
        }
    }

    @Test(arguments: [
        ("8000", VarintError.nonMinimal), ("8100", .nonMinimal), ("ff8000", .nonMinimal),
        ("ffffffffffffffffff", .overflow), ("80808080808080808001", .overflow),
        ("808080808080808000", .nonMinimal),
    ]) func namesWhatIsWrong(_ text: String, _ error: VarintError) throws {
        var bytes = try buffer(text)
        #expect(throws: error) { _ = try bytes.readUVarint() }
    }

    @Test func everyValueSurvives() throws {
        var entropy = Entropy.seeded(1)
        for _ in 0..<2000 {
            let value = entropy.next() >> (1 + entropy.next() % 63)
            var bytes = ByteBuffer()
            bytes.writeUVarint(value)
            #expect(bytes.readableBytes == uvarintLength(value))
            for length in 0..<bytes.readableBytes {
                var part = try #require(bytes.getSlice(at: 0, length: length))
                #expect(try part.readUVarint() == nil)
                #expect(part.readableBytes == length)
            }
            #expect(try bytes.readUVarint() == value)
            #expect(bytes.readableBytes == 0)
        }
    }
}
