import NIOCore
import StreamConformance
import Testing
import Wire

@testable import Channels

/// A ``TestPair`` as the suite sees it.
final class ConnectionPair: MuxerPair {
    let pair: TestPair
    init(_ pair: TestPair) {
        self.pair = pair
        pair.consumes = false
    }
    private func side(_ index: Int) -> Connection { index == 0 ? pair.dialer : pair.listener }

    func open(on side: Int) throws -> StreamID {
        // Both kinds of negotiation.
        let protocols = pair.coin ? ["/echo/1"] : ["/other/1", "/echo/1"]
        pair.coin.toggle()
        return try self.side(side).open(protocols, now: pair.now)
    }
    func write(_ bytes: ByteBuffer, to id: StreamID, on side: Int) {
        self.side(side).write(bytes, to: id, now: pair.now)
    }
    func closeWrite(_ id: StreamID, on side: Int) { self.side(side).closeWrite(id, now: pair.now) }
    func reset(_ id: StreamID, on side: Int) { self.side(side).reset(id, now: pair.now) }
    func consumed(_ count: Int, of id: StreamID, on side: Int) {
        self.side(side).consumed(count, of: id, now: pair.now)
    }
    func streamCount(on side: Int) -> Int { self.side(side).streamCount }
    func takeEvents(of side: Int) -> [Connection.Output] { pair.takeEvents(of: side) }

    func step(using entropy: inout Entropy) -> Bool {
        pair.now = pair.now + .microseconds(Int64.random(in: 0...500, using: &entropy))
        let isBlocked = Int.random(in: 0..<10, using: &entropy) == 0
        if isBlocked { pair.dialer.handle(.pipeWritable(false), now: pair.now) }
        pair.drain()
        if isBlocked { pair.dialer.handle(.pipeWritable(true), now: pair.now) }
        pair.drain()
        let total = pair.toListener.readableBytes + pair.toDialer.readableBytes
        guard total > 0 else { return false }
        let limit = [1, 100, 100_000].randomElement(using: &entropy) ?? 1
        let forth = Bool.random(using: &entropy) ? pair.toListener.readableBytes > 0 : pair.toDialer.readableBytes == 0
        let count = Int.random(in: 1...limit, using: &entropy)
        if forth {
            if let bytes = pair.toListener.readSlice(length: min(count, pair.toListener.readableBytes)) {
                pair.listener.handle(.bytes(bytes), now: pair.now)
            }
        } else if let bytes = pair.toDialer.readSlice(length: min(count, pair.toDialer.readableBytes)) {
            pair.dialer.handle(.bytes(bytes), now: pair.now)
        }
        pair.drain()
        return true
    }
}

@Suite struct MuxerConformance {
    @Test(arguments: 1...12) func randomTrafficArrivesOnceAndInOrder(seed: Int) throws {
        let pair = try TestPair(seed: UInt64(seed))
        pair.start()
        pair.run()
        #expect(pair.takeDialerEvents() == ["established"])
        #expect(pair.takeListenerEvents() == ["established"])
        var traffic = MuxerTraffic(seed: UInt64(seed))
        let problems = try traffic.run(ConnectionPair(pair), steps: 300, resets: seed % 2 == 0)
        #expect(problems == [])
        #expect(pair.listener.heldBytes == 0)
        #expect(pair.dialer.heldBytes == 0)
        #expect(pair.dialer.streams.openStreams.isEmpty && pair.dialer.streams.negotiations.isEmpty)
        #expect(pair.listener.streams.openStreams.isEmpty && pair.listener.streams.negotiations.isEmpty)
        #expect(pair.dialer.streams.session.queuedBytes == 0 && pair.listener.streams.session.queuedBytes == 0)
        #expect(pair.dialer.streams.session.windowGrowth == 0 && pair.listener.streams.session.windowGrowth == 0)
    }

    @Test func aSeedIsARun() throws {
        func trace() throws -> (UInt64, UInt64) {
            let pair = try TestPair(seed: 5)
            pair.start()
            pair.run()
            var traffic = MuxerTraffic(seed: 5)
            let problems = try traffic.run(ConnectionPair(pair), steps: 100, resets: true)
            #expect(problems == [])
            return (pair.dialer.bytesSent, pair.listener.bytesSent)
        }
        let (one, two) = (try trace(), try trace())
        #expect(one == two)
    }
}
