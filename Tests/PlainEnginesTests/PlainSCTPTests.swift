import NIOCore
import Testing
import Wire

@testable import PlainEngines
@testable import WebRTC

@Suite struct PlainSCTPTests {
    private func isData(_ packet: ByteBuffer) -> Bool { packet.getInteger(at: packet.readerIndex, as: UInt8.self) == 2 }

    // MARK: Handshake

    @Test func bothStartAndBothConnectInARoundTrip() {
        let pair = EnginePair()
        let start = pair.now
        pair.connect()
        #expect(pair.now - start == .milliseconds(20))
        #expect(pair.events == [[.connected], [.connected]])
    }

    @Test func nothingIsTakenBeforeTheHandshake() {
        let end = PlainSCTP(streams: 4, largestPacket: 1000, largestMessage: 1000)
        #expect(throws: SCTPSendError.closed) { try end.send(message(0, 1), now: .now()) }
        #expect(end.deadline == .distantFuture)
    }

    @Test(arguments: 0...1) func aLostHandshakeIsRepeated(victim: Int) {
        let pair = EnginePair()
        var lost = 0
        pair.passes = { end, _ in
            guard end == victim, lost < 3 else { return true }
            lost += 1
            return false
        }
        pair.connect()
        #expect(lost == 3 && pair.events == [[.connected], [.connected]])
    }

    @Test func silenceIsGivenUp() {
        let pair = EnginePair()
        pair.loss = 100
        pair.connect()
        pair.run(for: .seconds(60))
        for end in 0...1 {
            guard case .closed(.some)? = pair.events[end].last else {
                Issue.record("\(pair.events[end])")
                continue
            }
            #expect(pair.ends[end].deadline == .distantFuture)
        }
    }

    // MARK: Messages

    @Test(arguments: [(0, 0), (10, 0), (30, 0), (0, 60), (20, 60)])
    func messagesOfEverySizeArriveOnceAndInOrder(loss: Int, jitter: Int64) throws {
        let pair = EnginePair(seed: UInt64(loss + 1))
        pair.connect()
        (pair.loss, pair.jitter) = (loss, .milliseconds(jitter))
        let fit = EnginePair.largestPacket - PlainPacket.overhead
        let messages = [1, fit - 1, fit, fit + 1, 20_000, 100_000, 2, 5000].enumerated().map {
            message(UInt16($0 % 3), $1, seed: $0)
        }
        for end in 0...1 { for message in messages { try pair.at(end) { try $0.send(message, now: $1) } } }
        pair.run(for: .seconds(120)) { pair in
            (0...1).allSatisfy { pair.messages(at: $0).count == messages.count && pair.ends[$0].bufferedBytes == 0 }
        }
        for end in 0...1 {
            for stream: UInt16 in 0..<3 {
                let isSame =
                    pair.messages(at: end).filter { $0.stream == stream } == messages.filter { $0.stream == stream }
                #expect(isSame)
            }
            #expect(pair.ends[end].bufferedBytes == 0)
            #expect((pair.ends[end].statistics.retransmittedChunks > 0) == (loss > 0 || jitter > 0))
        }
    }

    @Test func sizesAndStreamsAreChecked() {
        let pair = EnginePair(streams: 4, largestMessage: 1000)
        pair.connect()
        #expect(throws: SCTPSendError.tooLarge) { try pair.ends[0].send(message(0, 1001), now: pair.now) }
        #expect(throws: SCTPSendError.noStream) { try pair.ends[0].send(message(4, 1), now: pair.now) }
        #expect(throws: Never.self) { try pair.ends[0].send(message(3, 1000), now: pair.now) }
    }

