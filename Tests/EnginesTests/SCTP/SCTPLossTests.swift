import NIOCore
import Testing
import WebRTC
import Wire

@testable import Engines

/// A megabyte each (where a third is lost, an eighth of it) over paths that lose, reorder, repeat and delay.
@Suite struct SCTPLossTests {
    /// Loss, duplicates, delay, and how long a megabyte may take: what the timers explain, with room.
    private static let paths: [(faults: PathFaults, limit: TimeAmount)] = [
        (PathFaults(delay: 1...1), .seconds(2)),
        (PathFaults(delay: 5...40), .seconds(10)),
        (PathFaults(loss: 0.01, duplicates: 0.05, delay: 2...10), .seconds(20)),
        (PathFaults(loss: 0.05, delay: 20...60), .seconds(90)),
        (PathFaults(loss: 0.1, duplicates: 0.1, delay: 1...30), .seconds(240)),
        (PathFaults(loss: 0.3, delay: 5...20), .seconds(600)),
        (PathFaults(loss: 0.02, delay: 120...120), .seconds(120)),
    ]

    private static let transfer: [SCTPMessage] = (0..<64).map { message($0, bytes: 16_384) }

    @Test func `Reliable messages all arrive, in order, within the time the timers explain`() async {
        await #expect(processExitsWith: .success) { try SCTPLossTests.reliable(isUnordered: false) }
    }

    @Test func `Reliable unordered messages all arrive once`() async {
        await #expect(processExitsWith: .success) { try SCTPLossTests.reliable(isUnordered: true) }
    }

    private static func reliable(isUnordered: Bool) throws {
        for (number, path) in paths.enumerated() {
            let pair = try SCTPPair.connected(path.faults, seed: UInt64(number + 1))
            var messages = path.faults.loss < 0.2 ? transfer : Array(transfer.prefix(8))
            for index in messages.indices { messages[index].isUnordered = isUnordered }
            try pair.transfer(messages, atMost: path.limit) { pair.received[1].count == messages.count }
            if isUnordered {
                let arrived = Set(pair.received[1])
                #expect(arrived.count == messages.count && arrived == Set(messages))
            } else {
                #expect(pair.received[1] == messages)
            }
            // A lost retransmission waits for a timer; each further loss of it doubles that, up to ten seconds.
            #expect(pair.longestSilence <= (path.faults.loss < 0.2 ? .seconds(12) : .seconds(60)))
            #expect(pair.run(atMost: .seconds(120)) { pair.a?.bufferedBytes == 0 })
        }
    }

    @Test func `What is not reliable never stalls, never repeats, and leaves nothing behind`() async {
        await #expect(processExitsWith: .success) {
            let modes: [Reliability] = [.maxRetransmits(0), .maxRetransmits(2), .maxLifetime(50), .maxLifetime(1000)]
            for (index, mode) in modes.enumerated() {
                for isUnordered in [false, true] {
                    let faults = PathFaults(loss: 0.1, duplicates: 0.02, delay: 5...25)
                    let pair = try SCTPPair.connected(faults, seed: UInt64(index + 40))
                    // One packet each, and some of several.
                    let messages = (0..<900).map {
                        message($0, bytes: $0 % 10 == 0 ? 3000 : 1000, isUnordered: isUnordered, mode)
                    }
                    let end = try #require(pair.a)
                    try pair.transfer(messages, atMost: .seconds(300)) { end.bufferedBytes == 0 }
                    let count = pair.received[1].count
                    #expect(count > 500 && count <= 900, "\(mode) \(count)")
                    if mode == .maxRetransmits(0) { #expect(count < 900) }
                    #expect(
                        pair.received[1].allSatisfy { $0.bytes.readableBytes == 1000 || $0.bytes.readableBytes == 3000 }
                    )
                    // Reliable ones on the same stream still get through after all that was given up.
                    pair.faults = .clean
                    try end.send(message(1, bytes: 77), now: pair.now)
                    #expect(pair.run(atMost: .seconds(30)) { pair.received[1].last?.bytes.readableBytes == 77 })
                    #expect(pair.events[1] == [.connected])
                }
            }
        }
    }

    @Test func `Messages that are never retransmitted are never retransmitted`() async {
        await #expect(processExitsWith: .success) {
            let pair = try SCTPPair.connected(PathFaults(loss: 0.2, delay: 5...5), seed: 3)
            let end = try #require(pair.a)
            let messages = (0..<300).map { message($0, bytes: 500, isUnordered: true, .maxRetransmits(0)) }
            try pair.transfer(messages, atMost: .seconds(60)) { end.bufferedBytes == 0 }
            #expect(end.statistics.retransmittedChunks == 0)
            #expect((150..<300).contains(pair.received[1].count))
        }
    }

    @Test func `A path that is gone ends the association in bounded time`() async {
        await #expect(processExitsWith: .success) {
            let pair = try SCTPPair.connected()
            pair.faults.loss = 1
            try pair.a?.send(message(1, bytes: 5000), now: pair.now)
            let isClosed = pair.run(atMost: .seconds(120)) {
                if case .closed(.some) = pair.events[0].last { true } else { false }
            }
            #expect(isClosed)
            // The other one waits for nothing: ICE tells it.
            #expect(pair.events[1] == [.connected])
        }
    }

    @Test func `The path may come back within a minute`() async {
        await #expect(processExitsWith: .success) {
            let pair = try SCTPPair.connected()
            pair.faults.loss = 1
            try pair.a?.send(message(1, bytes: 5000), now: pair.now)
            pair.run(for: .seconds(25))
            pair.faults.loss = 0
            #expect(pair.run(atMost: .seconds(11)) { pair.received[1].count == 1 })
        }
    }
}
