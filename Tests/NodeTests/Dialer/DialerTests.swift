import NIOCore
import Testing
import Wire

@testable import Node

@Suite struct DialerTests {
    private let start = Fixture.start

    /// A dialer and what it said.
    private struct Bench {
        var dialer: Dialer
        var now = Fixture.start
        var running: [(id: Dialer.AttemptID, address: String)] = []

        init(seed: UInt64 = 1) throws { dialer = Dialer(own: try Fixture.peer(1), entropy: .seeded(seed)) }

        /// Handles an input and returns what was said, attempts by their addresses.
        mutating func handle(_ input: Dialer.Input) -> [Dialer.Output] {
            dialer.handle(input, now: now)
            var outputs: [Dialer.Output] = []
            while let output = dialer.poll() {
                outputs.append(output)
                switch output {
                case .attempt(let id, let address, _): running.append((id, address.description))
                case .cancelAttempt(let id), .attemptTimedOut(let id): running.removeAll { $0.id == id }
                default: break
                }
            }
            return outputs
        }

        mutating func dial(
            _ peer: PeerID?, _ addresses: [String], request: UInt64? = 1, isForced: Bool = false
        ) throws -> [Dialer.Output] {
            handle(.dial(peer, try addresses.map { try Multiaddr($0) }, request: request, isForced: isForced))
        }

        mutating func fail(_ index: Int = 0) -> [Dialer.Output] {
            handle(.attemptFailed(running.remove(at: index).id, reason: "refused"))
        }

        mutating func tick() -> [Dialer.Output] {
            now = max(now, dialer.deadline)
            return handle(.tick)
        }
    }

    private func reasons(_ outputs: [Dialer.Output], of request: UInt64 = 1) -> [Dialer.Reason]? {
        for case .failed(request, let failures) in outputs { return failures.map(\.reason) }
        return nil
    }

