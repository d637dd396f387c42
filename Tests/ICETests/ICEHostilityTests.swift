import NIOCore
import Testing
import Wire

@testable import ICE

/// A remote, or somebody in its place, that sends whatever it likes as fast as it can.
@Suite struct ICEHostilityTests {
    private func expectBounded(_ agent: ICEAgent, _ note: String) {
        let figures = agent.statistics
        #expect(figures.outstanding <= Limits.iceOutstandingChecks, "\(note)")
        #expect(figures.pairs <= Limits.icePairs, "\(note)")
        #expect(figures.remoteCandidates <= Limits.iceRemoteCandidates + Limits.icePeerReflexive, "\(note)")
        #expect(figures.localCandidates <= Limits.iceLocalCandidates, "\(note)")
        #expect(agent.early.count <= Limits.iceEarlyChecks, "\(note)")
        #expect(agent.usable.count <= Limits.icePairs + Limits.iceEarlyChecks, "\(note)")
        #expect(agent.list.triggered.count <= Limits.icePairs, "\(note)")
    }

    /// 100,000 packets of all kinds, most without the password, from changing sources, at every stage.
    @Test func aHundredThousandPacketsLeaveEverythingBounded() {
        let opponent = Opponent(role: .controlling, bases: ["192.0.2.2:1", "[2001:db8::1]:1"], introduced: false)
        var entropy = Entropy.seeded(30)
        let prepared = (0..<64).map { index in
            opponent.check(
                role: index % 3 == 0 ? .controlled : .controlling, tieBreaker: entropy.next(),
                nominating: index % 2 == 0, password: index < 48 ? "guess \(index)" : nil)
        }
        for index in 0..<100_000 {
            if index == 20_000 { opponent.handle(.remoteCredentials(opponent.theirs)) }
            if index == 40_000 { opponent.handle(.remoteCandidate(.host(opponent.path.remote))) }
            let ip = IPv4Address(UInt32(truncatingIfNeeded: entropy.next()) % 5000 + 0x0100_0000)
            let path = ICEPath(
                local: index % 7 == 0 ? address("192.0.2.2:1") : opponent.path.local,
                remote: TransportAddress(.v4(ip), port: UInt16(index % 1000) + 1))
            switch index % 10 {
            case 0..<7: opponent.handle(.received(prepared[index % 64], on: path))
            case 7: opponent.handle(.heard(path))
            case 8: if index % 100 == 8 { opponent.handle(.received(opponent.check(), on: path)) }
            default:
                var bytes = prepared[index % 64]
                bytes.setInteger(UInt8(truncatingIfNeeded: index), at: index % bytes.readableBytes)
                opponent.handle(.received(bytes, on: path))
            }
            if index % 50 == 0 { opponent.wait(.milliseconds(5)) }
            if index % 500 == 0 {
                expectBounded(opponent.agent, "\(index)")
                _ = opponent.taken()
            }
        }
        expectBounded(opponent.agent, "the end")
    }

    /// Without the password, nothing at all changes, and nothing is sent.
    @Test func strangersAreNotHeard() {
        let opponent = Opponent(role: .controlling)
        opponent.answerAll()
        opponent.answerAll()
        #expect(opponent.agent.statistics.state == .connected)
        let before = opponent.agent.statistics
        let forged = opponent.check(nominating: true, password: "guessed")
        let answer = STUNMessage(.success, transaction: STUNTransactionID(from: &opponent.entropy)).encoded()
        for index in 0..<20_000 {
            let remote = TransportAddress(.v4(IPv4Address(UInt32(index + 1))), port: 9)
            let path = index % 2 == 0 ? opponent.path : ICEPath(local: opponent.path.local, remote: remote)
            opponent.handle(.received(index % 3 == 0 ? answer : forged, on: path))
            opponent.handle(.heard(ICEPath(local: opponent.path.local, remote: remote)))
        }
        let after = opponent.agent.statistics
        #expect(after.dropped == before.dropped + 20_000)
        #expect(after.pairs == before.pairs && after.checksSent == before.checksSent)
        #expect(after.checksAnswered == before.checksAnswered && after.selected == before.selected)
        #expect(!opponent.taken().contains { if case .send = $0 { true } else { false } })
    }