    @Test func aFullBufferSaysSoAndTellsWhenThereIsRoom() throws {
        let pair = EnginePair()
        pair.connect()
        var sent = 0
        #expect(throws: SCTPSendError.wouldBlock) {
            while sent < 100 {
                try pair.ends[0].send(message(0, 100_000), now: pair.now)
                sent += 1
            }
        }
        #expect(sent == (1 << 20) / 100_000)
        pair.run(for: .seconds(30))
        #expect(pair.events[0].filter { $0 == .writable }.count == 1)
        #expect(pair.messages(at: 1).count == sent)
    }

    @Test func whoTakesNothingMakesTheOtherWait() throws {
        let pair = EnginePair()
        pair.connect()
        pair.at(1) { $0.setReceiving(false, now: $1) }
        let messages = (0..<5).map { message(1, 3000, seed: $0) }
        for message in messages { try pair.at(0) { try $0.send(message, now: $1) } }
        pair.run(for: .seconds(60))
        #expect(pair.messages(at: 1).isEmpty && pair.events == [[.connected], [.connected]])
        pair.at(1) { $0.setReceiving(true, now: $1) }
        pair.run(for: .seconds(5))
        #expect(pair.messages(at: 1) == messages && pair.ends[0].bufferedBytes == 0)
    }

    // MARK: Partial reliability

    @Test func whatIsSentOnceIsLostWithItsPacket() throws {
        let pair = EnginePair()
        pair.connect()
        pair.passes = { end, packet in end == 1 || !self.isData(packet) }
        try pair.at(0) { try $0.send(message(0, 10, isUnordered: true, .maxRetransmits(0)), now: $1) }
        pair.run(for: .milliseconds(100))
        pair.passes = { _, _ in true }
        let next = message(0, 10, seed: 1, isUnordered: true, .maxRetransmits(0))
        try pair.at(0) { try $0.send(next, now: $1) }
        pair.run(for: .seconds(10))
        #expect(pair.messages(at: 1) == [next.received])
        #expect(pair.ends[0].bufferedBytes == 0 && pair.ends[0].statistics.retransmittedChunks == 0)
    }

    @Test(arguments: 1...3 as ClosedRange<UInt16>) func retransmissionsAreCounted(limit: UInt16) throws {
        let pair = EnginePair()
        pair.connect()
        var transmissions = 0
        pair.passes = { end, packet in
            guard end == 0, self.isData(packet) else { return true }
            transmissions += 1
            return false
        }
        try pair.at(0) { try $0.send(message(0, 10, .maxRetransmits(limit)), now: $1) }
        pair.run(for: .seconds(60))
        #expect(transmissions == 1 + Int(limit))
        #expect(pair.ends[0].bufferedBytes == 0 && pair.messages(at: 1).isEmpty)
    }

    @Test func aLifetimeEndsAndTheOrderGoesOn() throws {
        let pair = EnginePair()
        pair.connect()
        pair.passes = { end, packet in end == 1 || !self.isData(packet) }
        // Several packets, and ordered: what follows on the stream waits for them or for word of their end.
        try pair.at(0) { try $0.send(message(0, 5000, .maxLifetime(200)), now: $1) }
        let next = message(0, 10, seed: 1)
        try pair.at(0) { try $0.send(next, now: $1) }
        pair.run(for: .milliseconds(300))
        pair.passes = { _, _ in true }
        pair.run(for: .seconds(30))
        #expect(pair.messages(at: 1) == [next])
        #expect(pair.ends[0].bufferedBytes == 0)
    }

    // MARK: Streams

    @Test func aResetWaitsForWhatWasSentBefore() throws {
        let pair = EnginePair()
        pair.connect()
        pair.loss = 20
        for number in 0..<5 { try pair.at(0) { try $0.send(message(2, 3000, seed: number), now: $1) } }
        pair.at(0) { $0.resetStreams([2, 3], now: $1) }
        pair.run(for: .seconds(60))
        let last = pair.events[1].suffix(2)
        #expect(last.last == .remoteReset([2, 3]) && pair.messages(at: 1).count == 5)
        #expect(pair.events[0].last == .localReset([2, 3], performed: true))
        // And the stream serves again.
        try pair.at(0) { try $0.send(message(2, 1), now: $1) }
        pair.run(for: .seconds(10))
        #expect(pair.messages(at: 1).last == message(2, 1))
    }

    @Test func moreStreamsComeForBoth() throws {
        let pair = EnginePair(streams: 4)
        pair.connect()
        pair.at(0) { $0.addStreams(6, now: $1) }
        pair.run(for: .seconds(1))
        #expect(pair.ends.map(\.outboundStreams) == [10, 10])
        for end in 0...1 { #expect(pair.events[end].contains(.streamsAdded(outbound: 10))) }
        #expect(throws: Never.self) { try pair.ends[1].send(message(9, 1), now: pair.now) }
    }

    @Test func anAbortEndsBothAtOnce() throws {
        let pair = EnginePair()
        pair.connect()
        try pair.at(0) { try $0.send(message(0, 10), now: $1) }
        pair.at(0) { $0.abort(now: $1) }
        pair.run(for: .seconds(1))
        #expect(pair.events.map(\.last) == [.closed(nil), .closed(nil)])
        #expect(throws: SCTPSendError.closed) { try pair.ends[1].send(message(0, 1), now: pair.now) }
        #expect(pair.ends.allSatisfy { $0.deadline == .distantFuture })
    }

    // MARK: Determinism

    @Test func oneSeedGivesOneTraceAndAnotherSeedAnother() throws {
        func trace(_ seed: UInt64) throws -> ([[SCTPEvent]], [Int], NIODeadline) {
            let pair = EnginePair(seed: seed)
            pair.connect()
            (pair.loss, pair.jitter) = (20, .milliseconds(30))
            for number in 0..<20 {
                let how: Reliability = number % 3 == 0 ? .maxRetransmits(0) : .reliable
                let isUnordered = number % 2 == 0
                for end in 0...1 {
                    try pair.at(end) {
                        try $0.send(
                            message(UInt16(number % 5), 2000, seed: number, isUnordered: isUnordered, how), now: $1)
                    }
                }
            }
            pair.run(for: .seconds(60)) { $0.ends.allSatisfy { $0.bufferedBytes == 0 } }
            return (pair.events, pair.packets, pair.now)
        }
        let (one, again, other) = try (trace(1), trace(1), trace(2))
        let isSame = one == again
        #expect(isSame)
        #expect(one.1 != other.1 || one.2 != other.2)
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>) func packetsOfNonsenseNeverTrap(seed: UInt64) {
        let pair = EnginePair()
        pair.connect()
        var entropy = Entropy.seeded(seed)
        for _ in 0..<1000 {
            var bytes = entropy.bytes(Int.random(in: 0...40, using: &entropy))
            if !bytes.isEmpty { bytes[0] = UInt8.random(in: 0...8, using: &entropy) }
            pair.ends[1].received(ByteBuffer(bytes: bytes), now: pair.now)
        }
        #expect(pair.ends[1].bufferedBytes == 0)
    }
}
