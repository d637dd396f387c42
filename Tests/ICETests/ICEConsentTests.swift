import NIOCore
import Testing
import Wire

@testable import ICE

/// Connected agents: consent, silence, death, and addresses that change.
@Suite struct ICEConsentTests {
    private static let left = ["192.0.2.1:1000"]
    private static let right = ["198.51.100.1:2000"]

    private func connected(
        seed: UInt64 = 1, _ conditions: Conditions = Conditions(), left: [String] = left, right: [String] = right,
        roles: (ICERole, ICERole) = (.controlling, .controlled)
    ) throws -> Pair {
        let pair = Pair(seed: seed, conditions, left: left, right: right, roles: roles)
        pair.introduce(to: pair.left, candidates: right)
        pair.introduce(to: pair.right, candidates: left)
        try #require(pair.network.run(for: .seconds(10)) { pair.areConnected })
        return pair
    }

    @Test func consentIsAskedEveryFiveSecondsOrSo() throws {
        let pair = try connected()
        pair.network.run(for: .seconds(10))
        for id in [pair.left, pair.right] {
            let before = pair.network.statistics(id).checksSent
            let start = pair.network.now
            pair.network.run(for: .seconds(300))
            let count = pair.network.statistics(id).checksSent - before
            #expect((50...75).contains(count))
            #expect(pair.network.statistics(id).responsesReceived >= before + count - 1)
            var last = start
            for (at, event) in pair.network.events[id] where at > start {
                guard case .send(let bytes, _) = event, let message = try? STUNMessage(parsing: bytes),
                    message.messageClass == .request
                else { continue }
                if last > start { #expect((4000...6000).contains((at - last).nanoseconds / 1_000_000)) }
                last = at
            }
            #expect(pair.network.statistics(id).outstanding <= 1)
            #expect(pair.network.statistics(id).roundTrip == .milliseconds(10))
        }
    }

    /// Nothing comes any more: disconnected, and after thirty seconds without consent it is over.
    @Test func silenceIsNoticedAndEndsIt() throws {
        let pair = try connected()
        pair.network.run(for: .seconds(20))
        pair.network.isBlocked = { _, _ in true }
        let start = pair.network.now
        #expect(pair.network.run(for: .seconds(10)) { pair.network.statistics(pair.left).state == .disconnected })
        #expect(pair.network.run(for: .seconds(60)) { pair.network.statistics(pair.left).state == .failed })
        #expect((24...30).contains((pair.network.now - start).nanoseconds / 1_000_000_000))
        #expect(pair.network.run(for: .seconds(10)) { pair.network.statistics(pair.right).state == .failed })
        pair.network.run(for: .seconds(60))
        #expect(pair.network.states(pair.left) == [.checking, .connected, .disconnected, .failed])
        #expect(pair.network.deadline(pair.left) == .distantFuture)
    }

    /// Traffic is life, not consent: who only talks and never answers is left.
    @Test func trafficAloneIsNoConsent() throws {
        let pair = try connected()
        let path = try #require(pair.network.statistics(pair.left).selected)
        pair.network.isBlocked = { _, _ in true }
        var seconds = 0
        while pair.network.statistics(pair.left).state != .failed, seconds < 100 {
            pair.network.handle(.heard(path), pair.left)
            pair.network.run(for: .seconds(1))
            seconds += 1
        }
        #expect((25...31).contains(seconds))
        #expect(pair.network.states(pair.left) == [.checking, .connected, .disconnected, .failed])
    }

    @Test func aShortOutageIsSurvived() throws {
        let pair = try connected()
        for outage: Int64 in [3, 12, 20] {
            pair.network.isBlocked = { _, _ in true }
            pair.network.run(for: .seconds(outage))
            pair.network.isBlocked = { _, _ in false }
            #expect(pair.network.run(for: .seconds(3)) { pair.areConnected })
            pair.network.run(for: .seconds(30))
        }
        #expect(pair.areConnected && pair.agree)
    }

    /// The NAT of one side forgets: the other sees it come from elsewhere and follows, whoever controls.
    @Test(arguments: [ICERole.controlling, .controlled])
    func anAddressThatChangesIsFollowed(role: ICERole) throws {
        for seed in 1...UInt64(20) {
            let other: ICERole = role == .controlling ? .controlled : .controlling
            let conditions = Conditions(loss: seed > 10 ? 20 : 0, delay: .milliseconds(30), jitter: .milliseconds(20))
            let pair = Pair(seed: seed, conditions, left: ["10.0.0.1:1"], right: Self.right, roles: (role, other))
            let inside = address("10.0.0.1:1")
            pair.network.nat = [inside: address("192.0.2.7:1111")]
            pair.introduce(to: pair.left, candidates: Self.right)
            pair.introduce(to: pair.right, candidates: ["10.0.0.1:1"])
            try #require(pair.network.run(for: .seconds(20)) { pair.areConnected })
            pair.network.run(for: .seconds(20))
            pair.network.nat = [inside: address("192.0.2.7:2222")]
            #expect(pair.network.run(for: .seconds(20)) { pair.agree && pair.areConnected }, "seed \(seed)")
            pair.network.run(for: .seconds(60))
            #expect(pair.agree && pair.areConnected, "seed \(seed)")
            #expect(!pair.network.states(pair.left).contains(.failed))
        }
    }

    /// The path in use dies, another lives: both move there.
    @Test func anotherPathTakesOver() throws {
        for seed in 1...UInt64(10) {
            let left = ["192.0.2.1:1", "192.0.2.2:1"]
            let pair = try connected(
                seed: seed, Conditions(loss: seed > 5 ? 10 : 0, delay: .milliseconds(20)), left: left)
            pair.network.run(for: .seconds(20))
            let first = try #require(pair.network.statistics(pair.left).selected)
            pair.network.isBlocked = { from, to in from == first.local || to == first.local }
            #expect(
                pair.network.run(for: .seconds(25)) {
                    pair.areConnected && pair.agree && pair.network.statistics(pair.left).selected != first
                }, "seed \(seed)")
            pair.network.run(for: .seconds(60))
            #expect(pair.areConnected && pair.agree, "seed \(seed)")
        }
    }

    /// A long time with a bad network: it does not fall apart, and nothing piles up.
    @Test func aBadNetworkDoesNotEndIt() throws {
        for seed in 1...UInt64(10) {
            let pair = try connected(seed: seed, Conditions(loss: 30, duplication: 10, delay: .milliseconds(100)))
            pair.network.run(for: .minutes(30))
            #expect(pair.agree, "seed \(seed)")
            for id in [pair.left, pair.right] {
                #expect(!pair.network.states(id).contains(.failed), "seed \(seed)")
                #expect(pair.network.statistics(id).outstanding <= 8)
            }
        }
    }
}
