import NIOCore
import Node
import Simulator
import Testing
import Wire

/// Peers that nobody can dial find relays by themselves, and clocks that are wrong, in virtual time.
@Suite struct ReservationTests {
    private static func circuits(of node: Int, in network: Simulator) -> [String] {
        network.core(node).ownAddresses.map(\.description).filter { $0.contains("/p2p-circuit") }
    }

    private static func relayEvents(of node: Int, in network: Simulator) -> [RelayEvent] {
        (network.events[node] ?? []).compactMap { if case .relay(let event) = $0.event { event } else { nil } }
    }

    /// A relay that serves AutoNAT, as `swift-peer relay` does, and two peers that know it by `--connect`.
    private static func network(
        relays: Int = 1, isReachable: Bool = false, _ configure: (inout PeerConfiguration) -> Void = { _ in }
    ) throws -> (Simulator, peers: [Int]) {
        let network = Simulator(seed: 11, conditions: LinkConditions(latency: .milliseconds(20)))
        for _ in 1...relays {
            _ = try network.addNode {
                $0.relay = RelayConfiguration()
                $0.servesAutoNAT = true
                $0.probesPrivateAddresses = true
            }
        }
        let known = try (1...relays).map { try network.fullAddress(of: $0) }
        let peers = try (1...2).map { _ in
            try network.addNode {
                $0.bootstrap = known
                $0.seeksRelays = true
                $0.probesPrivateAddresses = true
                configure(&$0)
            }
        }
        if !isReachable { network.unreachable = Set(peers) }
        return (network, peers)
    }

    @Test("Two people behind NATs who only name a relay reach each other by the addresses it gives them")
    func twoBehindNATs() throws {
        let (network, peers) = try Self.network { $0.seeksDirectPaths = false }
        network.run(for: .seconds(60))
        for peer in peers {
            let addresses = Self.circuits(of: peer, in: network)
            let relay = network.peerID(of: 1)
            #expect(
                addresses.first == "/ip4/10.0.0.1/tcp/4001/p2p/\(relay)/p2p-circuit/p2p/\(network.peerID(of: peer))")
            let told = (network.events[peer] ?? []).contains { entry in
                if case .addresses(let addresses) = entry.event {
                    addresses.contains(where: \.isCircuit)
                } else {
                    false
                }
            }
            #expect(told)
        }
        let address = try Multiaddr(try #require(Self.circuits(of: peers[1], in: network).first))
        let request = network.give(.connect(address), to: peers[0])
        network.run(for: .seconds(5))
        guard case .connected(network.peerID(of: peers[1]))? = try network.responses[request]?.get() else {
            Issue.record("not connected")
            return
        }
    }

    @Test func whoCanBeDialledAsksNobody() throws {
        let (network, peers) = try Self.network(isReachable: true)
        network.run(for: .minutes(5))
        for peer in peers {
            #expect(network.core(peer).reachability == .public)
            #expect(Self.circuits(of: peer, in: network).isEmpty)
        }
        #expect(network.core(1).relayCounts.reservations == 0)
    }

    @Test("Who listens on /p2p-circuit asks whatever relays it is connected to, reachable or not, now and later")
    func listeningThroughAny() throws {
        let (network, peers) = try Self.network(relays: 3, isReachable: true) {
            $0.seeksRelays = false
            $0.bootstrap = []
        }
        let asker = peers[0]
        network.give(.connect(try network.fullAddress(of: 1)), to: asker)
        network.run(for: .seconds(5))
        try network.listenThroughAnyRelay(asker)
        network.run(for: .seconds(20))
        #expect((1...3).map { network.core($0).relayCounts.reservations } == [1, 0, 0])
        let address = try network.address(of: asker, through: 1)
        #expect(network.core(asker).ownAddresses.contains(address))
        for relay in [2, 3] { network.give(.connect(try network.fullAddress(of: relay)), to: asker) }
        network.run(for: .seconds(20))
        #expect((1...3).map { network.core($0).relayCounts.reservations } == [1, 1, 0], "a few are enough")
        #expect(Self.relayEvents(of: peers[1], in: network).isEmpty)
        // It can be reached at what it announces.
        let request = network.give(.connect(address), to: peers[1])
        network.run(for: .seconds(5))
        #expect(throws: Never.self) { try network.responses[request]?.get() }
        network.give(.shutdown, to: 1)
        network.run(for: .seconds(30))
        #expect((2...3).map { network.core($0).relayCounts.reservations } == [1, 1])
    }

