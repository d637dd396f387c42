import GossipSub
import NIOCore
import Simulator
import Testing
import Wire

@testable import Node

/// A relayed connection between two nodes becomes a direct one, and no line is lost, doubled or overtaken.
@Suite struct UpgradeTests {
    private static let room = "universal-connectivity"

    /// A relay, a peer with a reservation there, and one that dials it; both are in the room.
    private static let (relay, listener, dialer) = (1, 2, 3)
    private static let ends = [listener, dialer]

    /// The relayed connection stands at both ends.
    private static func relayed(
        seed: UInt64 = 1, conditions: LinkConditions = LinkConditions(latency: .milliseconds(10)),
        isSignalled: Bool = true
    ) throws -> Simulator {
        let network = Simulator(seed: seed, conditions: conditions)
        var configuration = RelayConfiguration()
        configuration.limit = RelayLimit(seconds: 3600, bytes: 1 << 30)
        _ = try network.addNode { $0.relay = configuration }
        for _ in ends {
            network.give(.join(topic: room), to: try network.addNode { $0.punchesHoles = false })
        }
        try network.listen(listener, through: relay)
        network.run(for: .seconds(5))
        let circuit = try network.address(of: listener, through: relay)
        let webRTC = try Multiaddr("\(circuit)".replacing("/p2p-circuit/", with: "/p2p-circuit/webrtc/"))
        #expect(network.core(listener).ownAddresses.contains(webRTC))
        network.give(.connect(isSignalled ? webRTC : circuit), to: dialer)
        let isUp = network.run(upTo: .seconds(30)) {
            ends.allSatisfy { !network.core($0).openConnections(to: network.peerID(of: 5 - $0)).isEmpty }
        }
        try #require(isUp)
        return network
    }

    private static func paths(_ network: Simulator, at node: Int) -> [String] {
        (network.events[node] ?? []).compactMap { entry in
            if case .path(_, let old, let new) = entry.event { "\(old) → \(new)" } else { nil }
        }
    }

    /// The transports of open connections between the two.
    private static func open(_ network: Simulator, at node: Int) -> [String] {
        network.core(node).openConnections(to: network.peerID(of: 5 - node)).map(\.transport)
    }

    /// Both talk, `count` lines in all, `every` so long.
    private static func talk(_ network: Simulator, lines: Range<Int>, every time: TimeAmount) {
        for line in lines {
            network.give(.publish(topic: room, ByteBuffer(string: "line \(line)")), to: ends[line % 2])
            network.run(for: time)
        }
    }

    private static func expectAll(_ network: Simulator, lines: Range<Int>, _ comment: Comment) {
        let fromFirst = lines.filter { $0 % 2 == 0 }.map { "line \($0)" }
        let fromSecond = lines.filter { $0 % 2 == 1 }.map { "line \($0)" }
        #expect(network.texts(at: dialer) == fromFirst, comment)
        #expect(network.texts(at: listener) == fromSecond, comment)
    }

    @Test func theDirectConnectionTakesOverAndTheRelayedOneEnds() throws {
        let network = try Self.relayed()
        network.run(for: .seconds(10))
        for node in Self.ends {
            #expect(Self.open(network, at: node) == ["webrtc"])
            #expect(Self.paths(network, at: node) == ["relay → webrtc"])
            let all = network.connections(at: node).filter { $0.peer == network.peerID(of: 5 - node) }
            let direct = try #require(all.last)
            #expect(direct.phases.map(\.name) == ["signalling", "STUN", "DTLS", "SCTP", "first stream"])
            #expect(direct.direction == (node == Self.dialer ? .outbound : .inbound))
        }
        let ping = network.give(.ping(network.peerID(of: Self.listener)), to: Self.dialer)
        network.run(for: .seconds(1))
        guard case .pong? = try network.responses[ping]?.get() else {
            Issue.record("no pong")
            return
        }
    }

