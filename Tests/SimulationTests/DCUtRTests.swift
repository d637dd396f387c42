import NIOCore
import Node
import Simulator
import Testing
import Wire

/// Peers behind a relay that dial each other at the same moment, in virtual time.
@Suite struct DCUtRTests {
    static let room = "universal-connectivity"
    static let (relay, listener, dialer) = (1, 2, 3)

    /// A relay, a peer with a reservation there, and one that dialled it through the relay.
    private static func network(
        seed: UInt64 = 1, latency: TimeAmount = .milliseconds(25), unreachable: Set<Int>,
        _ configure: (inout PeerConfiguration) -> Void = { $0.probesPrivateAddresses = true }
    ) throws -> Simulator {
        let network = Simulator(
            seed: seed, conditions: LinkConditions(latency: latency, jitter: .milliseconds(10)))
        _ = try network.addNode { $0.relay = RelayConfiguration() }
        for _ in 1...2 {
            _ = try network.addNode {
                $0.seeksDirectPaths = false
                configure(&$0)
            }
        }
        network.unreachable = unreachable
        try network.listen(listener, through: relay)
        network.run(for: .seconds(2))
        for node in [listener, dialer] { network.give(.join(topic: room), to: node) }
        let request = network.give(.connect(try network.address(of: listener, through: relay)), to: dialer)
        #expect(network.run(upTo: .seconds(15)) { network.responses[request] != nil })
        #expect(throws: Never.self) { try network.responses[request]?.get() }
        return network
    }

    private static func open(_ node: Int, to peer: Int, in network: Simulator) -> [ConnectionInfo] {
        network.core(node).snapshot(now: network.now).connections
            .filter { $0.state == .open && $0.peer == network.peerID(of: peer) }
    }

    private static func isDirect(_ network: Simulator) -> Bool {
        [(listener, dialer), (dialer, listener)].allSatisfy { node, peer in
            let ways = open(node, to: peer, in: network).map(\.transport)
            return !ways.isEmpty && ways.allSatisfy { $0 == "tcp" }
        }
    }

    @Test(
        "Whoever cannot be dialled, a direct connection takes over from the relay",
        arguments: [[], [2], [3], [2, 3]] as [Set<Int>], 1...3)
    func takesOver(_ unreachable: Set<Int>, _ seed: UInt64) throws {
        let network = try Self.network(seed: seed, unreachable: unreachable)
        #expect(network.run(upTo: .seconds(60)) { Self.isDirect(network) })
        // It stays, and one connection is enough.
        network.run(for: .seconds(30))
        #expect(Self.isDirect(network))
        #expect(Self.open(Self.dialer, to: Self.listener, in: network).count <= 2)
    }

    @Test("Both dial within a round trip of each other, however long the way", arguments: [5, 50, 300] as [Int64])
    func simultaneous(_ milliseconds: Int64) throws {
        let network = try Self.network(latency: .milliseconds(milliseconds), unreachable: [2, 3])
        #expect(network.run(upTo: .seconds(60)) { Self.isDirect(network) })
    }

    @Test("No line is lost or doubled while the relay is left", arguments: 1...3)
    func lines(_ seed: UInt64) throws {
        let network = try Self.network(seed: seed, unreachable: [2, 3])
        network.run(for: .seconds(2))
        for line in 1...60 {
            network.give(.publish(topic: Self.room, ByteBuffer(string: "\(line)")), to: Self.dialer)
            network.run(for: .milliseconds(500))
        }
        network.run(for: .seconds(5))
        #expect(Self.isDirect(network))
        #expect(network.texts(at: Self.listener) == (1...60).map(String.init))
        for node in [Self.listener, Self.dialer] {
            let paths = (network.events[node] ?? []).compactMap { entry in
                if case .path(_, let old, let new) = entry.event { "\(old) → \(new)" } else { nil }
            }
            #expect(paths == ["relay → tcp"])
        }
    }

    @Test func whoDoesNotWantItStaysWithTheRelay() throws {
        let network = try Self.network(unreachable: []) {
            $0.probesPrivateAddresses = true
            $0.punchesHoles = false
        }
        network.run(for: .seconds(40))
        #expect(Self.open(Self.dialer, to: Self.listener, in: network).map(\.transport) == ["relay"])
    }

    @Test func privateAddressesAreNeitherToldNorDialled() throws {
        let network = try Self.network(unreachable: []) { _ in }
        network.run(for: .seconds(40))
        #expect(Self.open(Self.dialer, to: Self.listener, in: network).map(\.transport) == ["relay"])
        #expect(
            network.connections(at: Self.listener).allSatisfy { $0.transport == "relay" || $0.direction == .outbound })
    }

    @Test func afterThreeTriesTheRelayIsAllThereIs() throws {
        let network = try Self.network(unreachable: [2, 3])
        network.mapsEachRemote = true
        network.run(for: .seconds(90))
        #expect(Self.open(Self.dialer, to: Self.listener, in: network).map(\.transport) == ["relay"])
        let tries = network.connections(at: Self.listener).filter { $0.transport == "tcp" && $0.state == .failed }
        #expect((1...8).contains(tries.count))
        let node = network.core(Self.listener)
        #expect(node.snapshot(now: network.now).connections.count == 2, "nothing is left behind")
    }
}