    @Test func nobodyIsAskedUnlessTheOwnerWants() throws {
        let (network, peers) = try Self.network { $0.seeksRelays = false }
        network.run(for: .minutes(5))
        for peer in peers { #expect(Self.relayEvents(of: peer, in: network).isEmpty) }
    }

    @Test func onlyAFewOfManyRelaysAreAskedAndALostOneIsReplaced() throws {
        let (network, peers) = try Self.network(relays: 4)
        network.run(for: .seconds(60))
        func held() -> [Int] { (1...4).map { network.core($0).relayCounts.reservations } }
        #expect(held().reduce(0, +) == peers.count * Limits.relaysChosen, "\(held())")
        let gone = try #require((1...4).first { network.core($0).relayCounts.reservations > 0 })
        network.give(.shutdown, to: gone)
        network.run(for: .seconds(60))
        let rest = (1...4).filter { $0 != gone }.map { network.core($0).relayCounts.reservations }
        #expect(rest.reduce(0, +) == peers.count * Limits.relaysChosen, "\(rest)")
    }

    @Test("An address that turns out to be reachable gives the relays up")
    func reachableLater() throws {
        let (network, peers) = try Self.network()
        network.run(for: .minutes(2))
        #expect(!Self.circuits(of: peers[0], in: network).isEmpty)
        network.unreachable = []
        network.run(for: .hours(2))
        for peer in peers {
            #expect(network.core(peer).reachability == .public)
            #expect(Self.circuits(of: peer, in: network).isEmpty)
        }
    }

    // MARK: Clocks

    @Test(
        "A clock that is hours wrong, at either end, breaks no reservation",
        arguments: [1, 2], [-11 * 3600, -3600, 3600, 11 * 3600] as [Int64])
    func wrongClock(node: Int, ahead: Int64) throws {
        let network = Simulator(seed: 12)
        _ = try network.addNode { $0.relay = RelayConfiguration() }
        for _ in 1...2 { _ = try network.addNode { $0.seeksDirectPaths = false } }
        network.setClock(of: node, ahead: ahead)
        try network.listen(2, through: 1)
        for _ in 1...20 {
            network.run(for: .minutes(17))
            #expect(network.core(1).relayCounts.reservations == 1)
            #expect(!Self.circuits(of: 2, in: network).isEmpty)
        }
        let lost = Self.relayEvents(of: 2, in: network).filter { if case .lost = $0 { true } else { false } }
        #expect(lost.isEmpty, "\(lost)")
        let request = network.give(.connect(try network.address(of: 2, through: 1)), to: 3)
        network.run(for: .seconds(5))
        #expect(throws: Never.self) { try network.responses[request]?.get() }
    }

    @Test(
        "A clock that jumps while a reservation is held breaks nothing", arguments: [1, 2],
        [-8 * 3600, 8 * 3600] as [Int64])
    func jumpingClock(node: Int, ahead: Int64) throws {
        let network = Simulator(seed: 13)
        _ = try network.addNode { $0.relay = RelayConfiguration() }
        _ = try network.addNode()
        try network.listen(2, through: 1)
        network.run(for: .minutes(10))
        for jump in [ahead, 0, -ahead] {
            network.setClock(of: node, ahead: jump)
            for _ in 1...10 {
                network.run(for: .minutes(13))
                #expect(network.core(1).relayCounts.reservations == 1)
                #expect(!Self.circuits(of: 2, in: network).isEmpty)
            }
        }
        #expect(Self.relayEvents(of: 2, in: network).allSatisfy { if case .reserved = $0 { true } else { false } })
    }
}
