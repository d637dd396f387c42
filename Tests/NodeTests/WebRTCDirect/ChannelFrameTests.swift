import Foundation
import NIOCore
import Testing
import VectorFiles
import Wire

@testable import Node

@Suite struct ChannelFrameTests {
    /// A frame as the vectors write it.
    private static func frame(_ value: [String: Any]) throws -> ChannelFrame {
        var frame = ChannelFrame()
        switch value["flag"] {
        case let name as String:
            let flags: [String: ChannelFrame.Flag] = [
                "FIN": .fin, "STOP_SENDING": .stopSending, "RESET": .reset, "FIN_ACK": .finAck,
            ]
            frame.flag = flags[name]
        case let number as Int: frame.flag = ChannelFrame.Flag(rawValue: UInt8(clamping: number))
        default: break
        }
        if let text = value["message_hex"] as? String {
            if text.hasPrefix("repeat:") {
                let parts = text.dropFirst("repeat:".count).split(separator: "x")
                let byte = try #require(UInt8(parts[0], radix: 16))
                frame.data = ByteBuffer(repeating: byte, count: try #require(Int(parts[1])))
            } else {
                frame.data = try hex(text)
            }
        }
        return frame
    }

    /// The frames in messages of a channel; what is left over counts as an error.
    private static func decode(_ messages: [ByteBuffer]) throws -> [ChannelFrame] {
        var decoder = ChannelFrameDecoder()
        var frames: [ChannelFrame] = []
        for message in messages {
            decoder.append(message)
            while let frame = try decoder.next() { frames.append(frame) }
        }
        try #require(decoder.heldBytes == 0)
        return frames
    }

    @Test(arguments: try Vectors.load("webrtc_framing"))
    func vector(_ vector: Vectors.Vector) throws {
        let isGood = try #require(vector.output["ok"] as? Bool)
        if let chunks = vector.input["chunks_hex"] as? [String] {
            let messages = try chunks.map { try hex($0) }
            guard isGood else {
                #expect(throws: (any Error).self) { try Self.decode(messages) }
                return
            }
            let list = try #require(vector.output["frames"] as? [[String: Any]])
            let expected = try list.map { try Self.frame($0) }
            for cut in Cut.allCases { #expect(try Self.decode(cut.apply(messages)) == expected) }
        } else {
            let frame = try Self.frame(vector.input)
            let length = try #require(vector.output["frame_length"] as? Int)
            if let text = vector.output["hex"] as? String {
                let bytes = try hex(text)
                for cut in Cut.allCases { #expect(try Self.decode(cut.apply([bytes])) == [frame]) }
                // We write neither error codes nor empty data.
                guard bytes.readableBytes == frame.encoded.readableBytes else { return }
                #expect(frame.encoded == bytes)
            }
            if vector.input["error_code"] is NSNull, vector.input["message_hex"] as? String != "" {
                #expect(frame.encoded.readableBytes == length)
            }
            #expect(try Self.decode([frame.encoded]) == [frame])
        }
    }

    /// How messages are cut before they are fed.
    enum Cut: CaseIterable {
        case whole, bytewise, glued, withEmptyOnes
        func apply(_ messages: [ByteBuffer]) -> [ByteBuffer] {
            switch self {
            case .whole: messages
            case .bytewise: messages.flatMap { $0.readableBytesView.map { ByteBuffer(bytes: [$0]) } }
            case .glued: [messages.reduce(into: ByteBuffer()) { $0.writeImmutableBuffer($1) }]
            case .withEmptyOnes: messages.flatMap { [ByteBuffer(), $0, ByteBuffer()] }
            }
        }
    }

    @Test func everyFrameWeSendFitsWhatOthersTake() {
        let data = ByteBuffer(repeating: 1, count: Limits.channelFrameData)
        for flag in ChannelFrame.Flag.allCases {
            let frame = ChannelFrame(data: data, flag: flag)
            #expect(frame.encoded.readableBytes <= Limits.channelFrameSent)
        }
        #expect(ChannelFrame(data: data, flag: .fin).encoded.readableBytes == Limits.channelFrameSent)
        // Four bytes of protobuf around the data: what rust-libp2p's decoder counts.
        #expect(ChannelFrame(data: data).encoded.readableBytes == 16_382)
    }

    @Test func theLargestFrameOfOthersIsTakenAndNotOneMore() throws {
        for (length, isGood) in [(Limits.channelFrameReceived, true), (Limits.channelFrameReceived + 1, false)] {
            var buffer = ByteBuffer()
            buffer.writeUVarint(UInt64(length))
            let head = buffer.readableBytes
            // Field 2 with all the rest.
            buffer.writeBytes([0x12])
            buffer.writeUVarint(UInt64(length - 4))
            buffer.writeRepeatingByte(9, count: length - 4)
            if isGood {
                #expect(try Self.decode([buffer]).first?.data.readableBytes == length - 4)
            } else {
                var decoder = ChannelFrameDecoder()
                decoder.append(try #require(buffer.getSlice(at: 0, length: head)))
                #expect(throws: ChannelFrameError.length(.tooLong(UInt64(length), limit: Limits.channelFrameReceived)))
                { try decoder.next() }
            }
        }
    }

    /// Refused as soon as they are there: nothing behind them is waited for, or makes room for itself.
    @Test(arguments: [
        // 257 KiB and one, 1 MiB, 2^32, 2^63 - 1, 2^63, 2^64 - 1, more than 64 bits, no end.
        "818810", "80804080", "8080808010", "ffffffffffffffff7f", "80808080808080808001", "ffffffffffffffffff01",
        "ffffffffffffffffffff01", "80808080808080808080",
    ])
    func aLengthBeyondTheLimitIsRefusedAtOnce(text: String) throws {
        let bytes = try hex(text)
        for cut in [Cut.whole, .bytewise, .withEmptyOnes] {
            do {
                _ = try Self.decode(cut.apply([bytes]))
                Issue.record("\(text) was taken")
            } catch let error as ChannelFrameError {
                guard case .length = error else {
                    Issue.record("\(error)")
                    continue
                }
            }
        }
    }

    @Test(arguments: [
        // A varint without end, a field number of zero, wire type 7, a flag that is bytes, data that is a number.
        "ffffffffffffffffff", "020001", "020f00", "030a0101", "021001",
    ])
    func nonsenseIsAnError(text: String) throws {
        let bytes = try hex(text)
        for cut in Cut.allCases { #expect(throws: (any Error).self) { try Self.decode(cut.apply([bytes])) } }
    }

    @Test func unknownFieldsAreSkipped() throws {
        // Field 15 as bytes, then FIN, then field 4 as fixed 32.
        #expect(try Self.decode([try hex("0a7a0161" + "0800" + "2501020304")]) == [ChannelFrame(flag: .fin)])
    }

    @Test func aRestOfAMessageDoesNotHoldItsMemory() throws {
        var message = ChannelFrame(data: ByteBuffer(repeating: 1, count: 16_000)).encoded
        message.writeBytes([0x07])
        var decoder = ChannelFrameDecoder()
        decoder.append(message)
        #expect(try decoder.next() != nil)
        #expect(try decoder.next() == nil)
        #expect(decoder.heldBytes == 1)
    }

    @Test(arguments: 1...4) func mutatedFramesNeverTrap(seed: Int) throws {
        var entropy = Entropy.seeded(UInt64(seed))
        let flags = ChannelFrame.Flag.allCases
        for _ in 0..<500 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 1...4, using: &entropy) {
                let data = ByteBuffer(bytes: entropy.bytes(Int.random(in: 0...20, using: &entropy)))
                let frame = ChannelFrame(data: data, flag: flags.randomElement(using: &entropy))
                bytes += frame.encoded.readableBytesView
            }
            for _ in 0..<Int.random(in: 0...3, using: &entropy) {
                bytes[Int.random(in: 0..<bytes.count, using: &entropy)] = UInt8.random(in: 0...255, using: &entropy)
            }
            let whole = Self.reading([ByteBuffer(bytes: bytes)])
            let single = Self.reading(bytes.map { ByteBuffer(bytes: [$0]) })
            #expect(whole == single)
        }
    }

    /// Frames up to the first error, and whether there was one.
    private static func reading(_ messages: [ByteBuffer]) -> [ChannelFrame?] {
        var decoder = ChannelFrameDecoder()
        var frames: [ChannelFrame?] = []
        for message in messages {
            decoder.append(message)
            do {
                while let frame = try decoder.next() { frames.append(frame) }
            } catch { return frames + [nil] }
        }
        return frames
    }
}