    /// Whoever sees packets and sends copies from elsewhere cannot push out where the remote really is.
    @Test func floodsOfLearnedCandidatesSpareTheOnesInUse() {
        let opponent = Opponent(role: .controlled, introduced: false)
        opponent.handle(.remoteCredentials(opponent.theirs))
        opponent.handle(.received(opponent.check(nominating: true), on: opponent.path))
        opponent.answerAll()
        #expect(opponent.agent.statistics.selected == opponent.path)
        for index in 0..<2000 {
            let remote = TransportAddress(.v4(IPv4Address(UInt32(index + 1))), port: 9)
            opponent.handle(.received(opponent.check(), on: ICEPath(local: opponent.path.local, remote: remote)))
            _ = opponent.taken()
        }
        expectBounded(opponent.agent, "flood")
        #expect(opponent.agent.statistics.selected == opponent.path)
        #expect(opponent.agent.statistics.pairs <= Limits.icePeerReflexive)
    }

    @Test func candidatesBeyondTheLimitsAreIgnored() {
        let opponent = Opponent(role: .controlling)
        for index in 0..<1000 {
            opponent.handle(.localCandidate(.host(TransportAddress(.v4(IPv4Address(UInt32(index + 1))), port: 9))))
            let ip = IPv4Address(0x0B00_0000 + UInt32(index))
            opponent.handle(.remoteCandidate(.host(TransportAddress(.v4(ip), port: 9))))
        }
        expectBounded(opponent.agent, "candidates")
        #expect(opponent.agent.statistics.pairs == Limits.icePairs)
        // Ta keeps its pace whatever there is to check.
        _ = opponent.taken()
        opponent.wait(.seconds(1))
        #expect(opponent.agent.statistics.checksSent <= 22)
        for odd in ["0.0.0.0:5", "224.0.0.1:5", "1.2.3.4:0", "[ff02::1]:5", "[::]:5"] {
            let fresh = Opponent()
            fresh.handle(.remoteCandidate(.host(address(odd))))
            #expect(fresh.agent.statistics.remoteCandidates == 1)
        }
    }

    /// Everything in any order at any time: no trap, no standstill, nothing beyond its limit.
    @Test func randomInputsInAnyOrder() {
        for seed in 1...UInt64(60) {
            var entropy = Entropy.seeded(seed)
            let opponent = Opponent(
                role: seed % 2 == 0 ? .controlling : .controlled, seed: seed, bases: ["192.0.2.2:1"],
                introduced: seed % 3 == 0)
            var seen: [(message: STUNMessage, path: ICEPath)] = []
            for _ in 0..<500 {
                let remote = address("198.51.100.\(Int.random(in: 1...5, using: &entropy)):2")
                let base = Bool.random(using: &entropy) ? "192.0.2.1:1" : "192.0.2.2:1"
                let path = ICEPath(local: address(base), remote: remote)
                switch Int.random(in: 0..<12, using: &entropy) {
                case 0: opponent.handle(.remoteCandidate(.host(remote)))
                case 1: opponent.handle(.remoteCredentials(opponent.theirs))
                case 2: opponent.handle(.heard(path))
                case 3: opponent.handle(.endOfRemoteCandidates)
                case 4: opponent.wait(.milliseconds(Int64.random(in: 0...4000, using: &entropy)))
                case 5...7:
                    let role: ICERole = Bool.random(using: &entropy) ? .controlling : .controlled
                    let check = opponent.check(
                        role: role, tieBreaker: entropy.next(), nominating: Bool.random(using: &entropy))
                    opponent.handle(.received(check, on: path))
                case 8...10:
                    seen = (seen + opponent.takeRequests()).suffix(40)
                    guard let (message, path) = seen.randomElement(using: &entropy) else { continue }
                    opponent.handle(.received(opponent.answer(message, on: path), on: path))
                default:
                    guard let (message, path) = seen.randomElement(using: &entropy) else { continue }
                    let number: UInt16 = Bool.random(using: &entropy) ? 487 : 400
                    let error = STUNMessage(
                        .error, transaction: message.transaction, attributes: [.errorCode(STUNErrorCode(number, ""))])
                    let bytes = error.encoded(key: STUNKey(password: opponent.theirs.password))
                    opponent.handle(.received(bytes, on: path))
                }
            }
            expectBounded(opponent.agent, "seed \(seed)")
            opponent.handle(.close)
            #expect(opponent.agent.deadline == .distantFuture)
        }
    }
}
