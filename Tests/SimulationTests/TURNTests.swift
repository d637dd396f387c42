import GossipSub
import ICE
import NIOCore
import Simulator
import Testing
import Wire

@testable import Node

/// Whole nodes that find a direct path through TURN, or do not.
@Suite struct TURNTests {
    private static let room = "universal-connectivity"
    private static let (relay, listener, dialer) = (1, 2, 3)
    private static let ends = [listener, dialer]

    /// What servers there are, and how they are named to both ends.
    private struct World {
        let network: Simulator
        let turn: TransportAddress

        /// Both ends, behind NATs of one kind, find each other through a relay.
        init(
            seed: UInt64 = 1, _ behaviour: NATBehaviour, latency: TimeAmount = .milliseconds(15),
            accounts: [(Bool, TURNAccount.Transport, String)]
        ) throws {
            network = Simulator(seed: seed, conditions: LinkConditions(latency: latency))
            let stun = network.addSTUNServer()
            turn = network.addTURNServer().address
            _ = try network.addNode { $0.relay = RelayConfiguration() }
            for _ in TURNTests.ends {
                let node = try network.addNode(behind: network.addNAT(behaviour)) { [turn] in
                    $0.punchesHoles = false
                    $0.stunServers = [ServerAddress(host: "\(stun.ip)", port: stun.port)]
                    $0.turnServers = accounts.map { isThere, transport, password in
                        let host = isThere ? "\(turn.ip)" : "10.2.0.99"
                        return TURNAccount(
                            server: ServerAddress(host: host, port: turn.port), transport: transport, username: "sim",
                            password: password)
                    }
                }
                network.give(.join(topic: TURNTests.room), to: node)
            }
            try network.listen(TURNTests.listener, through: TURNTests.relay)
            network.run(for: .seconds(5))
            network.give(
                .connect(try network.address(of: TURNTests.listener, through: TURNTests.relay)),
                to: TURNTests.dialer)
        }

        func transports(at node: Int) -> [String] {
            network.core(node).openConnections(to: network.peerID(of: 5 - node)).map(\.transport)
        }

        /// Runs until the direct connection has taken over at both ends.
        func upgrades(within time: TimeAmount) -> Bool {
            network.run(upTo: time) { TURNTests.ends.allSatisfy { transports(at: $0) == ["webrtc"] } }
        }

        /// How the path was found, once one is chosen.
        func candidates(at node: Int) -> String? {
            network.connections(at: node).last { $0.transport == "webrtc" && $0.path != nil }?.path?.candidates
        }

        func complaints(at node: Int) -> [String] {
            (network.events[node] ?? []).compactMap { entry in
                if case .log(.warning, let text) = entry.event, text.contains("TURN") { text } else { nil }
            }
        }

        /// From the relayed connection to the direct one.
        func timeToDirectPath() -> TimeAmount? {
            let events = network.events[TURNTests.dialer] ?? []
            func opened(_ transport: String) -> NIODeadline? {
                events.first { entry in
                    if case .connection(let info) = entry.event {
                        info.transport == transport && info.state == .open
                    } else {
                        false
                    }
                }?.time
            }
            guard let relayed = opened("relay"), let direct = opened("webrtc") else { return nil }
            return direct - relayed
        }
    }

    @Test(
        "Symmetric behind symmetric: the direct connection goes through TURN, over UDP",
        arguments: 1...6 as ClosedRange<UInt64>)
    func symmetric(seed: UInt64) throws {
        let world = try World(seed: seed, .symmetric, accounts: [(true, .udp, "sim")])
        #expect(world.upgrades(within: .seconds(20)))
        world.network.run(for: .seconds(5))
        #expect(try #require(world.candidates(at: Self.dialer)).contains("relay"))
        #expect(try #require(world.network[server: world.turn]).relayedDatagrams > 10)
        try talk(world)
    }

    @Test("Where no UDP passes it goes through TURN over TCP", arguments: 1...6 as ClosedRange<UInt64>)
    func withoutDatagrams(seed: UInt64) throws {
        let accounts: [(Bool, TURNAccount.Transport, String)] = [(true, .udp, "sim"), (true, .tcp, "sim")]
        let world = try World(seed: seed, .withoutDatagrams, accounts: accounts)
        #expect(world.upgrades(within: .seconds(20)))
        world.network.run(for: .seconds(5))
        #expect(world.candidates(at: Self.dialer)?.hasPrefix("relay") == true)
        try talk(world)
    }