    @Test(arguments: [
        LinkConditions(latency: .milliseconds(3)),
        LinkConditions(latency: .milliseconds(20), jitter: .milliseconds(40), datagramDuplication: 0.2),
        LinkConditions(latency: .milliseconds(50), jitter: .milliseconds(20), datagramLoss: 0.1),
        LinkConditions(latency: .milliseconds(300)),
        LinkConditions(latency: .milliseconds(30), bandwidth: 20_000),
    ])
    func noLineIsLostOrDoubledOrOvertaken(conditions: LinkConditions) throws {
        for seed in 1...6 as ClosedRange<UInt64> {
            let network = try Self.relayed(seed: seed, conditions: conditions)
            let isMeshed = network.run(upTo: .seconds(30)) {
                Self.ends.allSatisfy { !network.core($0).router.mesh(of: Topic(Self.room)).isEmpty }
            }
            try #require(isMeshed, "seed \(seed)")
            Self.talk(network, lines: 0..<200, every: .milliseconds(31))
            network.run(for: .seconds(40))
            Self.expectAll(network, lines: 0..<200, "seed \(seed)")
            #expect(
                Self.open(network, at: Self.listener) == ["webrtc"] && Self.open(network, at: Self.dialer) == ["webrtc"]
            )
        }
    }

    /// A burst larger than the relayed pipe takes quickly is still on its way when traffic moves.
    @Test func whatIsQueuedOnTheOldConnectionComesFirst() throws {
        let network = try Self.relayed(conditions: LinkConditions(latency: .milliseconds(200)))
        network.run(for: .seconds(2))
        for line in 0..<400 {
            let text = "line \(line) " + String(repeating: "x", count: 500)
            network.give(.publish(topic: Self.room, ByteBuffer(string: text)), to: Self.dialer)
            network.run(for: .milliseconds(7))
        }
        network.run(for: .seconds(30))
        let heard = network.texts(at: Self.listener).map { $0.prefix { $0 != "x" } }
        #expect(heard == (0..<400).map { "line \($0) " })
        #expect(Self.paths(network, at: Self.dialer) == ["relay → webrtc"])
    }

    @Test func aRelayedConnectionThatEndsAtOnceHasChangedToo() throws {
        let network = try Self.relayed()
        let isUp = network.run(upTo: .seconds(20)) { Self.ends.allSatisfy { Self.open(network, at: $0).count == 2 } }
        try #require(isUp)
        let dialer = network.core(Self.dialer)
        for old in dialer.openConnections(to: network.peerID(of: Self.listener)) where old.isRelayed {
            dialer.close(old, reason: nil, now: network.now)
        }
        network.give(.ping(network.peerID(of: Self.relay)), to: Self.dialer)
        network.run(for: .milliseconds(500))
        for node in Self.ends {
            #expect(Self.open(network, at: node) == ["webrtc"])
            #expect(Self.paths(network, at: node) == ["relay → webrtc"])
        }
        network.run(for: .seconds(20))
        for node in Self.ends { #expect(Self.paths(network, at: node) == ["relay → webrtc"]) }
        Self.talk(network, lines: 0..<20, every: .milliseconds(100))
        network.run(for: .seconds(5))
        Self.expectAll(network, lines: 0..<20, "after the end")
    }

    @Test func aFailedUpgradeKeepsTheRelayAndIsTriedAgain() throws {
        for seed in 1...3 as ClosedRange<UInt64> {
            let network = try Self.relayed(seed: seed)
            network.conditions.datagramLoss = 1
            Self.talk(network, lines: 0..<100, every: .milliseconds(500))
            let failed = network.connections(at: Self.dialer).filter { $0.transport == "webrtc" && $0.state == .failed }
            #expect(failed.count >= 2, "seed \(seed)")
            #expect(failed.allSatisfy { $0.reason?.isEmpty == false })
            #expect(Self.open(network, at: Self.dialer) == ["relay"] && Self.paths(network, at: Self.dialer).isEmpty)
            network.conditions.datagramLoss = 0
            Self.talk(network, lines: 100..<300, every: .milliseconds(500))
            network.run(for: .seconds(20))
            Self.expectAll(network, lines: 0..<300, "seed \(seed)")
            #expect(
                Self.open(network, at: Self.listener) == ["webrtc"] && Self.open(network, at: Self.dialer) == ["webrtc"]
            )
        }
    }

    /// The path dies while the relayed connection still drains: back to it, and nothing is lost of what is said then.
    @Test func aDirectConnectionThatDiesEarlyLeavesTheRelayInUse() throws {
        let network = try Self.relayed()
        let isUp = network.run(upTo: .seconds(20)) { Self.open(network, at: Self.dialer).contains("webrtc") }
        try #require(isUp)
        network.conditions.datagramLoss = 1
        network.run(for: .milliseconds(500))
        Self.talk(network, lines: 0..<2, every: .milliseconds(100))
        network.run(for: .minutes(2))
        network.conditions.datagramLoss = 0
        network.run(for: .minutes(6))
        #expect(
            Self.open(network, at: Self.listener) == ["webrtc"] && Self.open(network, at: Self.dialer) == ["webrtc"])
        Self.talk(network, lines: 10..<30, every: .milliseconds(100))
        network.run(for: .seconds(10))
        for node in Self.ends { #expect(network.texts(at: node).count == Set(network.texts(at: node)).count) }
        #expect(
            network.texts(at: Self.listener).suffix(10) == stride(from: 11, to: 30, by: 2).map { "line \($0)" }[...])
        #expect(network.texts(at: Self.dialer).suffix(10) == stride(from: 10, to: 30, by: 2).map { "line \($0)" }[...])
    }

    @Test func theRelayMayLeaveOnceItIsNotNeeded() throws {
        let network = try Self.relayed()
        network.run(for: .seconds(10))
        network.give(.shutdown, to: Self.relay)
        Self.talk(network, lines: 0..<40, every: .milliseconds(200))
        network.run(for: .seconds(20))
        Self.expectAll(network, lines: 0..<40, "without the relay")
        #expect(Self.open(network, at: Self.dialer) == ["webrtc"])
    }

    /// The relay leaves at any moment of the change: as soon as the direct connection stands, nothing is lost but what
    /// the relay itself holds.
    @Test(arguments: [1, 50, 400, 900, 1100, 1500, 2000])
    func theRelayMayLeaveInTheMiddle(milliseconds: Int64) throws {
        let network = try Self.relayed()
        let isUp = network.run(upTo: .seconds(20)) { Self.ends.allSatisfy { Self.open(network, at: $0).count == 2 } }
        try #require(isUp)
        network.run(for: .milliseconds(milliseconds))
        network.give(.shutdown, to: Self.relay)
        network.run(for: .milliseconds(500))
        Self.talk(network, lines: 0..<40, every: .milliseconds(200))
        network.run(for: .seconds(20))
        Self.expectAll(network, lines: 0..<40, "after \(milliseconds) ms")
    }

    @Test func anAddressWithoutWebRTCIsUpgradedToo() throws {
        let network = try Self.relayed(isSignalled: false)
        network.run(for: .seconds(10))
        for node in Self.ends { #expect(Self.open(network, at: node) == ["webrtc"]) }
    }

    @Test func bothMayOfferAtTheSameMoment() throws {
        let network = try Self.relayed()
        // As if both had dialled: each begins at once.
        for node in Self.ends {
            for one in network.core(node).openConnections(to: network.peerID(of: 5 - node)) {
                one.upgrade = .waiting(until: network.now + .milliseconds(500))
            }
        }
        network.run(for: .seconds(30))
        for node in Self.ends { #expect(Self.open(network, at: node) == ["webrtc"]) }
    }

    @Test func twoRelayedConnectionsHandOverToOneAndItIsToldOnce() throws {
        let network = Simulator(seed: 4, conditions: LinkConditions(latency: .milliseconds(10)))
        _ = try network.addNode { $0.relay = RelayConfiguration() }
        for _ in Self.ends { _ = try network.addNode { $0.punchesHoles = false } }
        for node in Self.ends { try network.listen(node, through: Self.relay) }
        network.run(for: .seconds(5))
        for node in Self.ends {
            network.give(.connect(try network.address(of: 5 - node, through: Self.relay)), to: node)
        }
        network.run(for: .milliseconds(200))
        #expect(Self.open(network, at: Self.dialer).filter { $0 == "relay" }.count == 2)
        network.run(for: .seconds(30))
        for node in Self.ends {
            #expect(Self.open(network, at: node) == ["webrtc"])
            #expect(Self.paths(network, at: node) == ["relay → webrtc"])
        }
    }

    @Test func anotherAddressIsFollowedByTheDirectConnection() throws {
        let network = try Self.relayed()
        network.run(for: .seconds(10))
        network.changeAddress(of: Self.dialer)
        Self.talk(network, lines: 0..<40, every: .milliseconds(500))
        network.run(for: .seconds(20))
        Self.expectAll(network, lines: 0..<40, "after the change")
        #expect(
            Self.open(network, at: Self.listener) == ["webrtc"] && Self.open(network, at: Self.dialer) == ["webrtc"])
    }
}
