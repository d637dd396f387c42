import Foundation
import NIOCore
import Testing
import WebRTC
import Wire

@testable import Engines

/// Bytes this process has in memory; nil where that says nothing, because the address sanitizer keeps what was freed.
func residentBytes() -> Int? {
    guard dlsym(nil, "__asan_init") == nil, let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
    else { return nil }
    let fields = text.split(separator: " ")
    return fields.count > 1 ? Int(fields[1]).map { $0 * Int(sysconf(Int32(_SC_PAGESIZE))) } : nil
}

/// Many associations in one process.
@Suite struct SCTPProcessTests {
    @Test func `Fifty associations at once, torn down in the midst of traffic, in every way there is`() async {
        await #expect(processExitsWith: .success) {
            for round in 0..<2 {
                var pairs: [SCTPPair] = []
                for number in 0..<25 {
                    pairs.append(try SCTPPair.connected(PathFaults(loss: 0.02, delay: 1...20), seed: UInt64(number)))
                }
                for pair in pairs {
                    for number in 0..<10 {
                        try pair.a?.send(message(number, bytes: 40_000, stream: UInt16(number)), now: pair.now)
                        try pair.b?.send(message(number, bytes: 4000, stream: UInt16(number)), now: pair.now)
                    }
                    pair.drain()
                    pair.step()
                }
                for (number, pair) in pairs.enumerated() {
                    switch (number + round) % 5 {
                    case 0: pair.a = nil
                    case 1: (pair.a, pair.b) = (nil, nil)
                    case 2: pair.a?.abort(now: pair.now)
                    case 3:
                        pair.a?.resetStreams([1, 2, 3], now: pair.now)
                        pair.b?.abort(now: pair.now)
                        pair.b = nil
                    default: break
                    }
                    pair.drain()
                }
                // The others go on; packets for those that are gone fall into the void.
                SCTPPair.run(pairs, for: .milliseconds(500))
                for (number, pair) in pairs.enumerated() where (number + round) % 5 == 4 {
                    #expect(pair.run(atMost: .seconds(60)) { pair.received[1].count == 10 })
                }
            }
            let last = try SCTPPair.connected()
            #expect(last.isConnected)
        }
    }

    @Test func `Ends that are thrown away in every state of the handshake`() async {
        await #expect(processExitsWith: .success) {
            for steps in 0..<12 {
                for way in 0..<3 {
                    let pair = SCTPPair()
                    pair.a?.start(now: pair.now)
                    pair.b?.start(now: pair.now)
                    pair.drain()
                    for _ in 0..<steps { pair.step() }
                    switch way {
                    case 0: pair.a = nil
                    case 1: pair.a?.abort(now: pair.now)
                    default: (pair.a, pair.b) = (nil, nil)
                    }
                    pair.run(for: .milliseconds(700))
                }
            }
            let last = try SCTPPair.connected()
            #expect(last.isConnected)
        }
    }

    @Test func `Several threads, each with its own associations`() async {
        // In real time, of which there is one: beside the others of the process.
        await #expect(processExitsWith: .success) {
            SystemTime.endInTime()
            try await withThrowingTaskGroup(of: Int.self) { group in
                for thread in 0..<4 { group.addTask { try SCTPProcessTests.converse(thread) } }
                for try await count in group { #expect(count == 4 * 32) }
            }
        }
    }

    private static func converse(_ thread: Int) throws -> Int {
        var received = 0
        for round in 0..<4 {
            let a = UsrsctpAssociation(streams: 64, largestPacket: 1163, largestMessage: 65_536)
            let b = UsrsctpAssociation(streams: 64, largestPacket: 1163, largestMessage: 65_536)
            a.start(now: .now())
            b.start(now: .now())
            var packet = ByteBuffer()
            var sent = 0
            var mine = 0
            let limit = NIODeadline.now() + .seconds(60)
            while mine < 32, NIODeadline.now() < limit {
                while sent < 32, a.outboundStreams > 0 {
                    guard (try? a.send(message(sent, bytes: 30_000), now: .now())) != nil else { break }
                    sent += 1
                }
                while a.nextPacket(into: &packet) { b.received(packet, now: .now()) }
                while b.nextPacket(into: &packet) { a.received(packet, now: .now()) }
                if a.deadline <= .now() { a.timedOut(now: .now()) }
                if b.deadline <= .now() { b.timedOut(now: .now()) }
                while a.poll() != nil {}
                while let event = b.poll() {
                    guard case .received(let next) = event else { continue }
                    #expect(next.bytes == message(mine, bytes: 30_000).bytes)
                    mine += 1
                }
            }
            received += mine
            if (round + thread) % 2 == 0 { a.abort(now: .now()) }
        }
        return received
    }

    @Test func `An idle association is small`() async {
        await #expect(processExitsWith: .success) {
            var pairs = [try SCTPPair.connected()]
            let before = residentBytes()
            for _ in 0..<50 { pairs.append(try SCTPPair.connected(streams: (256, 256))) }
            #expect(pairs.count == 51)
            guard let before, let after = residentBytes() else { return }
            let each = (after - before) / 100
            #expect(each < 128 << 10, "\(each) bytes an end of 256 streams")
        }
    }
}
