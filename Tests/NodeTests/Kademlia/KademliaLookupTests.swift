import NIOCore
import Testing
import Wire

@testable import Node

@Suite struct AddressScopeTests {
    @Test(
        "Who was met in public says nothing about private networks",
        arguments: [
            ("/ip4/8.8.8.8/tcp/1", "/ip4/9.9.9.9/tcp/1", true), ("/ip4/8.8.8.8/tcp/1", "/ip4/10.0.0.1/tcp/1", false),
            ("/ip4/8.8.8.8/tcp/1", "/ip4/127.0.0.1/tcp/1", false), ("/ip4/8.8.8.8/tcp/1", "/ip6/fe80::1/tcp/1", false),
            ("/ip4/8.8.8.8/tcp/1", "/ip4/192.0.2.1/tcp/1", false), ("/ip4/10.1.1.1/tcp/1", "/ip4/10.0.0.1/tcp/1", true),
            ("/ip4/10.1.1.1/tcp/1", "/ip4/127.0.0.1/tcp/1", false), ("/ip4/10.1.1.1/tcp/1", "/ip4/9.9.9.9/tcp/1", true),
            ("/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/2", true), ("/ip6/::1/tcp/1", "/ip4/10.0.0.1/tcp/2", true),
            ("/ip4/127.0.0.1/tcp/1", "/ip4/224.0.0.251/tcp/2", false),
            ("/ip4/127.0.0.1/tcp/1", "/ip4/0.0.0.0/tcp/2", false),
            ("/ip4/127.0.0.1/tcp/1", "/dns4/example.org/tcp/2", false),
            ("/ip4/127.0.0.1/tcp/1", "/ip4/9.9.9.9/udp/2", false),
            ("/ip4/8.8.8.8/tcp/1", "/ip6/::ffff:127.0.0.1/tcp/1", false),
        ])
    func scope(_ met: String, _ named: String, _ isKept: Bool) throws {
        #expect(AddressScope(metAt: try Multiaddr(met)).admits(try Multiaddr(named)) == isKept)
    }

    @Test func whoIsMetThroughARelayIsMetInPublic() throws {
        let circuit = try Multiaddr("/ip4/127.0.0.1/tcp/1/p2p/\(Fixture.peer(1))/p2p-circuit")
        #expect(AddressScope(metAt: circuit) == .world)
    }
}

@Suite struct KademliaLookupTests {
    private let start = Fixture.start

    private func lookup(of target: UInt8 = 200) throws -> KademliaLookup {
        KademliaLookup(of: try Fixture.peer(target), own: try Fixture.peer(201), now: start)
    }

    private func drain(_ lookup: inout KademliaLookup) -> [KademliaLookup.Output] {
        var outputs: [KademliaLookup.Output] = []
        while let output = lookup.poll() { outputs.append(output) }
        return outputs
    }

    private func peer(_ number: UInt8, at address: String) throws -> KademliaMessage.Peer {
        .init(id: try Fixture.peer(number), addresses: [try Multiaddr(address)])
    }

    private func asked(_ outputs: [KademliaLookup.Output]) -> [PeerID] {
        outputs.compactMap { if case .query(let peer, _) = $0 { peer } else { nil } }
    }

    @Test("Three that name addresses are enough, and their addresses are joined")
    func witnesses() throws {
        var lookup = try lookup()
        for number in 1...4 { lookup.handle(.knows([try Fixture.peer(UInt8(number))]), now: start) }
        #expect(Set(asked(drain(&lookup))) == Set(try (1...4).map { try Fixture.peer($0) }))
        for number in 1...3 as ClosedRange<UInt8> {
            #expect(drain(&lookup).isEmpty)
            let answer = [try peer(200, at: "/ip4/8.8.8.\(number)/tcp/1"), try peer(200, at: "/ip4/9.9.9.9/tcp/1")]
            lookup.handle(.answered(try Fixture.peer(number), answer, .world), now: start)
        }
        let found = try ["/ip4/8.8.8.1/tcp/1", "/ip4/9.9.9.9/tcp/1", "/ip4/8.8.8.2/tcp/1", "/ip4/8.8.8.3/tcp/1"]
            .map { try Multiaddr($0) }
        guard case .finished(let addresses)? = drain(&lookup).last else {
            Issue.record("not finished")
            return
        }
        #expect(Set(addresses).isSubset(of: Set(found)) && addresses.count >= 3)
        lookup.handle(.knows([try Fixture.peer(9)]), now: start)
        #expect(drain(&lookup).isEmpty)
    }

    @Test("One that names addresses is believed after a while")
    func settling() throws {
        var lookup = try lookup()
        for number in 1...2 { lookup.handle(.knows([try Fixture.peer(UInt8(number))]), now: start) }
        let answer = [try peer(200, at: "/ip4/8.8.8.8/tcp/1/p2p/\(Fixture.peer(200))")]
        lookup.handle(.answered(try Fixture.peer(1), answer, .world), now: start)
        #expect(asked(drain(&lookup)).count == 2)
        #expect(lookup.deadline == start + Limits.kademliaSettle)
        lookup.handle(.tick, now: start + Limits.kademliaSettle)
        #expect(drain(&lookup) == [.finished([try Multiaddr("/ip4/8.8.8.8/tcp/1")])])
    }

