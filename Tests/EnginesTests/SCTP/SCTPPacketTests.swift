import Foundation
import NIOCore
import Testing
import Wire

@testable import Engines

@Suite struct SCTPPacketTests {
    /// Every whole packet of the vectors.
    private static func packets() throws -> [(name: String, bytes: [UInt8], isGood: Bool)] {
        let url = try #require(Bundle.module.url(forResource: "Vectors/sctp_dcep", withExtension: "json"))
        let root = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
        let vectors = try #require(root["vectors"] as? [[String: Any]])
        return try vectors.compactMap { vector in
            let name = try #require(vector["name"] as? String)
            let output = vector["output"] as? [String: Any]
            let input = vector["input"] as? [String: Any]
            let isGood = output?["ok"] as? Bool ?? true
            guard let text = (isGood ? output?["hex"] : input?["hex"]) as? String, text.hasPrefix("13881388") else {
                return nil
            }
            return (name, Array(try ByteBuffer(plainHexEncodedBytes: text).readableBytesView), isGood)
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
        for length in 16..<300 {
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
    @Test func `Packets come out as they went in, and never more than the limit`() {
        var queue = SCTPPacketQueue()
        var packet = ByteBuffer()
        var isThere = queue.pop(into: &packet)
        #expect(!isThere)
        let packets = (1...50).map { [UInt8](repeating: UInt8($0), count: $0 * 20) }
        for bytes in packets { bytes.withUnsafeBytes { queue.append($0) } }
        for bytes in packets {
            isThere = queue.pop(into: &packet)
            #expect(isThere)
            #expect(Array(packet.readableBytesView) == bytes)
        }
        isThere = queue.pop(into: &packet)
        #expect(!isThere && packet.readableBytes == 0 && queue.isEmpty)
        let large = [UInt8](repeating: 1, count: 60_000)
        for _ in 0..<200 { large.withUnsafeBytes { queue.append($0) } }
        #expect(queue.count <= Limits.sctpOutbox)
        var count = 0
        while queue.pop(into: &packet) { count += 1 }
        #expect(count > 60)
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
