import NIOCore
import Testing
import Wire

@testable import GossipSub

/// Routers joined by reliable ordered links, in virtual time.
struct Network {
    private struct Event {
        let time: NIODeadline
        let number: Int
        let input: Router.Input
        let node: Int
    }
    var routers: [Router] = []
    private var ids: [PeerID: Int] = [:]
    private var events: [Event] = []  // sorted by time, then number
    private var eventCount = 0
    private var entropy: Entropy
    private(set) var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    /// What every node delivered, in order.
    private(set) var delivered: [[GossipMessage]] = []
    private(set) var trace: [String] = []
    /// In how many of 100 cases a frame with messages is lost, as when a node's queue is full.
    var loss: UInt64 = 0

    init(_ count: Int, seed: UInt64, parameters: GossipParameters = .init()) throws {
        entropy = .seeded(seed)
        for index in 0..<count {
            let key = try identity(1000 + index)
            routers.append(
                Router(
                    identity: key, parameters: parameters, firstSequenceNumber: UInt64(index) << 32 | 1,
                    entropy: entropy.split()))
            ids[key.peerID] = index
            delivered.append([])
        }
    }

    func id(_ node: Int) -> PeerID { routers[node].identity.peerID }

    private mutating func schedule(_ input: Router.Input, at node: Int, after delay: TimeAmount) {
        eventCount += 1
        let event = Event(time: now + delay, number: eventCount, input: input, node: node)
        let index = events.lastIndex { $0.time <= event.time }.map { $0 + 1 } ?? 0
        events.insert(event, at: index)
    }

    mutating func feed(_ input: Router.Input, to node: Int) throws {
        routers[node].handle(input, now: now)
        while let output = routers[node].poll() {
            if case .send(let frame, let peer) = output {
                trace.append("\(now.uptimeNanoseconds) \(node) → \(peer.suffix()) \(frame.readableBytes)")
            } else {
                trace.append("\(now.uptimeNanoseconds) \(node) \(output)")
            }
            switch output {
            case .send(let frame, let peer):
                var copy = frame
                let body = try #require(try copy.readFrame(limit: Limits.gossipReceived))
                #expect(frame.readableBytes <= Limits.gossipSent)
                if try !RPC(body).messages.isEmpty, entropy.next() % 100 < loss { continue }
                let target = try #require(ids[peer])
                // The same delay for every frame keeps a link in order.
                schedule(.received(frame, from: id(node)), at: target, after: .milliseconds(20))
            case .message(let message): delivered[node].append(message)
            case .misbehaved, .publishFailed: Issue.record("node \(node): \(output)")
            default: break
            }
        }
    }

    mutating func link(_ dialer: Int, _ listener: Int) throws {
        try feed(.peerConnected(id(listener), version: .v11, dialed: true, dialect: .fromSequence), to: dialer)
        try feed(.peerConnected(id(dialer), version: .v11, dialed: false, dialect: .fromSequence), to: listener)
    }

    mutating func unlink(_ one: Int, _ other: Int) throws {
        try feed(.peerDisconnected(id(other)), to: one)
        try feed(.inboundClosed(id(other)), to: one)
        try feed(.peerDisconnected(id(one)), to: other)
        try feed(.inboundClosed(id(one)), to: other)
        let ends = [one: id(other), other: id(one)]
        events.removeAll { event in
            guard case .received(_, let from) = event.input else { return false }
            return ends[event.node] == from
        }
    }

    mutating func run(_ time: TimeAmount) throws {
        let end = now + time
        while true {
            var next = end
            var node: Int?
            for (index, router) in routers.enumerated() where router.deadline < next {
                next = router.deadline
                node = index
            }
            if let event = events.first, event.time <= next, event.time < end {
                events.removeFirst()
                now = max(now, event.time)
                try feed(event.input, to: event.node)
            } else if let node {
                now = max(now, next)
                try feed(.tick, to: node)
            } else {
                break
            }
        }
        now = end
    }

    mutating func joinAll() throws {
        for node in routers.indices { try feed(.join(.chat), to: node) }
    }

    mutating func say(_ text: String, _ node: Int) throws {
        try feed(.publish(.chat, ByteBuffer(string: text), request: 0), to: node)
    }

    /// Expects every one of `texts`, each as often as it stands there, at every node but its author's.
    func expectAll(_ said: [(node: Int, text: String)]) {
        for node in routers.indices {
            let expected = said.filter { $0.node != node }.map(\.text).sorted()
            #expect(delivered[node].map(\.data.text).sorted() == expected, "node \(node)")
            #expect(Set(delivered[node].map(\.id)).count == delivered[node].count, "node \(node) got one twice")
        }
    }

    mutating func linkAll() throws {
        for one in routers.indices {
            for other in routers.indices where other > one { try link(one, other) }
        }
    }
}

@Suite("Networks of routers in virtual time")
struct NetworkTests {
    /// The parameters with which a message depends on mesh and gossip alone.
    private var meshOnly: GossipParameters {
        var parameters = GossipParameters()
        parameters.floodPublish = false
        return parameters
    }

