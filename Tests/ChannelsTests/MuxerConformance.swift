import NIOCore
import Testing
import Wire

@testable import Channels

/// Two ends of something that carries streams, as the conformance suite drives it. Side 0 dialed side 1.
protocol MuxerPair: AnyObject {
    func open(on side: Int) throws -> StreamID
    func write(_ bytes: ByteBuffer, to id: StreamID, on side: Int)
    func closeWrite(_ id: StreamID, on side: Int)
    func reset(_ id: StreamID, on side: Int)
    func consumed(_ count: Int, of id: StreamID, on side: Int)
    /// Moves some bytes, chosen by the generator; false when nothing is on its way.
    func step(using entropy: inout Entropy) -> Bool
    func takeEvents(of side: Int) -> [Connection.Output]
    func streamCount(on side: Int) -> Int
}

/// Random traffic over a muxer: everything arrives once and in order, every stream ends once on each side that
/// knew it, no stream is left over. One seed is one run.
struct MuxerTraffic {
    /// One direction of one stream.
    private struct Flow {
        var sent: [UInt8] = []
        var received: [UInt8] = []
        var isClosed = false
        var ended = false
        var unconsumed = 0
    }
    private struct Key: Hashable, Comparable {
        let id: StreamID
        let sender: Int
        static func < (left: Key, right: Key) -> Bool { (left.id, left.sender) < (right.id, right.sender) }
    }

    private var entropy: Entropy
    private var flows: [Key: Flow] = [:]
    private var known: [Set<StreamID>] = [[], []]
    private var ends: [[StreamID: StreamEnd]] = [[:], [:]]
    private var wasReset: Set<StreamID> = []
    private let seed: UInt64

    init(seed: UInt64) {
        self.seed = seed
        entropy = .seeded(seed)
    }

    mutating func run(_ pair: some MuxerPair, steps: Int, resets: Bool) throws {
        for _ in 0..<steps {
            try act(on: pair, resets: resets)
            _ = pair.step(using: &entropy)
            note(pair)
        }
        for side in 0...1 {
            for id in known[side].sorted() where ends[side][id] == nil { pair.closeWrite(id, on: side) }
        }
        for key in flows.keys { flows[key]?.isClosed = true }
        repeat {
            note(pair)
            for key in flows.keys.sorted() { consume(key, all: true, pair) }
            // A stream first heard of now is closed as well.
            for side in 0...1 {
                for id in known[side].sorted() where ends[side][id] == nil { pair.closeWrite(id, on: side) }
            }
        } while pair.step(using: &entropy)
        note(pair)
        check(pair)
    }

    private mutating func act(on pair: some MuxerPair, resets: Bool) throws {
        let side = Int.random(in: 0...1, using: &entropy)
        let live = known[side].subtracting(ends[side].keys).sorted()
        switch Int.random(in: 0..<100, using: &entropy) {
        case 0..<10 where live.count < 30:
            let id = try pair.open(on: side)
            known[side].insert(id)
        case 10..<60:
            guard let id = live.randomElement(using: &entropy) else { return }
            let key = Key(id: id, sender: side)
            guard flows[key]?.isClosed != true else { return }
            let limit = [10, 1000, 40_000].randomElement(using: &entropy) ?? 1
            let bytes = entropy.bytes(Int.random(in: 1...limit, using: &entropy))
            flows[key, default: Flow()].sent += bytes
            pair.write(ByteBuffer(bytes: bytes), to: id, on: side)
        case 60..<68:
            guard let id = live.randomElement(using: &entropy) else { return }
            flows[Key(id: id, sender: side), default: Flow()].isClosed = true
            pair.closeWrite(id, on: side)
        case 68..<70 where resets:
            guard let id = live.randomElement(using: &entropy) else { return }
            wasReset.insert(id)
            pair.reset(id, on: side)
        default:
            guard let key = flows.keys.sorted().randomElement(using: &entropy) else { return }
            consume(key, all: false, pair)
        }
    }

    private mutating func consume(_ key: Key, all: Bool, _ pair: some MuxerPair) {
        guard let flow = flows[key], flow.unconsumed > 0 else { return }
        let count = all ? flow.unconsumed : Int.random(in: 1...flow.unconsumed, using: &entropy)
        flows[key]?.unconsumed -= count
        pair.consumed(count, of: key.id, on: 1 - key.sender)
    }

    private mutating func note(_ pair: some MuxerPair) {
        for side in 0...1 {
            for event in pair.takeEvents(of: side) { note(event, side) }
        }
    }

    private mutating func note(_ event: Connection.Output, _ side: Int) {
        switch event {
        case .streamAccepted(let id, _):
            #expect(known[side].insert(id).inserted, "accepted twice, seed \(seed)")
        case .received(let id, let bytes):
            let key = Key(id: id, sender: 1 - side)
            #expect(flows[key]?.ended != true, "data after the end, seed \(seed)")
            #expect(ends[side][id] == nil, "data after the close, seed \(seed)")
            flows[key, default: Flow()].received += bytes.readableBytesView
            flows[key]?.unconsumed += bytes.readableBytes
        case .endOfStream(let id): flows[Key(id: id, sender: 1 - side), default: Flow()].ended = true
        case .streamClosed(let id, let end):
            #expect(ends[side].updateValue(end, forKey: id) == nil, "closed twice, seed \(seed)")
        case .streamRefused(let id, let why):
            #expect(wasReset.contains(id), "refused \(why), seed \(seed)")
            #expect(ends[side].updateValue(.reset, forKey: id) == nil, "refused after its end, seed \(seed)")
        case .closed(let error): Issue.record("closed \(String(describing: error)), seed \(seed)")
        default: break
        }
    }

    private func check(_ pair: some MuxerPair) {
        for (key, flow) in flows {
            if wasReset.contains(key.id) {
                #expect(flow.received == Array(flow.sent.prefix(flow.received.count)), "seed \(seed)")
            } else {
                #expect(flow.received == flow.sent, "stream \(key.id) of \(key.sender), seed \(seed)")
                #expect(flow.ended, "stream \(key.id), seed \(seed)")
            }
        }
        for side in 0...1 {
            #expect(pair.streamCount(on: side) == 0, "seed \(seed)")
            for id in known[side] {
                let end = ends[side][id]
                #expect(end != nil, "stream \(id) never ended, seed \(seed)")
                if !wasReset.contains(id) { #expect(end == .finished, "stream \(id), seed \(seed)") }
            }
        }
    }
}

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
        try traffic.run(ConnectionPair(pair), steps: 300, resets: seed % 2 == 0)
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
            try traffic.run(ConnectionPair(pair), steps: 100, resets: true)
            return (pair.dialer.bytesSent, pair.listener.bytesSent)
        }
        let (one, two) = (try trace(), try trace())
        #expect(one == two)
    }
}