    @Test("Without TURN it stays on the relay, and says why")
    func withoutTURN() throws {
        let world = try World(.symmetric, accounts: [])
        #expect(!world.upgrades(within: .seconds(60)))
        for node in Self.ends { #expect(world.transports(at: node) == ["relay"]) }
        let failed = world.network.connections(at: Self.dialer).filter {
            $0.transport == "webrtc" && $0.state == .failed
        }
        #expect(Set(failed.compactMap(\.reason)) == ["\(DirectError.noPath)"])
        try talk(world)
    }

    @Test("A direct path is preferred to TURN")
    func preference() throws {
        let world = try World(.portRestricted, accounts: [(true, .udp, "sim"), (true, .tcp, "sim")])
        #expect(world.upgrades(within: .seconds(20)))
        world.network.run(for: .seconds(10))
        for node in Self.ends { #expect(world.candidates(at: node)?.contains("relay") == false) }
    }

    @Test("A wrong password is told once, in words, however often it is tried")
    func wrongPassword() throws {
        let world = try World(.symmetric, accounts: [(true, .udp, "wrong"), (true, .tcp, "wrong")])
        #expect(!world.upgrades(within: .seconds(120)))
        let tries = world.network.connections(at: Self.dialer).filter {
            $0.transport == "webrtc" && $0.state == .failed
        }
        #expect(tries.count >= 2)
        for node in Self.ends {
            #expect(
                world.complaints(at: node).sorted()
                    == ["TCP", "UDP"].map {
                        "the TURN server at \(world.turn) over \($0) does not take this user and password"
                    })
        }
    }

    @Test(
        "A TURN server that is gone is told about, and delays nothing",
        arguments: [NATBehaviour.fullCone, .portRestricted])
    func deadServer(_ behaviour: NATBehaviour) throws {
        let without = try World(behaviour, accounts: [])
        #expect(without.upgrades(within: .seconds(20)))
        let with = try World(behaviour, accounts: [(false, .udp, "sim"), (false, .tcp, "sim")])
        #expect(with.upgrades(within: .seconds(20)))
        let (slow, fast) = (try #require(with.timeToDirectPath()), try #require(without.timeToDirectPath()))
        #expect(slow <= fast + .milliseconds(50), "\(slow.nanoseconds) ns and \(fast.nanoseconds) ns")
        with.network.run(for: .seconds(60))
        #expect(with.complaints(at: Self.dialer).count == 2)
    }

    @Test("A name that leads nowhere delays nothing either")
    func nameOfNothing() throws {
        let network = Simulator(seed: 3, conditions: LinkConditions(latency: .milliseconds(15)))
        _ = try network.addNode { $0.relay = RelayConfiguration() }
        for _ in Self.ends {
            _ = try network.addNode {
                $0.punchesHoles = false
                $0.turnServers = [
                    TURNAccount(server: ServerAddress(host: "turn.invalid", port: 1), username: "a", password: "b")
                ]
            }
        }
        try network.listen(Self.listener, through: Self.relay)
        network.run(for: .seconds(5))
        network.give(.connect(try network.address(of: Self.listener, through: Self.relay)), to: Self.dialer)
        let isDirect = network.run(upTo: .milliseconds(700)) {
            network.core(Self.dialer).openConnections(to: network.peerID(of: Self.listener)).contains {
                $0.transport == "webrtc"
            }
        }
        #expect(isDirect)
        let told = (network.events[Self.dialer] ?? []).count { entry in
            if case .log(.warning, let text) = entry.event { text.contains("turn.invalid") } else { false }
        }
        #expect(told == 1)
    }

    @Test("What nobody uses any more is given back to the server")
    func released() throws {
        let world = try World(.symmetric, accounts: [(true, .udp, "sim"), (true, .tcp, "sim")])
        #expect(world.upgrades(within: .seconds(20)))
        let server = { world.network[server: world.turn]?.allocations(now: world.network.now) }
        #expect(try #require(server()) == 4)
        world.network.give(.disconnect(world.network.peerID(of: Self.listener)), to: Self.dialer)
        world.network.run(for: .seconds(10))
        #expect(server() == 0)
    }

    /// Lines of both arrive, once and in order.
    private func talk(_ world: World) throws {
        let network = world.network
        let isMeshed = network.run(upTo: .seconds(30)) {
            Self.ends.allSatisfy { !network.core($0).router.mesh(of: Topic(Self.room)).isEmpty }
        }
        try #require(isMeshed)
        for line in 0..<20 {
            network.give(.publish(topic: Self.room, ByteBuffer(string: "line \(line)")), to: Self.ends[line % 2])
            network.run(for: .milliseconds(50))
        }
        network.run(for: .seconds(10))
        for (index, node) in Self.ends.enumerated() {
            #expect(network.texts(at: node) == (0..<20).filter { $0 % 2 != index }.map { "line \($0)" })
        }
    }
}
