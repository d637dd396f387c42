import NIOCore
import Testing
import VectorFiles
import WebRTC
import Wire

@testable import Engines

@Suite struct SCTPPacketTests {
    /// Every whole packet of the vectors.
    private static func packets() throws -> [(name: String, bytes: [UInt8], isGood: Bool)] {
        try Vectors.load("sctp_dcep").compactMap { vector in
            let isGood = vector.output["ok"] as? Bool ?? true
            guard let text = (isGood ? vector.output : vector.input)["hex"] as? String, text.hasPrefix("13881388")
            else {
                return nil
            }
            return (vector.name, Array(try ByteBuffer(plainHexEncodedBytes: text).readableBytesView), isGood)
        }
    }

    @Test(arguments: [true, false])
    func `Sums are those of other stacks, by the processor and without`(isByProcessor: Bool) throws {
        let checksum = SCTPChecksum(byProcessor: isByProcessor)
        let packets = try Self.packets()
        #expect(packets.count >= 8)
        for packet in packets {
            packet.bytes.withUnsafeBytes { #expect(checksum.isRight($0) == packet.isGood, "\(packet.name)") }
        }
    }

    @Test func `Both ways of computing a sum agree at every length, and filling makes it right`() {
        var entropy = Entropy.seeded(5)
        // Full packets go three words at a time.
        for length in Array(16..<300) + Array(1100..<1200) + [2223, 2224, 2232, 8192] {
            var bytes = entropy.bytes(length)
            bytes.withUnsafeMutableBytes { bytes in
                let packet = UnsafeRawBufferPointer(bytes)
                #expect(SCTPChecksum().compute(packet) == SCTPChecksum(byProcessor: false).compute(packet))
                SCTPChecksum().fill(bytes)
                #expect(SCTPChecksum(byProcessor: false).isRight(packet))
            }
            bytes[length - 1] ^= 1
            bytes.withUnsafeBytes { #expect(!SCTPChecksum().isRight($0)) }
        }
    }

    @Test func `Packets of other stacks pass the check`() throws {
        for packet in try Self.packets() {
            try packet.bytes.withUnsafeBytes { bytes in
                let check = try #require(SCTPPacketCheck(bytes, outboundStreams: 16), "\(packet.name)")
                #expect(check.hasInit == packet.name.hasPrefix("INIT:"))
                #expect(check.cookieEcho == nil)
            }
        }
    }

    private static let refused = [
        "nothing but a header", "a chunk header cut short", "length zero", "length three", "longer than the packet",
        "ECN", "AUTH", "I-DATA", "ASCONF", "ASCONF-ACK", "PKTDROP", "RE-CONFIG whose parameter lies",
        "RE-CONFIG: reset of yours", "RE-CONFIG: reset of all numbers", "RE-CONFIG: 65,535 streams of yours",
    ]

    @Test(arguments: SCTPHostilityTests.chunks.map(\.name))
    func `Chunks that lie about their length, or were never offered, go no further`(name: String) throws {
        let chunks = try #require(SCTPHostilityTests.chunks.first { $0.name == name })
        let packet = SCTPHostilityTests.packet(tag: 1, chunks.bytes)
        packet.withUnsafeReadableBytes { bytes in
            #expect((SCTPPacketCheck(bytes, outboundStreams: 16) == nil) == Self.refused.contains(name))
        }
    }

    @Test func `A chunk behind others is looked at too, and a cookie is known again`() throws {
        let echo = SCTPHostilityTests.chunk(10, [1, 2, 3, 4, 5])
        let heartbeat = SCTPHostilityTests.chunk(4, [0, 1, 0, 8, 1, 2, 3, 4])
        let judge = { (chunks: [UInt8]) -> SCTPPacketCheck? in
            SCTPHostilityTests.packet(tag: 1, chunks).withUnsafeReadableBytes {
                SCTPPacketCheck($0, outboundStreams: 16)
            }
        }
        let alone = try #require(judge(echo)?.cookieEcho)
        #expect(judge(heartbeat + echo)?.cookieEcho == alone)
        #expect(judge(SCTPHostilityTests.chunk(10, [1, 2, 3, 4, 6]))?.cookieEcho != alone)
        #expect(judge(heartbeat + SCTPHostilityTests.chunk(193, [0, 0, 0, 1])) == nil)
        // The padding of the last chunk may be missing.
        #expect(judge([4, 0, 0, 5, 1]) != nil)
    }
}

@Suite struct SCTPQueueTests {
    @Test func `Packets come out as they went in, by value and as raw bytes`() {
        var batch = PacketBatch()
        let packets = (1...50).map { [UInt8](repeating: UInt8($0), count: $0 * 20) }
        for _ in 0..<2 {
            #expect(batch.isEmpty && batch.popFirst() == nil)
            for (index, bytes) in packets.enumerated() {
                if index.isMultiple(of: 2) {
                    bytes.withUnsafeBytes { batch.append($0) }
                } else {
                    batch.append(ByteBuffer(bytes: bytes))
                }
            }
            batch.append(atMost: 1200) { _ in -1 }
            batch.append(ByteBuffer())
            #expect(batch.count == packets.count)
            batch.withPackets { raw in
                for bytes in packets { #expect(raw.next().map { Array($0) } == bytes) }
                #expect(raw.next() == nil)
            }
            for bytes in packets { #expect(batch.popFirst().map { Array($0.readableBytesView) } == bytes) }
            #expect(batch.isEmpty && batch.popFirst() == nil)
            batch.removeAll()
        }
    }

    @Test func `A batch gives back storage that is much too large for long`() {
        var batch = PacketBatch()
        for _ in 0..<50 { batch.append(ByteBuffer(repeating: 1, count: 1200)) }
        for _ in 0..<20 {
            batch.removeAll()
            batch.append(ByteBuffer(repeating: 1, count: 60))
        }
        #expect(batch.bytes.capacity <= 4096)
    }

    @Test func `A mailbox never holds more packets than the limit`() {
        var box = SCTPMailbox()
        let large = [UInt8](repeating: 1, count: 60_000)
        for _ in 0..<200 { large.withUnsafeBytes { box.sent($0) } }
        #expect(box.packets.bytes.readableBytes <= Limits.sctpOutbox + 2 * box.packets.count)
        #expect(box.packets.count > 60)
    }

    @Test func `Mailboxes are found by number until they are removed`() {
        var boxes = SCTPMailboxes()
        let ids = (0..<20).map { _ in boxes.add() }
        for id in ids { boxes.with(id) { $0.sendRoom = Int(id) } }
        for id in ids where id.isMultiple(of: 3) { boxes.remove(id) }
        for id in ids.reversed() {
            let room = boxes.with(id) { $0.sendRoom } ?? nil
            #expect(room == (id.isMultiple(of: 3) ? nil : Int(id)))
        }
        let later = boxes.add()
        #expect(!ids.contains(later))
        #expect(boxes.with(later) { $0.sendRoom == nil } == true)
    }

    @Test func `A run ends before the first packet that is not ordinary or not right`() {
        let checksum = SCTPChecksum()
        let data = SCTPHostilityTests.packet(
            tag: 1, SCTPHostilityTests.chunk(0, flags: 3, [UInt8](repeating: 0, count: 13)))
        let acknowledgement = SCTPHostilityTests.packet(
            tag: 1, SCTPHostilityTests.chunk(3, [UInt8](repeating: 0, count: 12)))
        let heartbeat = SCTPHostilityTests.packet(tag: 1, SCTPHostilityTests.chunk(4, [0, 1, 0, 8, 1, 2, 3, 4]))
        var wrong = data
        wrong.setInteger(0 as UInt32, at: wrong.readerIndex + 8)
        func run(_ packets: [ByteBuffer]) -> (count: Int, lastData: Int?)? {
            var batch = PacketBatch()
            for packet in packets { batch.append(packet) }
            return batch.withPackets { raw in
                guard let run = SCTPPacketRun(of: &raw, checksum) else { return nil }
                var left = 0
                while raw.next() != nil { left += 1 }
                #expect(run.count + left == packets.count)
                return (run.count, run.lastData)
            }
        }
        #expect(run([data, data, acknowledgement])?.lastData == 1)
        #expect(run([data, acknowledgement, data, heartbeat, data])?.count == 3)
        #expect(run([acknowledgement, wrong])?.count == 1)
        #expect(run([acknowledgement])?.lastData == nil)
        #expect(run([heartbeat, data]) == nil)
        #expect(run([wrong]) == nil)
        #expect(run([]) == nil)
    }

    @Test func `Retransmissions are counted by transmission number, also where the numbers wrap`() {
        var box = SCTPMailbox()
        let send = { (box: inout SCTPMailbox, numbers: [UInt32]) in
            var chunks: [UInt8] = []
            for number in numbers {
                let bytes = (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * UInt32($0))) }
                chunks += SCTPHostilityTests.chunk(0, flags: 3, bytes + [0, 0, 0, 0, 0, 0, 0, 53, 1])
            }
            SCTPHostilityTests.packet(tag: 1, chunks).withUnsafeReadableBytes { box.sent($0) }
        }
        send(&box, [0xFFFF_FFFE, 0xFFFF_FFFF])
        send(&box, [0, 1])
        #expect(box.retransmittedChunks == 0)
        send(&box, [0xFFFF_FFFF, 2])
        send(&box, [1, 2])
        #expect(box.retransmittedChunks == 3)
    }
}

@Suite struct SCTPClockTests {
    private static func at(_ milliseconds: Int64) -> NIODeadline { .uptimeNanoseconds(0) + .milliseconds(milliseconds) }

    private func expect(
        _ clock: inout SCTPClock, least: Int64, _ milliseconds: UInt32?,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let due = clock.due(least: least)
        #expect(due == milliseconds, sourceLocation: sourceLocation)
    }

    @Test func `Whoever tells the time, usrsctp is told of each millisecond once`() {
        var clock = SCTPClock()
        var first = clock.join(now: Self.at(1000))
        var second = clock.join(now: Self.at(1500))
        // Nobody called between the two: the time before the second came passes first.
        expect(&clock, least: 1, 500)
        clock.advance(&first, to: Self.at(1700))
        expect(&clock, least: 1, 200)
        clock.advance(&second, to: Self.at(1700))
        expect(&clock, least: 1, nil)
        // One that lags a little takes nothing back, and adds nothing later.
        clock.advance(&second, to: Self.at(1690))
        clock.advance(&first, to: Self.at(1704))
        expect(&clock, least: 5, nil)
        clock.advance(&second, to: Self.at(1705))
        expect(&clock, least: 5, 5)
    }

    @Test func `One that lives by another clock goes on from where the time is`() {
        var clock = SCTPClock()
        var fast = clock.join(now: Self.at(0))
        var slow = clock.join(now: Self.at(0))
        clock.advance(&fast, to: Self.at(3_600_000))
        expect(&clock, least: 1, 3_600_000)
        clock.advance(&slow, to: Self.at(10))
        expect(&clock, least: 1, nil)
        clock.advance(&slow, to: Self.at(20))
        expect(&clock, least: 1, 10)
    }
}
