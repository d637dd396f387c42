import NIOCore
import Testing
import Wire

@testable import Node

/// When a reservation is asked for, renewed and lost.
@Suite struct RelayClientTests {
    private struct Client {
        var machine: RelayClient
        var now = Fixture.start
        let relay: PeerID

        init() throws {
            relay = try Fixture.peer(1)
            let clock = UnixClock(nanoseconds: 5000 * 1_000_000_000, at: now)
            machine = RelayClient(clock: clock, entropy: .seeded(3))
        }

        mutating func give(_ input: RelayClient.Input) -> [RelayClient.Output] {
            machine.handle(input, now: now)
            var outputs: [RelayClient.Output] = []
            while let output = machine.poll() { outputs.append(output) }
            return outputs
        }

        /// Lets the deadline come.
        mutating func wait() -> [RelayClient.Output] {
            now = machine.deadline
            return give(.tick)
        }

        /// Asked and granted so many seconds.
        mutating func hold(seconds: UInt64 = 3600, _ addresses: [Multiaddr] = []) throws -> [RelayClient.Output] {
            _ = give(.hold(relay, [try Multiaddr("/ip4/10.0.0.1/tcp/4001")]))
            #expect(give(.connected(relay)) == [.reserve(relay)])
            return give(.reserved(relay, granted(seconds, addresses)))
        }

        func granted(_ seconds: UInt64, _ addresses: [Multiaddr] = []) -> ReserveRequest.Granted {
            let passed = UInt64((now - Fixture.start).nanoseconds / 1_000_000_000)
            return .init(expires: 5000 + passed + seconds, addresses: addresses, limit: nil)
        }
    }

    @Test func aWantedRelayIsAskedOnceItIsThere() throws {
        var client = try Client()
        #expect(client.give(.connected(client.relay)).isEmpty, "nobody wants it")
        #expect(client.give(.hold(client.relay, [])).isEmpty)
        #expect(client.machine.deadline == .distantFuture)
        #expect(client.give(.connected(client.relay)) == [.reserve(client.relay)])
        #expect(client.give(.connected(client.relay)).isEmpty)
        #expect(!client.machine.holds(client.relay) && client.machine.addresses.isEmpty)
    }

