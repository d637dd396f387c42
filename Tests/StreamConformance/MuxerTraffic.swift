package import Channels
package import NIOCore
package import Wire

/// Two ends of something that carries streams, as the conformance suite drives it. Side 0 dialed side 1.
package protocol MuxerPair: AnyObject {
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
///
/// What is wrong is returned in words, so that tests of any room can use it.
package struct MuxerTraffic {
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
    private var problems: [String] = []

    package init(seed: UInt64) {
        entropy = .seeded(seed)
    }

    /// Runs `steps` random acts, closes everything, and says what is wrong; nothing, if all is well.
    package mutating func run(_ pair: some MuxerPair, steps: Int, resets: Bool) throws -> [String] {
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
        return problems
    }

    private mutating func require(_ holds: Bool, _ problem: @autoclosure () -> String) {
        if !holds { problems.append(problem()) }
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
            require(known[side].insert(id).inserted, "accepted twice")
        case .received(let id, let bytes):
            let key = Key(id: id, sender: 1 - side)
            require(flows[key]?.ended != true, "data after the end")
            require(ends[side][id] == nil, "data after the close")
            flows[key, default: Flow()].received += bytes.readableBytesView
            flows[key]?.unconsumed += bytes.readableBytes
        case .endOfStream(let id): flows[Key(id: id, sender: 1 - side), default: Flow()].ended = true
        case .streamClosed(let id, let end):
            require(ends[side].updateValue(end, forKey: id) == nil, "closed twice")
        case .streamRefused(let id, let why):
            require(wasReset.contains(id), "refused \(why)")
            require(ends[side].updateValue(.reset, forKey: id) == nil, "refused after its end")
        case .closed(let error): problems.append("closed \(String(describing: error))")
        default: break
        }
    }

    private mutating func check(_ pair: some MuxerPair) {
        for (key, flow) in flows {
            if wasReset.contains(key.id) {
                require(
                    flow.received == Array(flow.sent.prefix(flow.received.count)),
                    "stream \(key.id) of \(key.sender): not what was sent")
            } else {
                require(
                    flow.received == flow.sent,
                    "stream \(key.id) of \(key.sender): \(flow.received.count) of \(flow.sent.count) bytes")
                require(flow.ended, "stream \(key.id) of \(key.sender): no end")
            }
        }
        for side in 0...1 {
            require(pair.streamCount(on: side) == 0, "streams left on side \(side)")
            for id in known[side] {
                let end = ends[side][id]
                require(end != nil, "stream \(id) never ended")
                if !wasReset.contains(id) { require(end == .finished, "stream \(id) on side \(side): \(end as Any)") }
            }
        }
    }
}
