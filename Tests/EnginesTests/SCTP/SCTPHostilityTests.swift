import NIOCore
import Testing
import WebRTC
import Wire

@testable import Engines

/// Packets that no honest remote sends. DTLS keeps strangers out; what is tested is a remote that means ill.
@Suite struct SCTPHostilityTests {
    /// A packet of `chunks` with the right sum.
    static func packet(tag: UInt32, _ chunks: [UInt8]) -> ByteBuffer {
        var bytes: [UInt8] = [0x13, 0x88, 0x13, 0x88]
        bytes += (0..<4).map { UInt8(truncatingIfNeeded: tag >> (24 - 8 * UInt32($0))) }
        bytes += [0, 0, 0, 0]
        bytes += chunks
        if bytes.count >= SCTPChecksum.shortest {
            bytes.withUnsafeMutableBytes { SCTPChecksum().fill($0) }
        }
        return ByteBuffer(bytes: bytes)
    }

    static func chunk(_ type: UInt8, flags: UInt8 = 0, length: UInt16? = nil, _ body: [UInt8]) -> [UInt8] {
        let count = length ?? UInt16(4 + body.count)
        let padding = [UInt8](repeating: 0, count: (4 - body.count % 4) % 4)
        return [type, flags, UInt8(count >> 8), UInt8(count & 255)] + body + padding
    }

    /// The tag that packets for `side` bear: of the last INIT it sent or any packet it got.
    static func tag(of recording: [ByteBuffer]) -> UInt32? {
        recording.lazy.compactMap { $0.getInteger(at: 4, as: UInt32.self) }.first { $0 != 0 }
    }

    /// Chunks after their type: what may be wrong with each.
    static let chunks: [(name: String, bytes: [UInt8])] = [
        ("nothing but a header", []),
        ("a chunk header cut short", [0, 3]),
        ("length zero", [0, 3, 0, 0]),
        ("length three", chunk(0, length: 3, [])),
        ("longer than the packet", chunk(0, flags: 3, length: 2000, [0, 0, 0, 1])),
        ("DATA without data", chunk(0, flags: 3, [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 53])),
        ("DATA cut short", chunk(0, flags: 3, [0, 0, 0, 1])),
        ("INIT of absurd streams", chunk(1, [1, 2, 3, 4, 0, 16, 0, 0, 255, 255, 255, 255, 0, 0, 0, 1])),
        ("INIT of no streams", chunk(1, [1, 2, 3, 4, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])),
        ("INIT of tag zero and no window", chunk(1, [UInt8](repeating: 0, count: 16))),
        ("INIT cut short", chunk(1, [1, 2, 3])),
        (
            "INIT with parameters that lie",
            chunk(1, [1, 2, 3, 4, 0, 16, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0xC0, 0, 255, 255])
        ),
        ("INIT-ACK without cookie", chunk(2, [1, 2, 3, 4, 0, 16, 0, 0, 0, 9, 0, 9, 0, 0, 0, 1])),
        ("SACK cut short", chunk(3, [0, 0])),
        ("SACK of what was never sent", chunk(3, [255, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0])),
        ("SACK of many gaps that are not there", chunk(3, [0, 0, 0, 0, 0, 1, 0, 0, 255, 255, 255, 255])),
        ("HEARTBEAT without parameter", chunk(4, [])),
        ("HEARTBEAT-ACK of nothing", chunk(5, [0, 1, 0, 40] + [UInt8](repeating: 7, count: 36))),
        ("COOKIE-ECHO of noise", chunk(10, (0..<200).map { UInt8($0) })),
        ("empty COOKIE-ECHO", chunk(10, [])),
        ("COOKIE-ACK out of place", chunk(11, [])),
        ("ECN", chunk(12, [0, 0, 0, 1])), ("AUTH", chunk(15, [0, 1, 0, 1] + [UInt8](repeating: 1, count: 20))),
        ("I-DATA", chunk(64, flags: 3, [UInt8](repeating: 1, count: 20))),
        (
            "ASCONF",
            chunk(193, [0, 0, 0, 1, 0, 5, 0, 8, 127, 0, 0, 1, 0xC0, 1, 0, 16, 0, 0, 0, 1, 0, 5, 0, 8, 1, 2, 3, 4])
        ),
        ("ASCONF-ACK", chunk(128, [0, 0, 0, 1])), ("PKTDROP", chunk(129, [UInt8](repeating: 0, count: 28))),
        ("FORWARD-TSN far ahead", chunk(192, [0x7F, 0, 0, 0])),
        ("FORWARD-TSN cut short", chunk(192, [1])),
        ("FORWARD-TSN with many streams", chunk(192, [0, 0, 0, 1] + [UInt8](repeating: 255, count: 400))),
        ("RE-CONFIG of nothing", chunk(130, [])),
        ("RE-CONFIG whose parameter lies", chunk(130, [0, 13, 0, 200, 0, 0, 0, 1])),
        ("RE-CONFIG: reset of yours", chunk(130, [0, 14, 0, 8, 0, 0, 0, 1])),
        ("RE-CONFIG: reset of all numbers", chunk(130, [0, 15, 0, 8, 0, 0, 0, 1])),
        ("RE-CONFIG: 65,535 streams of yours", chunk(130, [0, 18, 0, 12, 0, 0, 0, 1, 255, 255, 0, 0])),
        ("RE-CONFIG: 65,535 streams of mine", chunk(130, [0, 17, 0, 12, 0, 0, 0, 1, 255, 255, 0, 0])),
        ("RE-CONFIG: answer to nothing", chunk(130, [0, 16, 0, 12, 0, 0, 0, 1, 0, 0, 0, 1])),
        ("ERROR of a cause that lies", chunk(9, [0, 1, 255, 255])),
        ("unknown, to be skipped", chunk(0xBF, [1, 2, 3])), ("unknown, to be reported", chunk(0x7F, [1, 2, 3])),
        ("SHUTDOWN-ACK out of place", chunk(8, [])), ("SHUTDOWN-COMPLETE out of place", chunk(14, [])),
    ]

