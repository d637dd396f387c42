import NIOCore
import Testing
import Wire

@testable import ICE

/// Two full agents on a network in virtual time.
@Suite struct ICEAgentTests {
    private static let one = ["192.0.2.1:1000"]
    private static let other = ["198.51.100.1:2000"]

    /// The promise: with nothing in the way, both are there after two round trips, whatever those take.
    @Test(arguments: [0, 1, 5, 20, 40], [ICEConfiguration(), .direct])
    func aCleanPathIsSelectedWithinTwoRoundTrips(delay: Int64, configuration: ICEConfiguration) {
        let pair = Pair(seed: 1, Conditions(delay: .milliseconds(delay)), configuration: configuration)
        let start = pair.network.now
        pair.introduce(to: pair.right, candidates: Self.one)
        pair.introduce(to: pair.left, candidates: Self.other)
        #expect(pair.network.run(for: .seconds(5)) { pair.areConnected })
        #expect(pair.network.now - start <= .milliseconds(delay * 4))
        #expect(pair.agree)
        #expect(pair.network.states(pair.left) == [.checking, .connected])
    }

    /// Several candidates of both sides, most of which lead nowhere: the first works, and is taken as soon.
    @Test func candidatesThatLeadNowhereCostNoTime() {
        let left = ["192.0.2.1:1", "192.0.2.2:1", "[2001:db8::1]:1", "127.0.0.1:1"]
        let right = ["198.51.100.1:2", "198.51.100.2:2", "[2001:db8::2]:2", "127.0.0.1:2"]
        let pair = Pair(seed: 2, Conditions(delay: .milliseconds(10)), left: left, right: right)
        pair.network.isBlocked = { from, to in !(from == address(left[0]) || to == address(left[0])) }
        let start = pair.network.now
        pair.introduce(to: pair.left, candidates: right)
        pair.introduce(to: pair.right, candidates: left)
        #expect(pair.network.run(for: .seconds(5)) { pair.areConnected })
        #expect(pair.network.now - start <= .milliseconds(40))
        #expect(pair.agree)
    }

    /// Only the worst pair works: pacing and the nomination delay are all it costs.
    @Test func theOnlyPathIsFoundAmongMany() {
        let left = (1...4).map { "192.0.2.\($0):1" }
        let right = (1...4).map { "198.51.100.\($0):2" }
        let pair = Pair(seed: 3, Conditions(delay: .milliseconds(10)), left: left, right: right)
        let path = ICEPath(local: address(left[3]), remote: address(right[3]))
        pair.network.isBlocked = { from, to in
            !((from == path.local && to == path.remote) || (from == path.remote && to == path.local))
        }
        pair.introduce(to: pair.left, candidates: right)
        pair.introduce(to: pair.right, candidates: left)
        let start = pair.network.now
        #expect(pair.network.run(for: .seconds(10)) { pair.areConnected })
        #expect(pair.network.now - start < .milliseconds(16 * 50 + 200 + 100))
        #expect(pair.network.statistics(pair.left).selected == path)
    }

    @Test func bothVersionsOfIPWork() {
        let left = ["192.0.2.1:1", "[2001:db8::1]:1"]
        let right = ["[2001:db8::2]:2", "198.51.100.2:2"]
        for blocked in [4, 6] {
            let pair = Pair(seed: 4, left: left, right: right)
            pair.network.isBlocked = { from, _ in from.ip.bytes.count == (blocked == 4 ? 4 : 16) }
            pair.introduce(to: pair.left, candidates: right)
            pair.introduce(to: pair.right, candidates: left)
            #expect(pair.network.run(for: .seconds(5)) { pair.areConnected })
            #expect(pair.agree)
            #expect(pair.network.selections(pair.left).first?.local.ip.bytes.count == (blocked == 4 ? 16 : 4))
        }
    }

