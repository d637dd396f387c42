import NIOCore
import Testing
import WebRTC

@testable import WebRTCRuntime

/// The real engines over a bad path, in real time: bounded, so few and small.
@Suite(.serialized, .timeLimit(.minutes(2))) struct LossyLinkTests {
    static let transfers: [(Faults, bytes: Int)] = [
        (Faults(delay: .milliseconds(5)), 1 << 20),
        (Faults(lost: 10, delay: .milliseconds(5), jitter: .milliseconds(2)), 1 << 20),
        (Faults(lost: 50, doubled: 20, delay: .milliseconds(2), jitter: .milliseconds(1)), 1 << 20),
        (Faults(doubled: 300, delay: .milliseconds(5), jitter: .milliseconds(10)), 1 << 20),
        (Faults(lost: 100, doubled: 50, delay: .milliseconds(2)), 1 << 18),
        (Faults(lost: 300, delay: .milliseconds(1)), 1 << 15),
    ]

    @Test("a transfer over a lossy path arrives whole", arguments: transfers)
    func transfer(faults: Faults, bytes: Int) async throws {
        let pair = PeerPair()
        let (near, far, link) = try await LossyLink.open(pair, faults, seed: 7)
        let size = 16_384
        let sending = Task {
            for index in 0..<bytes / size {
                try await near.send(.binary(pattern(size, seed: UInt8(truncatingIfNeeded: index))))
            }
        }
        var messages = far.messages.makeAsyncIterator()
        for index in 0..<bytes / size {
            #expect(try await messages.next() == .binary(pattern(size, seed: UInt8(truncatingIfNeeded: index))))
        }
        try await sending.value
        if faults.lost > 0 {
            let statistics = try #require(await pair.near.statistics())
            #expect(statistics.retransmissions > 0)
        }
        await pair.close()
        try await link.close()
    }

    // ICE repeats after 500 ms, DTLS from 50 ms on, SCTP after 300 to 500 ms, each doubling: how long it takes is chance
    // and the machine's business. The connection's own deadline bounds it, and ends the test with an error.
    @Test("a connection comes about whatever is lost", arguments: [100, 200, 300], 1...4)
    func handshake(lost: Int, seed: Int) async throws {
        let pair = PeerPair()
        let faults = Faults(lost: lost, doubled: 20, delay: .milliseconds(2), jitter: .milliseconds(2))
        let (near, far, link) = try await LossyLink.open(pair, faults, seed: UInt64(seed))
        try await near.send("here")
        var messages = far.messages.makeAsyncIterator()
        #expect(try await messages.next() == .text(ByteBuffer(string: "here")))
        await pair.close()
        try await link.close()
    }
}
