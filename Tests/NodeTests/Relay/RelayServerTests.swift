import NIOCore
import Testing
import Wire

@testable import Node

/// What a relay grants, and what not.
@Suite struct RelayServerTests {
    private struct Relay {
        var server: RelayServer
        var now = Fixture.start
        let identity: KeyPair

        init(_ configure: (inout RelayConfiguration) -> Void = { _ in }) throws {
            var configuration = RelayConfiguration()
            configure(&configuration)
            identity = try Fixture.key(200)
            let clock = UnixClock(nanoseconds: 1_000_000_000_000, at: now)
            server = RelayServer(identity: identity, configuration: configuration, clock: clock)
            server.handle(.addresses([try Multiaddr("/ip4/10.0.0.1/tcp/4001").appending(identity.peerID)]), now: now)
        }

        mutating func give(_ input: RelayServer.Input) -> [RelayServer.Output] {
            server.handle(input, now: now)
            var outputs: [RelayServer.Output] = []
            while let output = server.poll() { outputs.append(output) }
            return outputs
        }

        /// The status that a peer gets for RESERVE.
        mutating func reserve(_ peer: PeerID, ip: String? = nil, isRelayed: Bool = false) -> RelayStatus? {
            let outputs = give(.reserve(key(peer), peer, ip: ip.flatMap { IPAddress($0) }, isRelayed: isRelayed))
            return status(outputs)
        }

        mutating func connect(_ from: PeerID, _ to: PeerID, isRelayed: Bool = false) -> [RelayServer.Output] {
            give(.connect(key(from), from: from, to: to, isRelayed: isRelayed))
        }

        /// Has a circuit from one peer to another, agreed upon.
        mutating func circuit(_ from: PeerID, _ to: PeerID) -> RelayServer.CircuitID? {
            guard case .ask(let id, _, _, _, _)? = connect(from, to).first else { return nil }
            _ = give(.accepted(id))
            return id
        }

        func key(_ peer: PeerID) -> StreamKey { StreamKey(connection: UInt64(peer.bytes.last ?? 0), stream: 1) }

        func status(_ outputs: [RelayServer.Output]) -> RelayStatus? {
            for case .answer(_, let message) in outputs { return message.status }
            return nil
        }
    }

    /// So many peers, all different.
    private static func peers(_ count: Int) throws -> [PeerID] {
        try (0..<count).map { number in
            var bytes = Array(try Fixture.peer(1).bytes)
            bytes[10] = UInt8(number / 256)
            bytes[11] = UInt8(number % 256)
            return try PeerID(bytes: bytes)
        }
    }

