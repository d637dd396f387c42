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

    // MARK: Ways to fail

    private static func failure(of request: RequestID, in network: Simulator) -> String? {
        guard case .failure(let error)? = network.responses[request] else { return nil }
        return error.message
    }

    @Test func aPeerWithoutReservationIsNotReached() throws {
        let network = try Self.network()
        let stranger = try network.addNode()
        let request = network.give(.connect(try network.address(of: stranger, through: Self.relay)), to: Self.dialer)
        network.run(for: .seconds(10))
        #expect(Self.failure(of: request, in: network)?.contains("NO_RESERVATION") == true)
        #expect(Self.open(Self.dialer, to: Self.relay, in: network).count == 1, "the relay itself is fine")
    }

    @Test func whoIsNoRelayIsSaidToBeNone() throws {
        let network = try Self.network()
        let request = network.give(.connect(try network.address(of: 1, through: Self.listener)), to: Self.dialer)
        network.run(for: .seconds(60))
        #expect(Self.failure(of: request, in: network)?.contains("no relay") == true)
    }

    @Test func aRelayThatIsNotThereIsSaidToBeGone() throws {
        let network = try Self.network()
        let text = "/ip4/10.0.0.77/tcp/4001/p2p/\(KeyPair.generate().peerID)/p2p-circuit/p2p/"
        let address = try Multiaddr("\(text)\(network.peerID(of: Self.listener))")
        let request = network.give(.connect(address), to: Self.dialer)
        network.run(for: .seconds(60))
        #expect(Self.failure(of: request, in: network)?.contains("the relay was not reached") == true)
    }

    @Test func addressesWithoutPeerOrThroughOneselfAreRefused() throws {
        let network = try Self.network()
        let bare = try network.fullAddress(of: Self.relay).appending(Multiaddr.Component.p2pCircuit)
        let own = try network.address(of: Self.listener, through: Self.dialer)
        let twice = try network.address(of: Self.relay, through: Self.relay)
        for address in [bare, own, twice] {
            let request = network.give(.connect(address), to: Self.dialer)
            network.run(for: .seconds(60))
            #expect(Self.failure(of: request, in: network) != nil, "\(address)")
        }
    }

    @Test func aFullRelaySaysSoAndIsAskedAgain() throws {
        let network = try Self.network { $0.reservations = 1 }
        try network.listen(Self.dialer, through: Self.relay)
        network.run(for: .seconds(30))
        let refusals = Self.relayEvents(of: Self.dialer, in: network).filter { event in
            if case .refused(_, let reason, _) = event { reason.contains("RESERVATION_REFUSED") } else { false }
        }
        #expect(refusals.count >= 2)
        network.give(.shutdown, to: Self.listener)
        network.run(for: .minutes(6))
        #expect(network.core(Self.dialer).ownAddresses.contains { $0.isCircuit })
    }

    private static func relayEvents(of node: Int, in network: Simulator) -> [RelayEvent] {
        (network.events[node] ?? []).compactMap { if case .relay(let event) = $0.event { event } else { nil } }
    }

    // MARK: Time passes

    @Test func reservationsAreRenewedForHours() throws {
        let network = try Self.network()
        network.run(for: .hours(5))
        #expect(network.core(Self.relay).relayCounts.reservations == 1)
        let events = Self.relayEvents(of: Self.listener, in: network)
        #expect(events.count == 1, "renewals are no news: \(events)")
    }

    @Test func aRestartedRelayIsReservedAgainAndDialledAgain() throws {
        let network = try Self.connected()
        try network.restart(Self.relay)
        network.run(for: .seconds(1))
        #expect(Self.open(Self.dialer, to: Self.listener, in: network).isEmpty)
        #expect(!network.core(Self.listener).ownAddresses.contains { $0.isCircuit })
        network.run(for: .seconds(30))
        #expect(network.core(Self.relay).relayCounts.reservations == 1)
        network.give(.connect(try network.address(of: Self.listener, through: Self.relay)), to: Self.dialer)
        network.run(for: .seconds(10))
        network.give(.publish(topic: Self.room, ByteBuffer(string: "again")), to: Self.dialer)
        network.run(for: .seconds(2))
        #expect(network.texts(at: Self.listener) == ["again"])
    }

    @Test(arguments: [RelayLimit(seconds: 20, bytes: 0), RelayLimit(seconds: 0, bytes: 30_000)])
    func limitsRunOutAndBothEndsSaySo(limit: RelayLimit) throws {
        let network = try Self.connected { $0.limit = limit }
        func isWarned(_ node: Int) -> Bool {
            (network.events[node] ?? []).contains { entry in
                if case .log(_, let text) = entry.event {
                    text.contains("the relay ends the connection")
                } else {
                    false
                }
            }
        }
        #expect(!isWarned(Self.dialer) && !isWarned(Self.listener))
        #expect(Self.open(Self.dialer, to: Self.listener, in: network).count == 1)
        let large = ByteBuffer(repeating: 0x61, count: 10_000)
        for _ in 1...5 {
            network.give(.publish(topic: Self.room, large), to: Self.dialer)
            network.run(for: .seconds(5))
        }
        for node in [Self.dialer, Self.listener] {
            let relayed = network.connections(at: node).filter { $0.transport == "relay" }
            #expect(relayed.first?.state == .closed)
            #expect(isWarned(node))
            #expect(relayed.first?.reason?.contains("limit") == true || limit.bytes > 0, "\(relayed)")
        }
        // They share a room, so the relay is asked for another, and gives it.
        network.run(for: .seconds(10))
        #expect(network.core(Self.relay).relayCounts.circuits == 1)
        #expect(Self.open(Self.dialer, to: Self.listener, in: network).count == 1)
        // Of a line as long as a third of the limit there is no second copy: it would end the next circuit too.
        #expect(network.texts(at: Self.listener).count >= (limit.bytes > 0 ? 4 : 5))
    }

    // MARK: What a circuit carries

    @Test func withoutLimitsItCarriesAnything() throws {
        let network = try Self.connected { $0.limit = RelayLimit(seconds: 0, bytes: 0) }
        #expect(Self.open(Self.dialer, to: Self.listener, in: network).first?.relay?.limit == nil)
        let request = network.give(.ping(network.peerID(of: Self.listener)), to: Self.dialer)
        network.run(for: .seconds(2))
        guard case .pong(let time)? = try network.responses[request]?.get() else {
            Issue.record("no pong")
            return
        }
        #expect(time >= .milliseconds(40) && time < .milliseconds(200), "four ways of 10 ms")
    }

    @Test func perfGoesThroughARelayWithoutLimitsAndNotThroughOneWith() throws {
        for limit in [RelayLimit(seconds: 0, bytes: 0), RelayLimit(seconds: 3600, bytes: 1 << 40)] {
            let network = Simulator(
                seed: 3, conditions: LinkConditions(latency: .milliseconds(5), bandwidth: 4_000_000))
            var configuration = RelayConfiguration()
            configuration.limit = limit
            _ = try network.addNode { $0.relay = configuration }
            for _ in 1...2 {
                _ = try network.addNode {
                    $0.servesPerf = true
                    $0.seeksDirectPaths = false
                }
            }
            try network.listen(Self.listener, through: Self.relay)
            network.run(for: .seconds(2))
            network.give(.connect(try network.address(of: Self.listener, through: Self.relay)), to: Self.dialer)
            network.run(for: .seconds(5))
            let peer = network.peerID(of: Self.listener)
            let request = network.give(.perf(peer, upload: 4_000_001, download: 2_000_003), to: Self.dialer)
            network.run(for: .seconds(60))
            guard limit.bytes == 0 else {
                #expect { try network.responses[request]?.get() } throws: { ($0 as? PeerError)?.code == .limit }
                continue
            }
            guard case .perf(let result)? = try network.responses[request]?.get() else {
                Issue.record("no result: \(String(describing: network.responses[request]))")
                return
            }
            #expect(result.uploaded == 4_000_001 && result.downloaded == 2_000_003)
        }
    }

    @Test func aDirectConnectionIsPreferredToARelayedOne() throws {
        let network = try Self.connected()
        network.give(.connect(try network.fullAddress(of: Self.dialer)), to: Self.listener)
        network.run(for: .seconds(2))
        // Connected already: a direct dial needs somebody who wants it.
        #expect(Self.open(Self.dialer, to: Self.listener, in: network).map(\.transport) == ["relay"])
    }

    @Test func everybodyLeavesInGoodOrder() throws {
        let network = try Self.connected()
        let requests = [Self.dialer, Self.relay, Self.listener].map { network.give(.shutdown, to: $0) }
        network.run(for: .seconds(3))
        for request in requests { #expect(throws: Never.self) { try network.responses[request]?.get() } }
        for node in 1...3 { #expect(network.core(node).deadline == .distantFuture, "node \(node)") }
    }

    @Test(arguments: 1...10)
    func theSameSeedGivesTheSameTrace(seed: UInt64) throws {
        func trace() throws -> TraceHash {
            let network = try Self.connected(seed: seed)
            network.give(.publish(topic: Self.room, ByteBuffer(string: "hello")), to: Self.dialer)
            network.run(for: .seconds(5))
            #expect(network.texts(at: Self.listener) == ["hello"])
            return network.trace
        }
        #expect(try trace() == trace())
    }
}