    @Test("Near addresses come first, 30 ms apart; distant ones 250 ms, IPv6 before IPv4")
    func ranking() throws {
        var bench = try Bench()
        _ = try bench.dial(
            try Fixture.peer(2),
            [
                "/ip4/8.8.8.8/tcp/1", "/ip6/2a00::1/tcp/1", "/ip4/192.168.0.1/tcp/1", "/ip4/127.0.0.1/tcp/1",
                "/ip6/::1/tcp/1", "/ip6/fe80::1/tcp/1", "/ip4/9.9.9.9/tcp/1",
            ])
        var times: [Int64] = [0]
        while bench.running.count < 7 {
            _ = bench.tick()
            times.append((bench.now - start).nanoseconds / 1_000_000)
        }
        #expect(
            bench.running.map(\.address) == [
                "/ip4/127.0.0.1/tcp/1", "/ip6/::1/tcp/1", "/ip4/192.168.0.1/tcp/1", "/ip6/fe80::1/tcp/1",
                "/ip6/2a00::1/tcp/1", "/ip4/8.8.8.8/tcp/1", "/ip4/9.9.9.9/tcp/1",
            ])
        #expect(times == [0, 30, 60, 90, 120, 370, 620])
    }

    @Test("A failure lets the next start at once; when all failed the request hears why")
    func failures() throws {
        var bench = try Bench()
        _ = try bench.dial(try Fixture.peer(2), ["/ip4/8.8.8.8/tcp/1", "/ip4/8.8.4.4/tcp/1"])
        #expect(bench.running.count == 1)
        #expect(bench.fail().count == 1, "the next attempt")
        #expect(bench.running.map(\.address) == ["/ip4/8.8.4.4/tcp/1"])
        let outputs = bench.fail()
        #expect(reasons(outputs) == [.failed("refused"), .failed("refused")])
        #expect(bench.dialer.deadline == .distantFuture)
    }

    @Test("Success answers everybody who joined and cancels the rest")
    func success() throws {
        var bench = try Bench()
        let peer = try Fixture.peer(2)
        _ = try bench.dial(peer, ["/ip4/10.0.0.1/tcp/1", "/ip4/10.0.0.2/tcp/1"], request: 1)
        #expect(try bench.dial(peer, ["/ip4/10.0.0.1/tcp/1"], request: 2).isEmpty, "one dial per peer")
        _ = bench.tick()
        let attempts = bench.running.map(\.id)
        #expect(attempts.count == 2)
        #expect(
            bench.handle(.attemptSucceeded(attempts[1], peer)) == [
                .cancelAttempt(attempts[0]), .dialed(request: 1, peer), .dialed(request: 2, peer),
            ])
        #expect(try bench.dial(peer, ["/ip4/10.0.0.9/tcp/1"], request: 3) == [.dialed(request: 3, peer)])
        #expect(bench.handle(.attemptFailed(attempts[0], reason: "late")).isEmpty)
        #expect(bench.handle(.disconnected(peer)).isEmpty)
        #expect(try bench.dial(peer, ["/ip4/10.0.0.1/tcp/1"], request: 4).count == 1, "dialled anew")
    }

    @Test("A connection that comes from elsewhere ends the dial")
    func connectedMeanwhile() throws {
        var bench = try Bench()
        let peer = try Fixture.peer(2)
        _ = try bench.dial(peer, ["/ip4/10.0.0.1/tcp/1"])
        let attempt = bench.running[0].id
        #expect(bench.handle(.connected(peer)) == [.cancelAttempt(attempt), .dialed(request: 1, peer)])
    }

    @Test("Another peer at the address is a failure, this one itself too")
    func wrongPeer() throws {
        var bench = try Bench()
        _ = try bench.dial(try Fixture.peer(2), ["/ip4/10.0.0.1/tcp/1"])
        let other = try Fixture.peer(3)
        #expect(reasons(bench.handle(.attemptSucceeded(bench.running[0].id, other))) == [.otherPeer(other)])
        bench.running = []
        _ = try bench.dial(nil, ["/ip4/10.0.0.5/tcp/1"])
        #expect(reasons(bench.handle(.attemptSucceeded(bench.running[0].id, try Fixture.peer(1)))) == [.isSelf])
    }

    @Test("An address without a name reaches whoever is there")
    func anonymous() throws {
        var bench = try Bench()
        guard case .attempt(let id, _, nil) = try bench.dial(nil, ["/ip4/10.0.0.1/tcp/1"]).first else {
            Issue.record("no attempt")
            return
        }
        let peer = try Fixture.peer(2)
        #expect(bench.handle(.attemptSucceeded(id, peer)) == [.dialed(request: 1, peer)])
    }

    @Test("It never dials itself, by name or by address")
    func selfDial() throws {
        var bench = try Bench()
        let own = try ["/ip4/0.0.0.0/tcp/9095", "/ip4/192.168.0.7/tcp/9095"].map { try Multiaddr($0) }
        #expect(bench.handle(.ownAddresses(own)).isEmpty)
        #expect(reasons(try bench.dial(try Fixture.peer(1), ["/ip4/10.0.0.1/tcp/1"])) == [.isSelf])
        #expect(reasons(try bench.dial(nil, ["/ip4/10.0.0.1/tcp/1/p2p/\(try Fixture.peer(1))"])) == [.isSelf])
        for address in ["/ip4/127.0.0.1/tcp/9095", "/ip4/192.168.0.7/tcp/9095", "/ip4/0.0.0.0/tcp/9095"] {
            #expect(reasons(try bench.dial(try Fixture.peer(2), [address])) == [.isSelf], "\(address)")
        }
        #expect(try bench.dial(try Fixture.peer(2), ["/ip4/127.0.0.1/tcp/9096"]).count == 1)
    }

    @Test(
        "What cannot be dialled is refused in plain words",
        arguments: [
            ("/ip4/1.2.3.4/udp/1/webrtc-direct", "a webrtc-direct address needs a certhash to be dialled"),
            (
                "/ip4/1.2.3.4/udp/1/webrtc-direct/certhash/"
                    + "uE0AAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8wMTIzNDU2Nzg5Ojs8PT4_",
                "only certhashes of sha2-256 are understood"
            ),
            ("/ip4/1.2.3.4/tcp/0/ws", "port 0 cannot be dialled"),
            ("/dns4/a.example/tcp/1/ws", "the name was not resolved"),
            ("/dns4/a.example/tcp/1/wss", "the name was not resolved"),
            ("/ip4/1.2.3.4/tcp/0/tls/ws", "port 0 cannot be dialled"),
            ("/ip4/1.2.3.4/udp/1/quic-v1", "QUIC is not available in this version"),
            ("/ip4/1.2.3.4/udp/1/quic-v1/webtransport", "WebTransport is not available in this version"),
            ("/dns4/a.example/tcp/1", "the name was not resolved"),
            ("/ip4/0.0.0.0/tcp/1", "0.0.0.0 is nobody's address"),
            ("/ip4/224.0.0.1/tcp/1", "224.0.0.1 is nobody's address"),
            ("/ip4/1.2.3.4/tcp/0", "port 0 cannot be dialled"),
            ("/ip4/1.2.3.4/udp/1", "no transport leads to such an address"),
        ])
    func unsupported(address: String, words: String) throws {
        var bench = try Bench()
        let reasons = reasons(try bench.dial(try Fixture.peer(2), [address]))
        #expect(reasons == [.unsupported(words)])
        #expect(reasons?.first?.description == words)
    }

    @Test("To one place TCP goes before WebSocket, then TLS, then webrtc-direct, and a near place before a far one")
    func orderOfTransports() throws {
        var bench = try Bench()
        let hash = "uEiC_r40aikqTcIrIR7lLqhI1Qgi11-DIjeXfNmiCeI4mbA"
        let direct = ["127.0.0.1", "8.8.8.8"].map { "/ip4/\($0)/udp/2/webrtc-direct/certhash/\(hash)" }
        let tcp = ["/ip4/8.8.8.8/tcp/1", "/ip4/127.0.0.1/tcp/1"]
        let webSocket = ["/ip4/127.0.0.1/tcp/1/tls/ws", "/ip4/127.0.0.1/tcp/1/ws"]
        _ = try bench.dial(try Fixture.peer(2), direct + webSocket + tcp)
        for _ in 0..<5 { _ = bench.tick() }
        let wanted = [
            "/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/1/ws", "/ip4/127.0.0.1/tcp/1/tls/ws", direct[0],
            "/ip4/8.8.8.8/tcp/1", direct[1],
        ]
        #expect(bench.running.map(\.address) == wanted)
    }

    @Test("It never dials its own webrtc-direct address, whatever certificate stands behind it")
    func ownDirect() throws {
        var bench = try Bench()
        let hash = "/certhash/uEiC_r40aikqTcIrIR7lLqhI1Qgi11-DIjeXfNmiCeI4mbA"
        #expect(bench.handle(.ownAddresses([try Multiaddr("/ip4/0.0.0.0/udp/9095/webrtc-direct\(hash)")])).isEmpty)
        let loopback = "/ip4/127.0.0.1/udp/9095/webrtc-direct\(hash)"
        #expect(reasons(try bench.dial(try Fixture.peer(2), [loopback])) == [.isSelf])
        #expect(try bench.dial(try Fixture.peer(2), ["/ip4/127.0.0.1/tcp/9095"]).count == 1)
    }

    @Test("No address at all fails at once")
    func noAddress() throws {
        var bench = try Bench()
        #expect(try bench.dial(try Fixture.peer(2), []) == [.failed(request: 1, [])])
    }

    @Test("An attempt ends after 15 s, a near one after 5 s", arguments: [("8.8.8.8", 15), ("10.0.0.1", 5)])
    func deadlines(host: String, seconds: Int) throws {
        var bench = try Bench()
        _ = try bench.dial(try Fixture.peer(2), ["/ip4/\(host)/tcp/1"])
        let attempt = bench.running[0].id
        let outputs = bench.tick()
        #expect(bench.now - start == .seconds(Int64(seconds)))
        #expect(outputs.first == .attemptTimedOut(attempt))
        #expect(reasons(outputs) == [.timedOut])
    }

    @Test("At most eight attempts at a time in a dial")
    func capPerDial() throws {
        var bench = try Bench()
        _ = try bench.dial(try Fixture.peer(2), (0..<20).map { "/ip4/10.0.0.\($0)/tcp/1" })
        while bench.dialer.deadline < start + .seconds(4) { _ = bench.tick() }
        #expect(bench.running.count == Limits.dialAttemptsPerPeer)
        _ = bench.fail()
        #expect(bench.running.count == Limits.dialAttemptsPerPeer)
    }

    @Test("At most 64 attempts at a time in all dials")
    func caps() throws {
        var bench = try Bench()
        for number in 2..<22 as Range<UInt8> {
            let addresses = (0..<20).map { "/ip4/10.0.\(number).\($0)/tcp/1" }
            _ = try bench.dial(try Fixture.peer(number), addresses, request: UInt64(number))
        }
        for _ in 0..<100 where bench.dialer.deadline < start + .seconds(4) { _ = bench.tick() }
        #expect(bench.running.count == Limits.dialAttempts)
        #expect(bench.dialer.deadline >= start + .seconds(4), "it waits for attempts, not for room")
        _ = bench.fail()
        #expect(bench.running.count == Limits.dialAttempts)
    }

    @Test("Dials and requests have their limits")
    func limits() throws {
        var bench = try Bench()
        let peer = try Fixture.peer(2)
        for request in 0..<UInt64(Limits.dialRequests) {
            _ = try bench.dial(peer, ["/ip4/10.0.0.1/tcp/1"], request: request)
        }
        #expect(reasons(try bench.dial(peer, ["/ip4/10.0.0.1/tcp/1"], request: 999), of: 999) == [.tooMany])
        for number in 1..<Limits.dials {
            _ = try bench.dial(nil, ["/ip4/10.1.\(number / 256).\(number % 256)/tcp/1"], request: nil)
        }
        #expect(reasons(try bench.dial(nil, ["/ip4/10.2.0.1/tcp/1"], request: 999), of: 999) == [.tooMany])
    }

    @Test("A cancelled request is not answered; the last one ends the dial")
    func cancel() throws {
        var bench = try Bench()
        let peer = try Fixture.peer(2)
        _ = try bench.dial(peer, ["/ip4/10.0.0.1/tcp/1"], request: 1)
        _ = try bench.dial(peer, ["/ip4/10.0.0.1/tcp/1"], request: 2)
        #expect(bench.handle(.cancel(1)).isEmpty)
        let attempt = bench.running[0].id
        #expect(bench.handle(.cancel(2)) == [.cancelAttempt(attempt)])
        #expect(bench.dialer.deadline == .distantFuture)
    }

    @Test("A failed address rests, longer each time; force tries it all the same")
    func backoff() throws {
        var bench = try Bench()
        let peer = try Fixture.peer(2)
        let address = "/ip4/10.0.0.1/tcp/1"
        var last = TimeAmount.zero
        for round in 0..<4 {
            #expect(try bench.dial(peer, [address], isForced: true).count == 1)
            _ = bench.fail()
            guard case .backingOff(let rest)? = reasons(try bench.dial(peer, [address]))?.first else {
                Issue.record("it does not rest in round \(round)")
                return
            }
            let full = 5_000_000_000 << round
            #expect((full * 3 / 4...full * 5 / 4).contains(Int(rest.nanoseconds)))
            last = rest
        }
        bench.now = bench.now + last
        #expect(try bench.dial(peer, [address]).count == 1, "it rested long enough")
    }

    @Test("A forced dial that joins wakes what rests")
    func forcedJoin() throws {
        var bench = try Bench()
        let peer = try Fixture.peer(2)
        _ = try bench.dial(peer, ["/ip4/10.0.0.1/tcp/1"])
        _ = bench.fail()
        _ = try bench.dial(peer, ["/ip4/10.0.0.1/tcp/1", "/ip4/10.0.0.2/tcp/1"])
        #expect(bench.running.map(\.address) == ["/ip4/10.0.0.2/tcp/1"])
        _ = try bench.dial(peer, ["/ip4/10.0.0.1/tcp/1"], request: 2, isForced: true)
        _ = bench.tick()
        #expect(bench.running.map(\.address) == ["/ip4/10.0.0.2/tcp/1", "/ip4/10.0.0.1/tcp/1"])
    }

    @Test("Waits grow to five minutes and no further", arguments: 0..<5 as Range<UInt64>)
    func longestWait(seed: UInt64) {
        var entropy = Entropy.seeded(seed)
        for failures in [0, 1, 7, 8, 30, 1000, .max] {
            let wait = DialBackoff.wait(after: failures, entropy: &entropy)
            #expect(wait >= .milliseconds(3750))
            #expect(wait <= .seconds(375))
        }
    }

    @Test("A kept peer is dialled at once, after failures with growing waits, and when it is lost")
    func kept() throws {
        var bench = try Bench()
        let peer = try Fixture.peer(2)
        #expect(bench.handle(.keep(peer, [try Multiaddr("/ip4/10.0.0.1/tcp/1")])).count == 1)
        var waits: [TimeAmount] = []
        for _ in 0..<3 {
            for case .keptFailed(peer, _, .some(let wait)) in bench.fail() { waits.append(wait) }
            #expect(bench.tick().count == 1)
        }
        #expect(waits.count == 3)
        #expect(waits == waits.sorted())
        _ = bench.handle(.attemptSucceeded(bench.running.removeFirst().id, peer))
        #expect(bench.dialer.deadline == .distantFuture)
        bench.now = bench.now + .seconds(100)
        _ = bench.handle(.disconnected(peer))
        let lost = bench.now
        #expect(bench.tick().count == 1)
        #expect((500_000_000...1_500_000_000).contains((bench.now - lost).nanoseconds))
        let attempt = bench.running[0].id
        #expect(bench.handle(.forget(peer)) == [.cancelAttempt(attempt)])
    }

    @Test("A kept address without a name learns it")
    func keptAnonymous() throws {
        var bench = try Bench()
        _ = bench.handle(.keep(nil, [try Multiaddr("/ip4/10.0.0.1/tcp/1")]))
        let peer = try Fixture.peer(2)
        _ = bench.handle(.attemptSucceeded(bench.running.removeFirst().id, peer))
        _ = bench.handle(.disconnected(peer))
        guard case .attempt(_, _, peer) = bench.tick().first else {
            Issue.record("it is not dialled again")
            return
        }
    }

    @Test("A kept address that never can be reached is dropped, and said so")
    func keptHopeless() throws {
        var bench = try Bench()
        for case .keptFailed(_, let failures, let wait) in bench.handle(
            .keep(nil, [try Multiaddr("/ip4/1.1.1.1/udp/1")]))
        {
            #expect(failures.count == 1)
            #expect(wait == nil)
        }
        #expect(bench.dialer.deadline == .distantFuture)
        let own = try Fixture.peer(1)
        let outputs = bench.handle(.keep(own, [try Multiaddr("/ip4/1.1.1.1/tcp/1")]))
        #expect(outputs.count == 1)
        #expect(bench.dialer.deadline == .distantFuture)
    }

    @Test("Whatever happens in whatever order, every request is answered once", arguments: 0..<20 as Range<UInt64>)
    func anyOrder(seed: UInt64) throws {
        var bench = try Bench(seed: seed)
        var entropy = Entropy.seeded(seed)
        let peers = try (2..<8).map { try Fixture.peer($0) }
        var answers: [UInt64: Int] = [:]
        var asked: UInt64 = 0
        func note(_ outputs: [Dialer.Output]) {
            for output in outputs {
                switch output {
                case .dialed(let request, _), .failed(let request, _): answers[request, default: 0] += 1
                default: break
                }
            }
        }
        for _ in 0..<400 {
            let peer = peers[Int.random(in: 0..<peers.count, using: &entropy)]
            switch Int.random(in: 0..<8, using: &entropy) {
            case 0, 1:
                asked += 1
                let host = Int.random(in: 0..<20, using: &entropy)
                note(
                    try bench.dial(
                        Bool.random(using: &entropy) ? peer : nil,
                        ["/ip4/10.0.0.\(host)/tcp/1", "/ip4/8.8.8.\(host)/tcp/1"], request: asked,
                        isForced: Bool.random(using: &entropy)))
            case 2: note(bench.handle(.connected(peer)))
            case 3: note(bench.handle(.disconnected(peer)))
            case 4, 5:
                if !bench.running.isEmpty { note(bench.fail(Int.random(in: 0..<bench.running.count, using: &entropy))) }
            case 6:
                if !bench.running.isEmpty {
                    note(bench.handle(.attemptSucceeded(bench.running.removeFirst().id, peer)))
                }
            default: if bench.dialer.deadline < .distantFuture { note(bench.tick()) }
            }
            #expect(bench.running.count <= Limits.dialAttempts)
        }
        for _ in 0..<1000 where bench.dialer.deadline < .distantFuture { note(bench.tick()) }
        #expect(answers.count == Int(asked))
        #expect(answers.values.allSatisfy { $0 == 1 })
        #expect(bench.running.isEmpty)
    }
}