    @Test func aGrantCarriesWhatAClientChecks() throws {
        var relay = try Relay()
        let peer = try Fixture.peer(1)
        let outputs = relay.give(.reserve(relay.key(peer), peer, ip: nil, isRelayed: false))
        guard case .answer(_, let message)? = outputs.first else {
            Issue.record("\(outputs)")
            return
        }
        var request = ReserveRequest(to: relay.identity.peerID, own: peer, now: relay.now)
        var inbox = message.frame()
        guard case .reserved(let granted) = request.received(&inbox, unixSeconds: 1000) else {
            Issue.record("refused by our own client")
            return
        }
        #expect(granted.expires == 1000 + 3600)
        #expect(granted.limit == RelayLimit(seconds: 120, bytes: 131_072))
        #expect(granted.addresses.map(\.peerID) == [relay.identity.peerID])
        #expect(outputs.last == .event(.granted(peer, isRenewal: false)))
        #expect(
            relay.give(.reserve(relay.key(peer), peer, ip: nil, isRelayed: false)).last
                == .event(.granted(peer, isRenewal: true)))
        #expect(relay.server.counts.reservations == 1)
    }

    @Test func thereAreSoManyReservationsAndNoMore() throws {
        var relay = try Relay { $0.reservations = 100 }
        let peers = try Self.peers(103)
        for peer in peers.prefix(100) { #expect(relay.reserve(peer) == .ok) }
        #expect(relay.reserve(peers[100]) == .reservationRefused)
        #expect(relay.reserve(peers[5]) == .ok, "a renewal needs no room")
        _ = relay.give(.disconnected(peers[7]))
        #expect(relay.reserve(peers[101]) == .ok)
        #expect(relay.reserve(peers[102]) == .reservationRefused)
        relay.now = relay.now + .hours(1)
        #expect(relay.server.deadline == relay.now)
        _ = relay.give(.tick)
        #expect(relay.server.counts.reservations == 0 && relay.server.deadline == .distantFuture)
    }

    @Test(arguments: [
        (["10.0.0.7"], "10.0.0.8"), (["::ffff:10.0.0.7", "10.0.0.7"], "::ffff:10.0.0.8"),
        (["2001:db8::1", "2001:db8::ffff:ffff"], "2001:db8:0:1::1"),
    ])
    func anAddressHasItsShare(same: [String], other: String) throws {
        var relay = try Relay { $0.reservationsPerIP = 4 }
        let peers = try Self.peers(7)
        for index in 0..<4 { #expect(relay.reserve(peers[index], ip: same[index % same.count]) == .ok) }
        #expect(relay.reserve(peers[4], ip: same[0]) == .reservationRefused)
        #expect(relay.reserve(peers[4], ip: other) == .ok)
        #expect(relay.reserve(peers[0], ip: same[0]) == .ok, "a renewal takes its own place")
        _ = relay.give(.disconnected(peers[1]))
        #expect(relay.reserve(peers[5], ip: same[0]) == .ok)
        #expect(relay.reserve(peers[6], ip: same[0]) == .reservationRefused)
        // A peer that moves takes its share along; one that finds no room there keeps what it had.
        #expect(relay.reserve(peers[4], ip: same[0]) == .reservationRefused)
        #expect(relay.server.counts.reservations == 5)
    }

    @Test func aProviderHasItsShare() throws {
        var relay = try Relay {
            $0.reservationsPerIP = 2
            $0.reservationsPerProvider = 5
        }
        let peers = try Self.peers(8)
        for index in 0..<5 { #expect(relay.reserve(peers[index], ip: "2001:db8:\(index)::1") == .ok) }
        #expect(relay.reserve(peers[5], ip: "2001:db8:ffff::1") == .reservationRefused)
        #expect(relay.reserve(peers[5], ip: "2001:db9::1") == .ok)
        #expect(relay.reserve(peers[6], ip: "10.0.0.1") == .ok, "IPv4 is counted by address alone")
        #expect(relay.reserve(peers[4], ip: "2001:db8:7::1") == .ok, "a renewal takes its own place")
        _ = relay.give(.disconnected(peers[0]))
        #expect(relay.reserve(peers[7], ip: "2001:db8:ffff::1") == .ok)
    }

    @Test func allCircuitsTogetherHaveALimit() throws {
        var relay = try Relay { $0.circuits = 3 }
        let peers = try Self.peers(10)
        for peer in peers { #expect(relay.reserve(peer) == .ok) }
        let circuit = relay.circuit(peers[0], peers[1])
        let first = try #require(circuit)
        for index in [2, 4] { #expect(relay.circuit(peers[index], peers[index + 1]) != nil) }
        #expect(relay.status(relay.connect(peers[6], peers[7])) == .resourceLimitExceeded)
        _ = relay.give(.ended(first, reason: "test"))
        #expect(relay.circuit(peers[6], peers[7]) != nil)
    }

    @Test("What is not said otherwise is what go-libp2p gives")
    func defaults() {
        let relay = RelayConfiguration()
        #expect((relay.reservations, relay.reservationsPerIP, relay.reservationsPerProvider) == (128, 8, 32))
        #expect(relay.reservationTime == .seconds(3600) && relay.limit == RelayLimit(seconds: 120, bytes: 131_072))
        #expect(relay.circuitsPerPeer == 16 && relay.circuits == relay.circuitsPerPeer * relay.reservations)
    }

    @Test("A clock that was set counts from the next grant on, and ends nobody's reservation")
    func clock() throws {
        var relay = try Relay()
        let peers = try Self.peers(2)
        #expect(relay.reserve(peers[0]) == .ok)
        let unix: UInt64 = 1_700_000_000
        #expect(relay.give(.clock(UnixClock(nanoseconds: unix * 1_000_000_000, at: relay.now))).isEmpty)
        #expect(relay.server.counts.reservations == 1)
        let outputs = relay.give(.reserve(relay.key(peers[1]), peers[1], ip: nil, isRelayed: false))
        guard case .answer(_, let message)? = outputs.first else { Issue.record("\(outputs)"); return }
        #expect(message.reservation?.expires == unix + 3600)
        relay.now = relay.now + .minutes(59)
        _ = relay.give(.tick)
        #expect(relay.server.counts.reservations == 2)
    }

    @Test func nobodyReservesThroughAnotherRelay() throws {
        var relay = try Relay()
        #expect(relay.reserve(try Fixture.peer(1), isRelayed: true) == .permissionDenied)
        #expect(relay.server.counts.reservations == 0)
    }

    @Test func aRelayWithoutAddressesGivesNothing() throws {
        var relay = try Relay()
        _ = relay.give(.addresses([]))
        #expect(relay.reserve(try Fixture.peer(1)) == .reservationRefused)
    }

    @Test func circuitsNeedAReservationAndTwoOthers() throws {
        var relay = try Relay()
        let (one, two) = (try Fixture.peer(1), try Fixture.peer(2))
        #expect(relay.status(relay.connect(one, two)) == .noReservation)
        #expect(relay.reserve(two) == .ok)
        #expect(relay.status(relay.connect(one, relay.identity.peerID)) == .permissionDenied)
        #expect(relay.status(relay.connect(two, two)) == .permissionDenied)
        #expect(relay.status(relay.connect(one, two, isRelayed: true)) == .permissionDenied)
        guard case .ask(_, let key, let from, let to, let limit)? = relay.connect(one, two).first else {
            Issue.record("nobody was asked")
            return
        }
        #expect(key == relay.key(one) && from == one && to == two && limit == RelayLimit(seconds: 120, bytes: 131_072))
    }

    @Test func aReservationThatIsOverReachesNobody() throws {
        var relay = try Relay()
        let (one, two) = (try Fixture.peer(1), try Fixture.peer(2))
        #expect(relay.reserve(two) == .ok)
        relay.now = relay.now + .hours(1)
        #expect(relay.status(relay.connect(one, two)) == .noReservation)
    }

    @Test func aPeerHasSoManyCircuitsAtEitherEnd() throws {
        var relay = try Relay { $0.circuitsPerPeer = 3 }
        let peers = try Self.peers(6)
        for peer in peers.prefix(4) { #expect(relay.reserve(peer) == .ok) }
        let ids = (1...3).map { relay.circuit(peers[0], peers[$0]) }
        #expect(ids.allSatisfy { $0 != nil })
        #expect(relay.status(relay.connect(peers[0], peers[3])) == .resourceLimitExceeded)
        #expect(relay.status(relay.connect(peers[4], peers[0])) == .resourceLimitExceeded)
        let second = try #require(ids[1])
        #expect(relay.give(.ended(second, reason: "closed")).first == .end(second))
        #expect(relay.circuit(peers[4], peers[0]) != nil)
        #expect(relay.server.counts.circuits == 3)
    }

    @Test func aPeerThatDoesNotTakeItIsAFailedConnection() throws {
        var relay = try Relay()
        let (one, two) = (try Fixture.peer(1), try Fixture.peer(2))
        #expect(relay.reserve(two) == .ok)
        guard case .ask(let id, _, _, _, _)? = relay.connect(one, two).first else {
            Issue.record("nobody was asked")
            return
        }
        #expect(relay.status(relay.give(.refused(id))) == .connectionFailed)
        #expect(relay.give(.refused(id)).isEmpty && relay.give(.accepted(id)).isEmpty)
        #expect(relay.server.counts.circuits == 0)
    }

    @Test func bytesAreCountedInEachDirection() throws {
        var relay = try Relay { $0.limit = RelayLimit(seconds: 0, bytes: 1000) }
        let (one, two) = (try Fixture.peer(1), try Fixture.peer(2))
        #expect(relay.reserve(two) == .ok)
        let opened = relay.circuit(one, two)
        let id = try #require(opened)
        #expect(relay.server.deadline == relay.now + .hours(1), "no bound on time")
        #expect(relay.server.take(900, of: id, from: .hop, now: relay.now) == 900)
        #expect(relay.server.take(1000, of: id, from: .stop, now: relay.now) == 1000)
        #expect(relay.give(.tick).isEmpty, "a limit that is just reached ends nothing")
        #expect(relay.server.take(101, of: id, from: .hop, now: relay.now) == 100)
        let outputs = relay.give(.tick)
        #expect(outputs.first == .end(id))
        guard case .event(.circuitEnded(one, two, bytes: 2000, _))? = outputs.last else {
            Issue.record("\(outputs)")
            return
        }
        #expect(relay.server.take(1, of: id, from: .hop, now: relay.now) == 0)
    }

    @Test func circuitsEndWithTheirTime() throws {
        var relay = try Relay { $0.limit = RelayLimit(seconds: 5, bytes: 0) }
        let (one, two) = (try Fixture.peer(1), try Fixture.peer(2))
        #expect(relay.reserve(two) == .ok)
        let opened = relay.circuit(one, two)
        let id = try #require(opened)
        #expect(relay.server.take(1 << 40, of: id, from: .hop, now: relay.now) == 1 << 40)
        relay.now = relay.now + .seconds(5)
        #expect(relay.server.deadline == relay.now)
        #expect(relay.give(.tick).first == .end(id))
    }

    @Test func withoutBoundsNoLimitIsTold() throws {
        var relay = try Relay { $0.limit = RelayLimit(seconds: 0, bytes: 0) }
        let (one, two) = (try Fixture.peer(1), try Fixture.peer(2))
        #expect(relay.reserve(two) == .ok)
        guard case .ask(let id, _, _, _, nil)? = relay.connect(one, two).first else {
            Issue.record("a limit was told")
            return
        }
        guard case .open(id, let message)? = relay.give(.accepted(id)).first else {
            Issue.record("it was not opened")
            return
        }
        #expect(message.status == .ok && message.limit == nil)
    }

    @Test func aFloodOfReservationsHoldsNothingBeyondTheLimit() throws {
        var relay = try Relay()
        for peer in try Self.peers(5000) { _ = relay.reserve(peer, ip: "10.1.2.3") }
        #expect(relay.server.counts.reservations == 8)
        for peer in try Self.peers(5000) { _ = relay.reserve(peer) }
        #expect(relay.server.counts.reservations == 128)
    }
}