    @Test("Nobody left to ask, or nobody who answers, ends it in vain")
    func inVain() throws {
        var lookup = try lookup()
        lookup.handle(.knows([try Fixture.peer(1)]), now: start)
        lookup.handle(.answered(try Fixture.peer(1), [try peer(2, at: "/ip4/8.8.8.8/tcp/1")], .world), now: start)
        lookup.handle(.failed(try Fixture.peer(2)), now: start)
        #expect(drain(&lookup).last == .finished([]))

        var silent = try self.lookup()
        silent.handle(.knows([try Fixture.peer(1)]), now: start)
        silent.handle(.tick, now: start + .seconds(59))
        #expect(asked(drain(&silent)).count == 1)
        silent.handle(.tick, now: start + .seconds(60))
        #expect(drain(&silent) == [.finished([])])
    }

    @Test("At most ten are asked at once, the closest first, and nobody twice")
    func parallel() throws {
        var lookup = try lookup()
        lookup.handle(.knows([try Fixture.peer(1)]), now: start)
        let others = try (2...60 as ClosedRange<UInt8>).map { try peer($0, at: "/ip4/8.8.\($0).8/tcp/1") }
        #expect(asked(drain(&lookup)).count == 1)
        lookup.handle(.answered(try Fixture.peer(1), others, .world), now: start)
        let first = asked(drain(&lookup))
        #expect(first.count == Limits.kademliaParallel)
        let place = KademliaKey(try Fixture.peer(200))
        let distances = first.map { KademliaKey($0).distance(to: place) }
        #expect(distances == distances.sorted())
        lookup.handle(.answered(first[0], others, .world), now: start)
        let second = asked(drain(&lookup))
        #expect(second.count == 1 && !first.contains(second[0]))
        lookup.handle(.answered(first[0], others, .world), now: start)
        #expect(drain(&lookup).isEmpty, "an answer counts once")
    }

    @Test("Strangers' answers do not make it ask one host again and again")
    func victim() throws {
        var lookup = try lookup()
        lookup.handle(.knows([try Fixture.peer(1)]), now: start)
        _ = drain(&lookup)
        let liar = try (2...20 as ClosedRange<UInt8>).map { try peer($0, at: "/ip4/8.8.8.8/tcp/\(1000 + Int($0))") }
        lookup.handle(.answered(try Fixture.peer(1), liar, .world), now: start)
        #expect(asked(drain(&lookup)).count == Limits.kademliaQueriesPerHost)
    }

    @Test("Private addresses, names, relays, own and other ids are nobody's candidates")
    func refused() throws {
        var lookup = try lookup()
        lookup.handle(.knows([try Fixture.peer(1)]), now: start)
        _ = drain(&lookup)
        let relay = try Fixture.peer(30)
        let answer = [
            try peer(2, at: "/ip4/192.168.1.1/tcp/1"), try peer(3, at: "/dns4/victim.example/tcp/80"),
            try peer(4, at: "/ip4/127.0.0.1/tcp/1"), try peer(5, at: "/ip4/8.8.8.8/tcp/1/p2p/\(relay)"),
            try peer(6, at: "/ip4/8.8.8.8/tcp/1/p2p/\(relay)/p2p-circuit"), try peer(201, at: "/ip4/8.8.8.8/tcp/1"),
            .init(id: try Fixture.peer(7), addresses: []),
        ]
        lookup.handle(.answered(try Fixture.peer(1), answer, .world), now: start)
        #expect(drain(&lookup) == [.finished([])])
    }

    @Test("The target itself may be behind a relay, and is never asked")
    func relayedTarget() throws {
        var lookup = try lookup()
        lookup.handle(.knows([try Fixture.peer(200), try Fixture.peer(1)]), now: start)
        let address = "/ip4/8.8.8.8/tcp/1/p2p/\(try Fixture.peer(30))/p2p-circuit"
        lookup.handle(
            .answered(try Fixture.peer(1), [try peer(200, at: "\(address)/p2p/\(Fixture.peer(200))")], .world),
            now: start)
        let outputs = drain(&lookup)
        #expect(outputs.last == .finished([try Multiaddr(address)]))
    }

    @Test("A liar with endless peers is asked about for a bounded number of times", arguments: 1...5)
    func endless(_ seed: UInt64) throws {
        var entropy = Entropy.seeded(seed)
        var lookup = try lookup()
        lookup.handle(.knows([try Fixture.peer(1)]), now: start)
        var queries = 0
        var finished = false
        while let output = lookup.poll() {
            switch output {
            case .query(let peer, _):
                queries += 1
                let made = try (0..<20).map { _ in
                    KademliaMessage.Peer(
                        id: try PeerID(bytes: [0x12, 32] + entropy.bytes(32)),
                        addresses: [
                            Multiaddr(
                                .v4(IPv4Address(UInt32.random(in: 0x0800_0000..<0x0900_0000, using: &entropy))), tcp: 1)
                        ])
                }
                lookup.handle(.answered(peer, made, .world), now: start)
            case .finished: finished = true
            }
        }
        #expect(finished)
        #expect(queries <= Limits.kademliaQueries)
    }
}