    /// The whole field of bad networks, many seeds each: always connected, always to the same pair in the end.
    @Test(arguments: [
        Conditions(loss: 10), Conditions(loss: 30), Conditions(duplication: 50, jitter: .milliseconds(50)),
        Conditions(loss: 30, duplication: 20, delay: .milliseconds(250), jitter: .milliseconds(250)),
        Conditions(delay: .milliseconds(500)), Conditions(loss: 20, delay: .milliseconds(500)),
    ])
    func badNetworksAreMastered(conditions: Conditions) {
        for seed in 1...UInt64(20) {
            let left = ["192.0.2.1:1", "192.0.2.2:1", "[2001:db8::1]:1"]
            let right = ["198.51.100.1:2", "[2001:db8::2]:2"]
            let pair = Pair(seed: seed, conditions, left: left, right: right)
            pair.introduce(to: pair.left, candidates: right)
            pair.introduce(to: pair.right, candidates: left)
            #expect(pair.network.run(for: .seconds(20)) { pair.areConnected }, "seed \(seed)")
            // And stays so: no consent is lost, and both agree.
            pair.network.run(for: .seconds(120))
            #expect(pair.agree, "seed \(seed)")
            for id in [pair.left, pair.right] {
                #expect(!pair.network.states(id).contains(.failed), "seed \(seed)")
            }
            #expect(pair.network.largest.outstanding <= Limits.iceOutstandingChecks)
        }
    }

    /// Packets pass one way only on the best pair: it is not taken.
    @Test func aOneWayPathIsNotTaken() {
        let left = ["192.0.2.1:1", "192.0.2.2:1"]
        let right = ["198.51.100.1:2"]
        for direction in [true, false] {
            let pair = Pair(seed: 5, left: left, right: right)
            pair.network.isBlocked = { from, to in (direction ? from : to) == address(left[0]) }
            pair.introduce(to: pair.left, candidates: right)
            pair.introduce(to: pair.right, candidates: left)
            #expect(pair.network.run(for: .seconds(5)) { pair.areConnected })
            #expect(pair.agree)
            #expect(pair.network.statistics(pair.left).selected?.local == address(left[1]))
        }
    }

    /// The remote checks before we know who it is: answered at once, checked back as soon as we do.
    @Test func checksThatComeEarlyAreAnswered() {
        let pair = Pair(seed: 6)
        pair.introduce(to: pair.left, candidates: Self.other)
        pair.network.run(for: .milliseconds(200))
        #expect(pair.network.usable(pair.right).count == 1)
        #expect(pair.network.statistics(pair.right).checksSent == 0)
        #expect(!pair.network.isConnected(pair.left) || pair.network.statistics(pair.right).checksAnswered > 0)
        // No candidate is told: the remote's check brought it.
        let start = pair.network.now
        pair.introduce(to: pair.right, candidates: [])
        #expect(pair.network.run(for: .seconds(5)) { pair.areConnected })
        #expect(pair.network.now - start <= .milliseconds(10))
        #expect(pair.network.statistics(pair.right).remoteType == .peerReflexive)
        #expect(pair.agree)
    }

    /// A late remote costs two round trips more, and at most 20 ms until the check that was lost is sent again.
    @Test func aRemoteThatComesLateIsFound() {
        for late: Int64 in [20, 60, 300, 2000, 15_000] {
            let pair = Pair(seed: 7, Conditions(delay: .milliseconds(1)))
            var isThere = false
            pair.network.isBlocked = { _, _ in !isThere }
            pair.introduce(to: pair.left, candidates: Self.other)
            pair.network.run(for: .milliseconds(late))
            isThere = true
            pair.introduce(to: pair.right, candidates: Self.one)
            let start = pair.network.now
            #expect(pair.network.run(for: .seconds(10)) { pair.areConnected })
            #expect(pair.network.now - start <= .milliseconds(26), "\(late)")
        }
    }

