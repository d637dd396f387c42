import NIOCore
import Testing
import VectorFiles
import Wire

@testable import ICE

/// The listening end of webrtc-direct.
@Suite struct ICELiteAgentTests {
    private static let name = "libp2p+webrtc+v1/abcdefghijklmnopqrstuvwxyzABCDEF"
    private static let path = ICEPath(local: address("192.0.2.1:9090"), remote: address("198.51.100.1:2"))
    private static let other = ICEPath(local: address("192.0.2.1:9090"), remote: address("198.51.100.1:3"))
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    /// An agent, its outputs and a remote that knows the password.
    private final class Session {
        let agent: ICELiteAgent
        var now = start
        var entropy = Entropy.seeded(1)
        let username: String
        let password: String

        init(ufrag: String = name, remote: String = name) {
            (username, password) = ("\(ufrag):\(remote)", ufrag)
            agent = ICELiteAgent(local: ICECredentials(ufrag: ufrag, password: ufrag))
        }

        func handle(_ input: ICEInput) -> [ICEOutput] {
            agent.handle(input, now: now)
            var outputs: [ICEOutput] = []
            while let output = agent.poll() { outputs.append(output) }
            return outputs
        }

        func check(nominating: Bool = false, password: String? = nil, extra: [STUNAttribute] = []) -> ByteBuffer {
            var attributes: [STUNAttribute] = [.username(username), .priority(1), .iceControlling(7)] + extra
            if nominating { attributes.append(.useCandidate) }
            return STUNMessage(.request, transaction: STUNTransactionID(from: &entropy), attributes: attributes)
                .encoded(key: STUNKey(password: password ?? self.password))
        }
    }

    private func events(_ outputs: [ICEOutput]) -> [ICEOutput] {
        outputs.filter { if case .send = $0 { false } else { true } }
    }

    @Test(arguments: [(name, name), ("libp2p+webrtc+v2/abcdefghijklmnopqrstuvwxyzABCDEF", "EsAw")])
    func aCheckIsAnsweredAndANominationSelects(ufrag: String, remote: String) throws {
        let session = Session(ufrag: ufrag, remote: remote)
        let outputs = session.handle(.received(session.check(), on: Self.path))
        #expect(events(outputs) == [.state(.checking), .usable(Self.path)])
        guard case .send(let bytes, Self.path)? = outputs.first(where: { if case .send = $0 { true } else { false } })
        else {
            Issue.record("the check is answered where it came from")
            return
        }
        let answer = try STUNMessage(parsing: bytes)
        #expect(answer.messageClass == .success && answer.xorMappedAddress == Self.path.remote)
        #expect(answer.isAuthentic(by: STUNKey(password: ufrag)) && answer.hasFingerprint)
        let second = session.handle(.received(session.check(nominating: true), on: Self.path))
        #expect(events(second) == [.selected(Self.path), .state(.connected)])
        #expect(session.handle(.received(session.check(nominating: true), on: Self.path)).count == 1)
    }

    @Test func theVectorsAreAnswered() throws {
        for vector in try Vectors.load("stun") where vector.name.hasPrefix("webrtc-direct") {
            let password = try #require(vector.input["password"] as? String)
            let agent = ICELiteAgent(local: ICECredentials(ufrag: password, password: password))
            agent.handle(.received(try hex(vector.output["hex"]), on: Self.path), now: Self.start)
            #expect(agent.statistics.checksAnswered == 1, "\(vector.name)")
            #expect((agent.statistics.selected != nil) == (vector.input["use_candidate"] as? Bool))
        }
    }

