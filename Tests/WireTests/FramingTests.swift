import NIOCore
import Testing

@testable import Wire

@Suite struct FramingTests {
    @Test func framesSurviveSplittingAndCoalescing() throws {
        let messages = ["", "a", String(repeating: "b", count: 127), String(repeating: "c", count: 300)]
        var wire = ByteBuffer()
        for message in messages { wire.writeFrame(ByteBuffer(string: message)) }
        wire.writeString("next protocol")

        var whole = wire
        var read: [String] = []
        for _ in messages {
            let frame = try #require(try whole.readFrame(limit: 300))
            read.append(String(buffer: frame))
        }
        #expect(read == messages)
        #expect(String(buffer: whole) == "next protocol")

        var inbox = ByteBuffer()
        read = []
        for byte in wire.readableBytesView.dropLast(13) {
            inbox.writeInteger(byte)
            while let frame = try inbox.readFrame(limit: 300) { read.append(String(buffer: frame)) }
        }
        #expect(read == messages)
        #expect(inbox.readableBytes == 0)
    }

    @Test func giantLengthsAreRefusedBeforeAnyByteArrives() throws {
        for length in [UInt64(301), 1 << 31, 1 << 40, UInt64(Int64.max)] {
            var wire = ByteBuffer()
            wire.writeUVarint(length)
            let before = wire
            #expect(throws: FramingError.tooLong(length, limit: 300)) { _ = try wire.readFrame(limit: 300) }
            #expect(wire == before)
            #expect(wire.capacity == before.capacity)
        }
    }

    @Test func aLengthThatIsNoVarintIsRefused() throws {
        var bytes = try buffer("8000")
        #expect(throws: FramingError.varint(.nonMinimal)) { _ = try bytes.readFrame(limit: 10) }
        bytes = ByteBuffer(repeating: 0xFF, count: 20)
        #expect(throws: FramingError.varint(.overflow)) { _ = try bytes.readFrame(limit: 10) }
    }

    @Test func aFrameSharesItsStorage() throws {
        var wire = ByteBuffer()
        wire.writeFrame(ByteBuffer(repeating: 7, count: 1000))
        let frame = try #require(try wire.readFrame(limit: 1000))
        let shared = wire.withUnsafeReadableBytes { outer in
            frame.withUnsafeReadableBytes { inner in
                UInt(bitPattern: inner.baseAddress) + 1000 == UInt(bitPattern: outer.baseAddress)
            }
        }
        #expect(shared)
    }
}