    @Test(arguments: [ICERole.controlling, .controlled])
    func twoOfTheSameRoleSettleIt(role: ICERole) {
        for seed in 1...UInt64(30) {
            let conditions = Conditions(loss: seed > 10 ? 20 : 0, delay: .milliseconds(20), jitter: .milliseconds(20))
            let pair = Pair(
                seed: seed, conditions, left: ["192.0.2.1:1", "192.0.2.2:1"],
                right: ["198.51.100.1:2", "198.51.100.2:2"],
                roles: (role, role))
            pair.introduce(to: pair.left, candidates: ["198.51.100.1:2", "198.51.100.2:2"])
            pair.introduce(to: pair.right, candidates: ["192.0.2.1:1", "192.0.2.2:1"])
            #expect(pair.network.run(for: .seconds(20)) { pair.areConnected }, "seed \(seed)")
            pair.network.run(for: .seconds(20))
            let roles = Set([pair.left, pair.right].map { pair.network.statistics($0).role })
            #expect(roles.count == 2, "seed \(seed)")
            #expect(pair.agree, "seed \(seed)")
        }
    }

    @Test func reflexiveCandidatesComeFromServers() {
        var configuration = ICEConfiguration()
        configuration.servers = [address("203.0.113.9:3478")]
        let pair = Pair(seed: 8, left: ["10.0.0.1:1", "[2001:db8::1]:1"], configuration: configuration)
        let network = pair.network
        _ = network.add(.server, at: [address("203.0.113.9:3478")])
        network.nat = [address("10.0.0.1:1"): address("192.0.2.77:4444")]
        network.run(for: .seconds(1))
        let found = network.candidates(pair.left)
        #expect(found.map(\.address) == [address("192.0.2.77:4444")])
        #expect(found.first?.type == .serverReflexive && found.first?.related == address("10.0.0.1:1"))
        #expect(found.first?.priority == ICECandidate.priority(.serverReflexive, localPreference: 65_535))
        #expect(network.candidates(pair.right).isEmpty)

        // By that candidate the other reaches it; nothing else would.
        if let candidate = found.first { network.handle(.remoteCandidate(candidate), pair.right) }
        pair.introduce(to: pair.right, candidates: [])
        pair.introduce(to: pair.left, candidates: Self.other)
        #expect(network.run(for: .seconds(5)) { pair.areConnected })
        #expect(pair.agree)
        #expect(network.statistics(pair.left).localType == .serverReflexive)
        #expect(network.statistics(pair.right).remoteType == .serverReflexive)
    }

    /// Behind a NAT nobody knows of, without a server: peer-reflexive on both ends.
    @Test func aNATIsCrossedWithoutAServer() {
        let pair = Pair(seed: 9, left: ["10.0.0.1:1"])
        pair.network.nat = [address("10.0.0.1:1"): address("192.0.2.77:4444")]
        pair.introduce(to: pair.right, candidates: ["10.0.0.1:1"])
        pair.introduce(to: pair.left, candidates: Self.other)
        #expect(pair.network.run(for: .seconds(5)) { pair.areConnected })
        #expect(pair.agree)
        #expect(pair.network.statistics(pair.left).localType == .peerReflexive)
        #expect(pair.network.statistics(pair.right).remoteType == .peerReflexive)
    }

    @Test func theWaitForAnybodyEnds() {
        let pair = Pair(seed: 10)
        pair.introduce(to: pair.left, candidates: ["203.0.113.1:1", "203.0.113.2:1"])
        let start = pair.network.now
        #expect(pair.network.run(for: .seconds(60)) { pair.network.statistics(pair.left).state == .failed })
        #expect(pair.network.now - start == .seconds(30))
        #expect(pair.network.deadline(pair.left) == .distantFuture)
        #expect(pair.network.statistics(pair.left).outstanding == 0)
        // Two pairs, three rounds of seven packets at most.
        #expect(pair.network.sent(pair.left) <= 2 * 3 * 7)
    }

    @Test func aClosedAgentSaysNothing() {
        let pair = Pair(seed: 11)
        pair.introduce(to: pair.left, candidates: Self.other)
        pair.network.handle(.close, pair.left)
        let sent = pair.network.sent(pair.left)
        pair.introduce(to: pair.right, candidates: Self.one)
        pair.network.run(for: .seconds(10))
        #expect(pair.network.sent(pair.left) == sent)
        #expect(pair.network.states(pair.left).last == .closed)
        #expect(pair.network.deadline(pair.left) == .distantFuture)
    }
}
