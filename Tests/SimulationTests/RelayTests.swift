import NIOCore
import Node
import Simulator
import Testing
import Wire

/// Whole nodes that reach each other through a relay, in virtual time.
@Suite struct RelayTests {
    static let room = "universal-connectivity"
    static let (relay, listener, dialer) = (1, 2, 3)

    /// A relay, a peer with a reservation there, and a peer that knows of it; 10 ms between any two.
    static func network(
        seed: UInt64 = 1, _ configure: (inout RelayConfiguration) -> Void = { _ in }
    ) throws -> Simulator {
        let network = Simulator(seed: seed, conditions: LinkConditions(latency: .milliseconds(10)))
        var configuration = RelayConfiguration()
        configure(&configuration)
        _ = try network.addNode { $0.relay = configuration }
        for _ in 1...2 { _ = try network.addNode { $0.seeksDirectPaths = false } }
        try network.listen(listener, through: relay)
        network.run(for: .seconds(2))
        return network
    }

    /// The same, the dialer connected to the listener.
    static func connected(
        seed: UInt64 = 1, _ configure: (inout RelayConfiguration) -> Void = { _ in }
    ) throws -> Simulator {
        let network = try network(seed: seed, configure)
        for node in [listener, dialer] { network.give(.join(topic: room), to: node) }
        network.give(.connect(try network.address(of: listener, through: relay)), to: dialer)
        network.run(for: .seconds(5))
        return network
    }

    static func open(_ node: Int, to peer: Int, in network: Simulator) -> [ConnectionInfo] {
        network.core(node).snapshot(now: network.now).connections
            .filter { $0.state == .open && $0.peer == network.peerID(of: peer) }
    }

    @Test func aReservationIsMadeAndAnnounced() throws {
        let network = try Self.network()
        let through = try network.address(of: Self.listener, through: Self.relay)
        #expect(network.core(Self.listener).ownAddresses.contains(through))
    }

    @Test func twoPeersChatThroughTheRelay() throws {
        let network = try Self.connected()
        for (from, to) in [(Self.dialer, Self.listener), (Self.listener, Self.dialer)] {
            for line in 1...5 {
                network.give(.publish(topic: Self.room, ByteBuffer(string: "\(from): \(line)")), to: from)
                network.run(for: .milliseconds(200))
            }
            #expect(network.texts(at: to) == (1...5).map { "\(from): \($0)" })
        }
    }

    @Test func bothEndsSayWhatTheyGoThroughAndHowMuchIsLeft() throws {
        let network = try Self.connected()
        for (node, peer, direction) in [
            (Self.dialer, Self.listener, ConnectionInfo.Direction.outbound), (Self.listener, Self.dialer, .inbound),
        ] {
            let info = try #require(Self.open(node, to: peer, in: network).first)
            #expect(info.transport == "relay" && info.direction == direction)
            let relay = try #require(info.relay)
            #expect(relay.peer == network.peerID(of: Self.relay))
            #expect(relay.limit == RelayLimit(seconds: 120, bytes: 131_072))
            #expect(try #require(relay.bytesLeft) < 131_072 && #require(relay.bytesLeft) > 100_000)
            #expect(try #require(relay.timeLeft) < .seconds(118) && #require(relay.timeLeft) > .seconds(110))
            #expect(info.agent == "simulated")
        }
    }
}
