import NIOCore
import Testing
import Wire

@testable import Node

@Suite struct DNSMessageTests {
    private static let p2p = DNSName(labels: ["_p2p", "_udp", "local"].map { Array($0.utf8) })

    @Test("The vectors are read, and written byte by byte")
    func vectors() throws {
        let vectors = try Fixture.vectors("mdns")
        #expect(vectors.count == 3)
        for vector in vectors {
            let bytes = Fixture.bytes(hex: vector.hex)
            let message = try DNSMessage(ByteBuffer(bytes: bytes))
            #expect(Array(message.packet.readableBytesView) == bytes, "\(vector.name)")
        }
        let query = try DNSMessage(ByteBuffer(bytes: Fixture.bytes(hex: vectors[0].hex)))
        #expect(query == DNSMessage(isResponse: false, questions: [.init(Self.p2p, type: 12)]))
        let response = try DNSMessage(ByteBuffer(bytes: Fixture.bytes(hex: vectors[1].hex)))
        let strings = try #require(vectors[1].input["dnsaddrs"] as? [String])
        #expect(response.isResponse)
        #expect(response.additionals.first?.data == .txt(strings.map { Array($0.utf8) }))
        #expect(response.additionals.first?.flush == true)
        #expect(response.answers.first?.timeToLive == 120)
    }

    @Test("Every prefix of a packet is truncated, none more than that")
    func prefixes() throws {
        let vector = try Fixture.vectors("mdns")[1]
        let bytes = Fixture.bytes(hex: vector.hex)
        for count in 0..<bytes.count {
            #expect(throws: DNSError.truncated) { try DNSMessage(ByteBuffer(bytes: bytes.prefix(count))) }
        }
    }

    /// A packet with one question, of these bytes, behind the header.
    private func question(_ bytes: [UInt8]) -> ByteBuffer {
        ByteBuffer(bytes: [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0] + bytes)
    }

    @Test(
        "Bad names have their errors",
        arguments: [
            ([0xC0, 0x0C, 0, 12, 0, 1], .badPointer),
            ([0xC0, 0x0D, 0, 12, 0, 1], .badPointer),
            ([0xC0, 0xFF, 0, 12, 0, 1], .badPointer),
            ([1, 0x61, 0xC0, 0x0C, 0, 12, 0, 1], .badPointer),
            ([0x40, 0x61, 0, 0, 12, 0, 1], .badLabel),
            ([0x80, 0x61, 0, 0, 12, 0, 1], .badLabel),
            ([63, 0x61], .truncated),
            ([0xC0], .truncated),
            ([0], .truncated),
            ([UInt8](repeating: 1, count: 300), .nameTooLong),
        ] as [([UInt8], DNSError)])
    func badNames(bytes: [UInt8], error: DNSError) {
        #expect(throws: error) { try DNSMessage(question(bytes)) }
    }

    @Test("A compressed name is followed backwards, in a record's data too")
    func compression() throws {
        var bytes: [UInt8] = [0, 0, 0x84, 0, 0, 0, 0, 2, 0, 0, 0, 0]
        bytes += [4] + Array("_P2p".utf8) + [4] + Array("_udp".utf8) + [5] + Array("local".utf8) + [0]
        bytes += [0, 12, 0, 1, 0, 0, 0, 9, 0, 4, 1, 0x78, 0xC0, 0x0C]
        bytes += [1, 0x78, 0xC0, 0x0C] + [0, 33, 0x80, 1, 0, 0, 0, 9, 0, 8, 0, 0, 0, 0, 0x0F, 0xA1, 0xC0, 0x16]
        // The same packet behind other bytes of its buffer: pointers count from the packet's start.
        var shifted = ByteBuffer(bytes: [9, 9, 9] + bytes)
        shifted.moveReaderIndex(forwardBy: 3)
        for packet in [ByteBuffer(bytes: bytes), shifted] {
            let message = try DNSMessage(packet)
            #expect(message.answers[0].name == Self.p2p)
            #expect(message.answers[0].data == .ptr(Self.p2p.prefixed(by: "x")))
            #expect(message.answers[1].name == Self.p2p.prefixed(by: "x"))
            #expect(message.answers[1].data == .srv(port: 4001, target: DNSName(labels: [Array("local".utf8)])))
        }
    }