    @Test func aReservationIsAnnouncedAndRenewedInItsLastQuarter() throws {
        var client = try Client()
        let outputs = try client.hold()
        #expect(
            outputs == [
                .event(.reserved(relay: client.relay, lasting: .seconds(3600), limit: nil)), .changed,
            ])
        #expect(
            client.machine.addresses == [
                try Multiaddr("/ip4/10.0.0.1/tcp/4001/p2p/\(client.relay)/p2p-circuit")
            ])
        for _ in 1...5 {
            let held = client.now
            #expect(client.wait() == [.reserve(client.relay)])
            #expect(client.now == held + .seconds(2700))
            #expect(client.give(.reserved(client.relay, client.granted(3600))).isEmpty, "a renewal is no news")
            #expect(client.machine.holds(client.relay))
        }
    }

    @Test func aRenewalThatFailsIsTriedAgainUntilTheEnd() throws {
        var client = try Client()
        _ = try client.hold(seconds: 60)
        var failures = 0
        while client.machine.holds(client.relay) {
            let outputs = client.wait()
            guard outputs.contains(.reserve(client.relay)) else { continue }
            failures += 1
            _ = client.give(.failed(client.relay, .refused(.reservationRefused)))
        }
        #expect(failures >= 2)
        #expect(client.now <= Fixture.start + .seconds(61))
        #expect(client.machine.addresses.isEmpty)
    }

    @Test func refusalsRestLongerAndLonger() throws {
        var client = try Client()
        _ = client.give(.hold(client.relay, []))
        _ = client.give(.connected(client.relay))
        var rests: [Int64] = []
        for _ in 1...8 {
            let outputs = client.give(.failed(client.relay, .refused(.reservationRefused)))
            guard case .event(.refused(client.relay, let reason, _))? = outputs.first else {
                Issue.record("\(outputs)")
                return
            }
            #expect(reason.contains("RESERVATION_REFUSED"))
            let before = client.now
            #expect(client.wait() == [.reserve(client.relay)])
            rests.append((client.now - before).nanoseconds / 1_000_000_000)
        }
        #expect(rests[0] < 8 && rests[3] > 20 && rests[7] >= 200 && rests[7] <= 400, "\(rests)")
    }

    @Test func aPeerThatIsNoRelayIsNotAskedSoon() throws {
        var client = try Client()
        _ = client.give(.hold(client.relay, []))
        _ = client.give(.connected(client.relay))
        _ = client.give(.failed(client.relay, .unsupported))
        #expect(client.machine.deadline >= client.now + Limits.noRelayPause)
    }

    @Test func aReservationDiesWithItsConnection() throws {
        var client = try Client()
        _ = try client.hold()
        let outputs = client.give(.disconnected(client.relay))
        #expect(outputs.contains(.changed) && !client.machine.holds(client.relay))
        #expect(client.machine.deadline == .distantFuture)
        #expect(client.give(.connected(client.relay)) == [.reserve(client.relay)])
    }

    @Test func answersNobodyWaitsForAreNobodys() throws {
        var client = try Client()
        #expect(client.give(.reserved(client.relay, client.granted(10))).isEmpty)
        _ = try client.hold()
        #expect(client.give(.failed(client.relay, .timedOut)).isEmpty)
        #expect(client.machine.holds(client.relay))
    }

    @Test(arguments: [UInt64.max, UInt64.max - 5000, 1 << 40, 1, 0])
    func timesOfARelayAreBounded(expires: UInt64) throws {
        var client = try Client()
        _ = client.give(.hold(client.relay, []))
        _ = client.give(.connected(client.relay))
        _ = client.give(.reserved(client.relay, .init(expires: expires, addresses: [], limit: nil)))
        #expect(client.machine.deadline <= client.now + Limits.reservationLongest)
        #expect(client.machine.deadline >= client.now)
        var asked = 0
        let start = client.now
        while client.now < start + .seconds(30), client.machine.deadline < .distantFuture {
            if client.wait().contains(.reserve(client.relay)) {
                asked += 1
                _ = client.give(.reserved(client.relay, .init(expires: expires, addresses: [], limit: nil)))
            }
        }
        #expect(asked <= 31, "at most once a second")
    }

    @Test func onlyAFewAddressesOfTheRelayItselfAreAnnounced() throws {
        var client = try Client()
        let stranger = try Fixture.peer(7)
        let told =
            try [
                Multiaddr("/ip4/192.0.2.1/tcp/1/p2p/\(stranger)"),
                Multiaddr("/ip4/192.0.2.2/tcp/1/p2p/\(client.relay)/p2p-circuit"),
                Multiaddr("/ip4/10.0.0.1/tcp/4001/p2p/\(client.relay)"),
            ] + (1...10).map { try Multiaddr("/ip4/10.0.0.2/tcp/\($0)") }
        _ = try client.hold(seconds: 3600, told)
        let addresses = client.machine.addresses.map(\.description)
        #expect(addresses.count == Limits.relayAddressesAnnounced)
        #expect(addresses.allSatisfy { $0.hasSuffix("/p2p/\(client.relay)/p2p-circuit") })
        #expect(!addresses.contains { $0.contains("192.0.2.") })
        #expect(Set(addresses).count == addresses.count)
    }

    // MARK: Clocks

    @Test("A clock that is hours behind the relay's renews in time all the same")
    func behindTheRelay() throws {
        var client = try Client()
        _ = try client.hold(seconds: 3600 + 9 * 3600)
        #expect(client.machine.deadline == client.now + Limits.reservationRenewal)
        #expect(Limits.reservationRenewal < .hours(1))
    }

    @Test(
        "After a jump of the clock every reservation is asked for again", arguments: [-4000, -30, 30, 7200] as [Int64])
    func jump(seconds: Int64) throws {
        var client = try Client()
        _ = try client.hold()
        client.now = client.now + .minutes(5)
        let unix = UInt64(5000 + 300 + seconds)
        let outputs = client.give(.clock(UnixClock(nanoseconds: unix * 1_000_000_000, at: client.now)))
        #expect(outputs == (abs(seconds) > 60 ? [.reserve(client.relay)] : []))
        #expect(client.machine.holds(client.relay), "what is held goes on until the relay says otherwise")
        var granted = client.granted(3600)
        granted.expires = unix + 3600
        _ = client.give(.reserved(client.relay, granted))
        #expect(client.machine.holds(client.relay))
        #expect(client.machine.deadline > client.now + .minutes(30))
    }

    // MARK: Relays that nobody named

    @Test func foundRelaysAreAskedAfterAWhileAndOnlyAFew() throws {
        var client = try Client()
        let relays = try (1...6 as ClosedRange<UInt8>).map { try Fixture.peer($0) }
        let address = try Multiaddr("/ip4/192.0.2.1/tcp/4001")
        for relay in relays { #expect(client.give(.found(relay, [address])).isEmpty) }
        #expect(client.machine.deadline == .distantFuture, "nobody seeks")
        #expect(client.give(.seek(true)).isEmpty)
        #expect(client.machine.deadline == client.now + Limits.reservationPatience)
        #expect(client.wait() == [.reserve(relays[0]), .reserve(relays[1])])
        #expect(client.machine.deadline == .distantFuture)
        // One gives, one does not: the next one is asked.
        _ = client.give(.reserved(relays[0], client.granted(3600)))
        #expect(client.machine.addresses.map(\.description) == ["\(address)/p2p/\(relays[0])/p2p-circuit"])
        #expect(client.give(.failed(relays[1], .refused(.reservationRefused))).last == .reserve(relays[2]))
        _ = client.give(.reserved(relays[2], client.granted(3600)))
        #expect(client.machine.relays == [relays[0], relays[2]])
        // A lost one is replaced by the next, and comes last when it is back.
        #expect(client.give(.disconnected(relays[0])).last == .reserve(relays[3]))
        #expect(!client.machine.holds(relays[0]))
    }

    @Test func whoCanBeDialledGivesChosenRelaysUpAndKeepsNamedOnes() throws {
        var client = try Client()
        _ = try client.hold()
        let chosen = try Fixture.peer(2)
        _ = client.give(.seek(true))
        _ = client.give(.found(chosen, []))
        #expect(client.wait() == [.reserve(chosen)])
        _ = client.give(.reserved(chosen, client.granted(3600)))
        #expect(client.machine.relays == [client.relay, chosen])
        #expect(client.give(.seek(false)) == [.changed])
        #expect(client.machine.relays == [client.relay])
        #expect(client.give(.seek(true)) == [.reserve(chosen)], "it is still there")
    }

    @Test func aRelayThatRefusesIsLeftAloneForMinutes() throws {
        var client = try Client()
        _ = client.give(.seek(true))
        _ = client.give(.found(client.relay, []))
        for _ in 1...3 {
            let asked = client.now
            #expect(client.wait() == [.reserve(client.relay)])
            #expect(asked == Fixture.start || client.now >= asked + Limits.relayRest)
            let outputs = client.give(.failed(client.relay, .refused(.reservationRefused)))
            guard case .event(.refused)? = outputs.first else { Issue.record("\(outputs)"); return }
        }
    }

    @Test func relaysFoundAreBounded() throws {
        var client = try Client()
        _ = client.give(.seek(true))
        for number in 1...UInt8(Limits.relaysFound + 20) { _ = client.give(.found(try Fixture.peer(number), [])) }
        var asked = 0
        while client.machine.deadline < Fixture.start + .minutes(1) {
            let relays = client.wait().compactMap { if case .reserve(let relay) = $0 { relay } else { nil } }
            asked += relays.count
            for relay in relays {
                var more = client.give(.failed(relay, .timedOut))
                while case .reserve(let next)? = more.last {
                    asked += 1
                    more = client.give(.failed(next, .timedOut))
                }
            }
        }
        #expect(asked == Limits.relaysFound)
    }

    @Test func severalRelaysAreHeldAtOnceAndOnlySoMany() throws {
        var client = try Client()
        for number in 1...UInt8(Limits.relaysWanted + 5) {
            let relay = try Fixture.peer(number)
            _ = client.give(.hold(relay, []))
            _ = client.give(.connected(relay))
            _ = client.give(.reserved(relay, client.granted(3600)))
        }
        #expect(client.machine.relays.count == Limits.relaysWanted)
        #expect(client.give(.forget(client.relay)) == [.changed])
        #expect(client.machine.relays.count == Limits.relaysWanted - 1)
    }
}
