import NIOCore
import Testing
import VectorFiles
import WebRTC
import Wire

@Suite struct DCEPTests {
    @Test func theVectorsAreReadAndWritten() throws {
        var count = 0
        for vector in try Vectors.load("sctp_dcep") where vector.name.hasPrefix("DCEP DATA_CHANNEL_OPEN") {
            let bytes = try hex(try #require(vector.output["hex"] as? String))
            guard case .open(let options) = try DCEPMessage(parsing: bytes) else {
                Issue.record("\(vector.name) is no announcement")
                continue
            }
            #expect(options.label == vector.input["label"] as? String)
            #expect(options.subprotocol == vector.input["protocol"] as? String)
            let type = try #require(vector.input["channel_type"] as? Int)
            #expect(options.isOrdered == (type < 0x80))
            let number = UInt16(try #require(vector.input["reliability"] as? Int))
            switch type & 0x7F {
            case 1: #expect(options.reliability == .maxRetransmits(number))
            case 2: #expect(options.reliability == .maxPacketLifeTime(number))
            default: #expect(options.reliability == .reliable)
            }
            #expect(DCEPMessage.open(options).encoded == bytes)
            count += 1
        }
        #expect(count == 6)
    }

    @Test func theBadVectorsAreRefused() throws {
        for vector in try Vectors.load("sctp_dcep") where vector.name.hasPrefix("bad DCEP") {
            let bytes = try hex(try #require(vector.input["dcep_hex"] as? String))
            #expect(throws: DCEPMessage.Failure.self) { try DCEPMessage(parsing: bytes) }
        }
    }

    /// One byte, or four as pion writes it, or whatever follows.
    @Test(arguments: ["02", "02000000", "02ff"])
    func anAcknowledgementMayBeOfAnyLength(text: String) throws {
        #expect(try DCEPMessage(parsing: hex(text)) == .acknowledge)
    }

    @Test(
        arguments: [
            ("", .truncated), ("03", .truncated), ("0300", .truncated), ("03 00 0000 00000000 0000 00", .truncated),
            ("03 00 0000 00000000 0001 0000", .truncated), ("03 00 0000 00000000 0000 0001", .truncated),
            ("03 00 0000 00000000 ffff ffff 61", .truncated), ("03 00 0000 00000000 0000 0000 61", .truncated),
            ("03 03 0000 00000000 0000 0000", .unknownChannelType(3)),
            ("03 83 0000 00000000 0000 0000", .unknownChannelType(0x83)),
            ("03 7f 0000 00000000 0000 0000", .unknownChannelType(0x7F)),
            ("00", .unknownType(0)), ("01", .unknownType(1)), ("04 00", .unknownType(4)), ("ff", .unknownType(255)),
        ] as [(String, DCEPMessage.Failure)])
    func whatIsNoMessageIsNamed(text: String, failure: DCEPMessage.Failure) throws {
        let bytes = try hex(text)
        #expect(throws: failure) { try DCEPMessage(parsing: bytes) }
    }

    @Test func everyBeginningOfAnAnnouncementIsTruncated() {
        let whole = DCEPMessage.open(DataChannelOptions(label: "label", subprotocol: "sub")).encoded
        for length in 0..<whole.readableBytes {
            let part = ByteBuffer(bytes: whole.readableBytesView.prefix(length))
            #expect(throws: DCEPMessage.Failure.truncated) { try DCEPMessage(parsing: part) }
        }
    }

    @Test(arguments: [
        DataChannelReliability.reliable, .maxRetransmits(0), .maxRetransmits(65_535), .maxPacketLifeTime(0),
        .maxPacketLifeTime(65_535),
    ])
    func everyKindOfChannelSurvivesTheWire(reliability: DataChannelReliability) throws {
        for isOrdered in [true, false] {
            var options = DataChannelOptions(
                label: "ünï", subprotocol: "β", isOrdered: isOrdered, reliability: reliability)
            options.priority = 65_535
            #expect(try DCEPMessage(parsing: DCEPMessage.open(options).encoded) == .open(options))
        }
    }

    @Test func reliabilityBeyondWhatTheAPICanSayMeansItsLargest() throws {
        #expect(
            try DCEPMessage(parsing: hex("03 01 0000 00010000 0000 0000"))
                == .open(DataChannelOptions(reliability: .maxRetransmits(65_535))))
        // A reliable channel has no parameter: whatever stands there is ignored.
        #expect(try DCEPMessage(parsing: hex("03 00 0000 ffffffff 0000 0000")) == .open(DataChannelOptions()))
    }

    @Test func aMessageBeyondTheLimitIsRefusedBeforeItIsRead() {
        var bytes = ByteBuffer()
        bytes.writeMultipleIntegers(3 as UInt8, 0 as UInt8, 0 as UInt16, 0 as UInt32, 65_535 as UInt16, 0 as UInt16)
        bytes.writeRepeatingByte(0x61, count: 65_535)
        #expect(throws: DCEPMessage.Failure.tooLong) { try DCEPMessage(parsing: bytes) }
    }

    @Test func changedBytesNeverTrap() throws {
        var entropy = Entropy.seeded(8832)
        let whole = DCEPMessage.open(DataChannelOptions(label: "chat", subprotocol: "json")).encoded
        for _ in 0..<1000 {
            var bytes = Array(whole.readableBytesView)
            for _ in 0..<Int.random(in: 1...4, using: &entropy) {
                bytes[Int.random(in: 0..<bytes.count, using: &entropy)] = UInt8(truncatingIfNeeded: entropy.next())
            }
            bytes.removeLast(Int.random(in: 0...bytes.count, using: &entropy))
            guard let message = try? DCEPMessage(parsing: ByteBuffer(bytes: bytes)) else { continue }
            if case .open(let options) = message { #expect(options.label.utf8.count <= 3 * 65_535) }
        }
    }
}