    @Test("A chain of pointers ends at its limit")
    func pointerChain() throws {
        // One record's text holds a root and pointers, each to the one before; the next record's name points there.
        func packet(pointers: Int) -> ByteBuffer {
            var chain: [UInt8] = [0, 0, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 16, 0, 1, 0, 0, 0, 0]
            let strings = pointers * 2
            chain += [UInt8(truncatingIfNeeded: (strings + 2) >> 8), UInt8(truncatingIfNeeded: strings + 2)]
            chain += [UInt8(truncatingIfNeeded: strings + 1), 0]
            var target = chain.count - 1
            for _ in 0..<pointers {
                chain += [0xC0 | UInt8(truncatingIfNeeded: target >> 8), UInt8(truncatingIfNeeded: target)]
                target = chain.count - 2
            }
            chain += [0xC0 | UInt8(truncatingIfNeeded: target >> 8), UInt8(truncatingIfNeeded: target)]
            chain += [0, 16, 0, 1, 0, 0, 0, 0, 0, 0]
            return ByteBuffer(bytes: chain)
        }
        #expect(throws: Never.self) { try DNSMessage(packet(pointers: Limits.dnsPointers - 1)) }
        #expect(throws: DNSError.badPointer) { try DNSMessage(packet(pointers: Limits.dnsPointers)) }
    }

    @Test(
        "Bad records have their errors",
        arguments: [
            (1, [1, 2, 3], .badRecord(type: 1)),
            (28, [1, 2, 3, 4], .badRecord(type: 28)),
            (12, [0, 0], .badRecord(type: 12)),
            (33, [0, 0, 0, 0, 1], .badRecord(type: 33)),
            (16, [5, 1, 2], .badRecord(type: 16)),
            (16, [UInt8](repeating: 0, count: 65), .tooManyStrings),
        ] as [(UInt8, [UInt8], DNSError)])
    func badRecords(type: UInt8, data: [UInt8], error: DNSError) {
        let head: [UInt8] = [0, 0, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, type, 0, 1, 0, 0, 0, 0]
        let packet = ByteBuffer(bytes: head + [0, UInt8(data.count)] + data)
        #expect(throws: error) { try DNSMessage(packet) }
    }

    @Test("Counts and lengths beyond the limits are refused before anything is read")
    func limits() {
        let counts: [UInt8] = [0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]
        #expect(throws: DNSError.tooManyRecords(4 * 65_535)) { try DNSMessage(ByteBuffer(bytes: counts)) }
        #expect(throws: DNSError.tooLong) { try DNSMessage(ByteBuffer(repeating: 0, count: 9001)) }
    }

    @Test("Names compare without case and refuse what no wire carries")
    func names() {
        #expect(DNSName("_P2P._UDP.Local.") == Self.p2p)
        #expect(Self.p2p.description == "_p2p._udp.local.")
        #expect(DNSName("") == nil)
        #expect(DNSName(String(repeating: "x", count: 64)) == nil)
        #expect(DNSName(Array(repeating: "abcdefg", count: 32).joined(separator: ".")) == nil)
        #expect(Self.p2p.prefixed(by: "x").parent == Self.p2p)
        #expect(DNSName(labels: []).parent == nil)
    }

    @Test("Random changes of a packet never do more than fail", arguments: 0..<10 as Range<UInt64>)
    func fuzz(seed: UInt64) throws {
        var entropy = Entropy.seeded(seed)
        let bytes = Fixture.bytes(hex: try Fixture.vectors("mdns")[1].hex)
        for _ in 0..<500 {
            var changed = bytes
            for _ in 0..<Int.random(in: 1...10, using: &entropy) {
                changed[Int.random(in: 0..<changed.count, using: &entropy)] = UInt8.random(in: 0...255, using: &entropy)
            }
            if let message = try? DNSMessage(ByteBuffer(bytes: changed)) {
                _ = message.packet
            }
        }
    }
}