    @Test func `Whatever is in a packet: an association ends in order or goes on, and another is untouched`() async {
        await #expect(processExitsWith: .success) {
            for state in 0..<3 {
                for (name, bytes) in SCTPHostilityTests.chunks {
                    let pair = SCTPPair()
                    pair.recording = []
                    if state == 1 {
                        pair.a?.start(now: pair.now)
                        pair.drain()
                    } else if state == 2 {
                        try pair.start()
                        try pair.a?.send(message(1, bytes: 3000), now: pair.now)
                        pair.drain()
                    }
                    let tags = [0, SCTPHostilityTests.tag(of: pair.recording ?? []) ?? 1, 0xDEAD_BEEF]
                    for tag in tags {
                        pair.a?.received(SCTPHostilityTests.packet(tag: tag, bytes), now: pair.now)
                        pair.b?.received(SCTPHostilityTests.packet(tag: tag, bytes), now: pair.now)
                    }
                    pair.drain()
                    pair.run(for: .seconds(1))
                    for events in pair.events {
                        let ends = events.filter { if case .closed = $0 { true } else { false } }
                        #expect(ends.count <= 1, "\(name)")
                        if !ends.isEmpty { #expect(events.last == ends.first, "\(name)") }
                    }
                    #expect((pair.a?.outboundStreams ?? 0) <= 1024, "\(name)")
                }
            }
            _ = try SCTPPair.connected()
        }
    }

    @Test func `A wrong sum, a wrong tag or a strange length is as if nothing had come`() async {
        await #expect(processExitsWith: .success) {
            let pair = try SCTPPair.connected()
            pair.recording = []
            try pair.a?.send(message(1, bytes: 100), now: pair.now)
            pair.faults.loss = 1
            pair.drain()
            let packet = try #require(pair.recording?.first)
            for index in 0..<packet.readableBytes {
                var changed = packet
                let byte = try #require(changed.getInteger(at: index, as: UInt8.self))
                changed.setInteger(byte ^ 0x40, at: index)
                pair.b?.received(changed, now: pair.now)
            }
            for length in 0..<packet.readableBytes {
                pair.b?.received(try #require(packet.getSlice(at: 0, length: length)), now: pair.now)
            }
            pair.b?.received(ByteBuffer(repeating: 0, count: 9000), now: pair.now)
            pair.drain()
            #expect(pair.received[1].isEmpty && pair.events[1] == [.connected])
            pair.b?.received(packet, now: pair.now)
            pair.drain()
            #expect(pair.received[1].count == 1)
        }
    }