    @Test func oneDialerMayComeFromManyPlacesAndChangeItsMind() {
        let session = Session()
        _ = session.handle(.received(session.check(), on: Self.path))
        #expect(events(session.handle(.received(session.check(), on: Self.other))) == [.usable(Self.other)])
        #expect(
            events(session.handle(.received(session.check(nominating: true), on: Self.other)))
                == [.selected(Self.other), .state(.connected)])
        let first = session.check(nominating: true)
        #expect(events(session.handle(.received(first, on: Self.path))) == [.selected(Self.path)])
        #expect(events(session.handle(.received(session.check(nominating: true), on: Self.other))).count == 1)
        // A late retransmission of the nomination before is not the newest word.
        #expect(events(session.handle(.received(first, on: Self.path))).isEmpty)
        #expect(session.agent.statistics.selected == Self.other)
    }

    @Test func aPathThatFellSilentIsLeftForOneThatDidNot() {
        let session = Session()
        _ = session.handle(.received(session.check(nominating: true), on: Self.path))
        session.now = session.now + .milliseconds(1)
        _ = session.handle(.received(session.check(), on: Self.other))
        // Both are heard: no reason to move.
        session.now = session.now + .milliseconds(500)
        #expect(session.handle(.heard(Self.other)).isEmpty)
        #expect(session.handle(.heard(Self.path)).isEmpty)
        // From a path that nobody proved: nothing.
        session.now = session.now + .seconds(5)
        let stranger = ICEPath(local: Self.path.local, remote: address("203.0.113.1:1"))
        #expect(session.handle(.heard(stranger)).isEmpty)
        #expect(session.handle(.heard(Self.other)) == [.selected(Self.other)])
        // Traffic in the name of the path it left moves nothing: its latest check came from here.
        session.now = session.now + .seconds(5)
        #expect(session.handle(.heard(Self.path)).isEmpty)
    }

    @Test func anIdleDialerThatMovesIsFollowedByItsChecks() {
        let session = Session()
        _ = session.handle(.received(session.check(nominating: true), on: Self.path))
        session.now = session.now + .seconds(15)
        #expect(events(session.handle(.received(session.check(), on: Self.other))) == [.usable(Self.other)])
        session.now = session.now + .seconds(15)
        let outputs = events(session.handle(.received(session.check(), on: Self.other)))
        #expect(outputs.contains(.selected(Self.other)))
        #expect(session.agent.statistics.state == .connected)
    }

    @Test func silenceEndsIt() {
        let session = Session()
        _ = session.handle(.received(session.check(nominating: true), on: Self.path))
        session.now = session.now + .seconds(19)
        #expect(session.handle(.tick).isEmpty)
        #expect(session.handle(.heard(Self.path)).isEmpty)
        #expect(session.agent.deadline == session.now + .seconds(20))
        session.now = session.now + .seconds(20)
        #expect(session.handle(.tick) == [.state(.disconnected)])
        #expect(session.handle(.heard(Self.path)) == [.state(.connected)])
        session.now = session.now + .seconds(20)
        #expect(session.handle(.tick) == [.state(.disconnected)])
        session.now = session.agent.deadline
        #expect(session.handle(.tick) == [.state(.failed)])
        #expect(session.agent.deadline == .distantFuture)
        #expect(session.handle(.received(session.check(), on: Self.path)).isEmpty)
    }

    @Test func withoutANominationItEnds() {
        let session = Session()
        _ = session.handle(.received(session.check(), on: Self.path))
        #expect(session.agent.deadline == Self.start + .seconds(10))
        session.now = session.agent.deadline
        #expect(session.handle(.tick) == [.state(.failed)])
    }

    @Test func whatIsNotForItIsDroppedInSilence() {
        let session = Session()
        let noUser = STUNMessage(.request, transaction: STUNTransactionID(from: &session.entropy), attributes: [])
        let key = STUNKey(password: session.password)
        for bytes in [
            session.check(password: "another"), noUser.encoded(), noUser.encoded(key: key), ByteBuffer(),
            ByteBuffer(repeating: 0, count: 20),
            STUNMessage(.indication, transaction: noUser.transaction).encoded(key: key),
            STUNMessage(.success, transaction: noUser.transaction).encoded(key: key),
        ] {
            #expect(session.handle(.received(bytes, on: Self.path)).isEmpty)
        }
        #expect(session.agent.statistics.state == .new && session.agent.statistics.dropped == 7)
        for input: ICEInput in [
            .localCandidate(.host(Self.path.local)), .remoteCandidate(.host(Self.path.remote)), .endOfLocalCandidates,
            .endOfRemoteCandidates,
        ] {
            #expect(session.handle(input).isEmpty)
        }
        // Two of the same role: nobody would ever nominate.
        let controlled = STUNMessage(
            .request, transaction: noUser.transaction, attributes: [.username(session.username), .iceControlled(1)])
        let outputs = session.handle(.received(controlled.encoded(key: key), on: Self.path))
        #expect(outputs.count == 1 && session.agent.statistics.checksAnswered == 0)
        #expect(session.handle(.close) == [.state(.closed)])
        #expect(session.handle(.close).isEmpty && session.agent.deadline == .distantFuture)
    }

    @Test func aKnownRemoteNameMustBeTheOne() {
        let session = Session(remote: "EsAw")
        _ = session.handle(.remoteCredentials(ICECredentials(ufrag: "Other", password: "x")))
        #expect(session.handle(.received(session.check(), on: Self.path)).isEmpty)
    }

    /// Copies of a nominating check from everywhere: the session stays, and so does what it holds.
    @Test func aHundredThousandHostilePacketsChangeNothing() {
        let session = Session()
        let nomination = session.check(nominating: true)
        _ = session.handle(.received(nomination, on: Self.path))
        let forged = session.check(nominating: true, password: "guessed")
        for index in 0..<100_000 {
            let remote = TransportAddress(.v4(IPv4Address(UInt32(index) &* 2_654_435_761)), port: 7)
            let path = ICEPath(local: Self.path.local, remote: remote)
            let outputs = session.handle(.received(index % 2 == 0 ? nomination : forged, on: path))
            if !outputs.isEmpty { Issue.record("packet \(index)") }
        }
        #expect(session.agent.statistics.pairs == 1 && session.agent.statistics.selected == Self.path)
        // Who knows the password may come from anywhere, but not be everywhere.
        for index in 0..<1000 {
            let remote = TransportAddress(.v4(IPv4Address(UInt32(index))), port: 7)
            _ = session.handle(.received(session.check(), on: ICEPath(local: Self.path.local, remote: remote)))
        }
        #expect(session.agent.statistics.pairs == Limits.icePathsPerSession)
        #expect(session.agent.statistics.selected == Self.path)
    }

    /// A dialer and a listener over bad networks; a clean one takes a round trip.
    @Test(arguments: [0, 30])
    func aDialerReachesAListener(loss: Int) throws {
        for seed in 1...UInt64(20) {
            let conditions = Conditions(
                loss: loss, duplication: loss, delay: .milliseconds(25), jitter: .milliseconds(Int64(loss)))
            let network = Network(seed: seed, conditions)
            let credentials = ICECredentials(ufrag: Self.name, password: Self.name)
            let dialer = ICEAgent(
                role: .controlling, local: credentials, configuration: .direct, entropy: network.entropy.split())
            let one = network.add(.full(dialer), at: [address("10.0.0.1:1")])
            let other = network.add(.lite(ICELiteAgent(local: credentials)), at: [Self.path.local])
            network.nat = [address("10.0.0.1:1"): address("198.51.100.1:1111")]
            let start = network.now
            network.handle(.localCandidate(.host(address("10.0.0.1:1"))), one)
            network.handle(.remoteCandidate(.host(Self.path.local)), one)
            network.handle(.remoteCredentials(credentials), one)
            try #require(network.run(for: .seconds(10)) { network.isConnected(one) && network.isConnected(other) })
            if loss == 0 { #expect(network.now - start <= .milliseconds(50)) }
            // It changes its address, and is found again with its next check.
            network.run(for: .seconds(30))
            network.nat = [address("10.0.0.1:1"): address("198.51.100.1:2222")]
            let moved = network.run(for: .seconds(20)) {
                network.statistics(other).selected?.remote == address("198.51.100.1:2222")
            }
            #expect(moved, "seed \(seed)")
            network.run(for: .seconds(60))
            // With so few packets as an idle pair sends, bad luck looks like silence now and then, and passes.
            #expect(network.run(for: .seconds(20)) { network.isConnected(one) }, "seed \(seed)")
        }
    }
}