    private func conversation(
        _ network: inout Network, _ count: Int, every pause: TimeAmount = .milliseconds(130)
    ) throws -> [(node: Int, text: String)] {
        var said: [(node: Int, text: String)] = []
        for number in 0..<count {
            let node = number * 7 % network.routers.count
            // Some are equal, and are two messages all the same.
            let text = number % 5 == 0 ? "hi" : "message \(number)"
            said.append((node, text))
            try network.say(text, node)
            try network.run(pause)
        }
        return said
    }

    @Test("Twenty in one room: everyone gets everything once, and meshes keep their bounds", arguments: [1, 2, 3])
    func room(_ seed: UInt64) throws {
        var network = try Network(20, seed: seed, parameters: meshOnly)
        try network.linkAll()
        try network.joinAll()
        try network.run(.seconds(4))
        for node in 0..<20 {
            let degree = network.routers[node].mesh(of: .chat).count
            #expect((5...12).contains(degree), "node \(node) has \(degree)")
            #expect(network.routers[node].peers(in: .chat).count == 19)
        }
        // Meshes are mutual.
        for one in 0..<20 {
            for other in network.routers[one].mesh(of: .chat) {
                let index = try #require((0..<20).first { network.id($0) == other })
                #expect(network.routers[index].mesh(of: .chat).contains(network.id(one)))
            }
        }
        let said = try conversation(&network, 40)
        try network.run(.seconds(3))
        network.expectAll(said)
    }

    @Test("A first message, before there is any mesh, reaches everyone by flood publishing")
    func firstMessage() throws {
        var network = try Network(8, seed: 5)
        try network.joinAll()
        try network.linkAll()
        try network.run(.milliseconds(50))
        try network.say("first", 3)
        try network.run(.milliseconds(40))
        network.expectAll([(3, "first")])
    }

    @Test("What was said up to three seconds before a peer came reaches it")
    func newcomer() throws {
        var network = try Network(2, seed: 4)
        try network.joinAll()
        try network.run(.seconds(2))
        try network.say("is anybody here?", 0)
        try network.run(.milliseconds(1500))
        try network.link(0, 1)
        try network.run(.milliseconds(1500))
        network.expectAll([(0, "is anybody here?")])
    }

    @Test("A line of ten: every message walks it, both ways")
    func line() throws {
        var network = try Network(10, seed: 6)
        try network.joinAll()
        for node in 0..<9 { try network.link(node, node + 1) }
        try network.run(.seconds(3))
        let said = try conversation(&network, 20)
        try network.run(.seconds(3))
        network.expectAll(said)
        let inner = network.routers[4].mesh(of: .chat)
        #expect(inner == [network.id(3), network.id(5)].sorted())
    }

    @Test("A sparse ring with chords works like a room")
    func sparse() throws {
        var network = try Network(15, seed: 8)
        try network.joinAll()
        for node in 0..<15 {
            try network.link(node, (node + 1) % 15)
            if node % 3 == 0 { try network.link(node, (node + 5) % 15) }
        }
        try network.run(.seconds(3))
        let said = try conversation(&network, 20)
        try network.run(.seconds(3))
        network.expectAll(said)
    }

    @Test("Half of all frames with messages lost: gossip brings what the mesh lost", arguments: [11, 12])
    func loss(_ seed: UInt64) throws {
        var network = try Network(20, seed: seed, parameters: meshOnly)
        try network.linkAll()
        try network.joinAll()
        try network.run(.seconds(4))
        network.loss = 50
        let said = try conversation(&network, 10, every: .milliseconds(300))
        network.loss = 0
        try network.run(.seconds(6))
        network.expectAll(said)
        #expect(network.routers.reduce(0) { $0 + $1.statistics.answered } > 0)
    }

    @Test("A node that comes late, and one that leaves and returns, are in the mesh within seconds")
    func churn() throws {
        var network = try Network(8, seed: 13)
        try network.joinAll()
        for one in 0..<7 { for other in one + 1..<7 { try network.link(one, other) } }
        try network.run(.seconds(3))
        for other in 0..<7 { try network.link(7, other) }
        try network.run(.seconds(2))
        #expect(!network.routers[7].mesh(of: .chat).isEmpty)
        for other in 1..<8 { try network.unlink(0, other) }
        try network.run(.seconds(2))
        #expect(network.routers[0].peers(in: .chat).isEmpty)
        for other in 1..<8 { try network.link(0, other) }
        try network.run(.seconds(2))
        let said = try conversation(&network, 16)
        try network.run(.seconds(3))
        network.expectAll(said)
    }

    @Test("The same seed gives the same trace, another seed another one")
    func determinism() throws {
        func run(_ seed: UInt64) throws -> [String] {
            var network = try Network(12, seed: seed, parameters: meshOnly)
            try network.linkAll()
            try network.joinAll()
            try network.run(.seconds(2))
            network.loss = 20
            _ = try conversation(&network, 5)
            try network.run(.seconds(3))
            return network.trace
        }
        let first = try run(21)
        #expect(try run(21) == first)
        #expect(try run(22) != first)
    }
}