    @Test func `A remote that begins anew or repeats an old cookie is not heard`() async {
        await #expect(processExitsWith: .success) {
            let pair = SCTPPair()
            pair.recording = []
            try pair.start()
            let handshake = pair.recording ?? []
            for _ in 0..<3 {
                for packet in handshake {
                    pair.a?.received(packet, now: pair.now)
                    pair.b?.received(packet, now: pair.now)
                    pair.run(for: .milliseconds(20))
                }
            }
            let stranger = SCTPHostilityTests.packet(
                tag: 0, SCTPHostilityTests.chunk(1, [9, 9, 9, 9, 0, 16, 0, 0, 0, 9, 0, 9, 0, 0, 0, 1]))
            pair.a?.received(stranger, now: pair.now)
            #expect(pair.events == [[.connected], [.connected]])
            try pair.a?.send(message(1, bytes: 100), now: pair.now)
            #expect(pair.run(atMost: .seconds(2)) { pair.received[1].count == 1 })
        }
    }

    @Test func `A message larger than agreed ends the association`() async {
        await #expect(processExitsWith: .success) {
            for (size, most) in [(100_001, 100_000), (262_144, 1000)] {
                let pair = SCTPPair()
                pair.b = UsrsctpAssociation(streams: 16, largestPacket: 1163, largestMessage: most)
                try pair.start()
                try pair.a?.send(message(1, bytes: size), now: pair.now)
                let isClosed = pair.run(atMost: .seconds(5)) {
                    if case .closed(.some) = pair.events[1].last { true } else { false }
                }
                #expect(isClosed)
                #expect(pair.received[1].isEmpty)
            }
        }
    }

    @Test func `Mutations of recorded packets never crash, and memory stays bounded`() async {
        await #expect(processExitsWith: .success) { try SCTPHostilityTests.mutate(seed: 1, rounds: 20) }
    }

    /// Each round: a conversation with everything in it, in which 400 mutated copies are put, sum corrected. The tags
    /// and transmission numbers in them are usrsctp's own, other ones in each run.
    private static func mutate(seed: UInt64, rounds: Int) throws {
        var entropy = Entropy.seeded(seed)
        var resident: Int?
        for round in 0..<rounds {
            let pair = SCTPPair(PathFaults(loss: 0.02, delay: 1...5), seed: seed + UInt64(round), streams: (32, 32))
            pair.recording = []
            pair.a?.start(now: pair.now)
            pair.b?.start(now: pair.now)
            for step in 0..<400 {
                if step == 20 {
                    for number in 0..<10 {
                        let reliability: Reliability = number % 2 == 0 ? .reliable : .maxRetransmits(0)
                        let next = message(
                            number, bytes: 1 + 700 * number, stream: UInt16(number % 3), isUnordered: number % 3 == 0,
                            reliability)
                        try? pair.a?.send(next, now: pair.now)
                        try? pair.b?.send(next, now: pair.now)
                    }
                }
                if step == 40 { pair.a?.resetStreams([0, 1], now: pair.now) }
                if step == 60 { pair.b?.addStreams(8, now: pair.now) }
                pair.step()
                guard let original = pair.recording?.randomElement(using: &entropy) else { continue }
                let changed = mutation(of: original, &entropy)
                if step % 2 == 0 {
                    pair.a?.received(changed, now: pair.now)
                } else {
                    pair.b?.received(changed, now: pair.now)
                }
                pair.drain()
            }
            if round == rounds / 3 { resident = residentBytes() }
        }
        if let resident, let now = residentBytes() { #expect(now - resident < 32 << 20) }
    }

    private static func mutation(of packet: ByteBuffer, _ entropy: inout Entropy) -> ByteBuffer {
        var bytes = Array(packet.readableBytesView)
        for _ in 0..<Int.random(in: 1...4, using: &entropy) where bytes.count > 13 {
            let index = Int.random(in: 12..<bytes.count, using: &entropy)
            switch Int.random(in: 0..<6, using: &entropy) {
            case 0: bytes[index] = UInt8.random(in: 0...255, using: &entropy)
            case 1: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &entropy)
            case 2: bytes.removeLast(min(bytes.count - 12, Int.random(in: 1...8, using: &entropy)))
            case 3: bytes.insert(contentsOf: bytes[12..<min(bytes.count, 44)], at: bytes.count)
            // The type, the flags, the length.
            case 4: bytes[min(12 + Int.random(in: 0..<4, using: &entropy), bytes.count - 1)] &+= 1
            default: bytes[12] = [0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 130, 192][Int.random(in: 0..<12, using: &entropy)]
            }
        }
        if bytes.count >= SCTPChecksum.shortest { bytes.withUnsafeMutableBytes { SCTPChecksum().fill($0) } }
        return ByteBuffer(bytes: bytes)
    }
}
