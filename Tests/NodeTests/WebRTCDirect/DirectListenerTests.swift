import ICE
import NIOCore
import Testing
import Wire

@testable import Node

@Suite struct DirectListenerTests {
    private let now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private let local = TransportAddress(.v4(IPv4Address(0x7F00_0001)), port: 9095)

    private func path(_ number: UInt32, port: UInt16 = 1) -> ICEPath {
        ICEPath(local: local, remote: TransportAddress(.v4(IPv4Address(number)), port: port))
    }

    /// A check as dialers send it.
    private func check(_ credentials: DirectCredentials, key: String? = nil, from entropy: inout Entropy) -> Datagrams {
        let message = STUNMessage(
            .request, transaction: .random(from: &entropy),
            attributes: [
                .username("\(credentials.listener.ufrag):\(credentials.dialer.ufrag)"), .priority(1),
                .iceControlling(7),
            ])
        return Datagrams(message.encoded(key: STUNKey(password: key ?? credentials.listener.password)))
    }

    @Test(arguments: DirectVersion.allCases) func aFirstContactBecomesASession(version: DirectVersion) throws {
        var entropy = Entropy.seeded(1)
        var listener = DirectListener()
        let credentials = DirectCredentials.random(version, using: &entropy)
        let route = listener.received(check(credentials, from: &entropy), on: path(1), now: now)
        guard case .offer(let offer) = route else {
            Issue.record("\(route)")
            return
        }
        #expect(offer.credentials == credentials)
        #expect(listener.sessionCount == 0)
        #expect(listener.addressCount == 0)
        // Nothing else is taken from there yet.
        let data = Datagrams(ByteBuffer(bytes: [22, 1, 2]))
        #expect(listener.received(data, on: path(1), now: now) == .dropped(.unknownAddress))
        listener.register(1, for: offer)
        #expect(listener.halfOpenCount == 1)
        #expect(listener.received(data, on: path(1), now: now) == .session(1))
        #expect(listener.received(check(credentials, from: &entropy), on: path(1), now: now) == .session(1))
        listener.established(1)
        listener.established(1)
        #expect(listener.halfOpenCount == 0)
        listener.closed(1, now: now)
        #expect(listener.addressCount == 0)
        #expect(listener.received(data, on: path(1), now: now) == .dropped(.unknownAddress))
    }

    @Test func aSessionIsReachedFromEveryAddressThatHasTheKey() throws {
        var entropy = Entropy.seeded(2)
        var listener = DirectListener()
        let credentials = DirectCredentials.random(.one, using: &entropy)
        listener.register(1, for: DirectOffer(credentials: credentials, path: path(1)))
        #expect(
            listener.received(check(credentials, key: "wrong", from: &entropy), on: path(2), now: now)
                == .dropped(.notAuthentic))
        #expect(listener.addressCount == 1)
        for number in UInt32(2)...UInt32(Limits.addressesPerSession) {
            #expect(listener.received(check(credentials, from: &entropy), on: path(number), now: now) == .session(1))
        }
        #expect(
            listener.received(check(credentials, from: &entropy), on: path(1000), now: now)
                == .dropped(.tooManyAddresses))
        let known = path(UInt32(Limits.addressesPerSession))
        #expect(listener.received(Datagrams(ByteBuffer(bytes: [20])), on: known, now: now) == .session(1))
    }

    @Test func theNameDecidesAndTheLastProofHasTheAddress() throws {
        var entropy = Entropy.seeded(3)
        var listener = DirectListener()
        let one = DirectCredentials.random(.one, using: &entropy)
        let two = DirectCredentials.random(.two, using: &entropy)
        listener.register(1, for: DirectOffer(credentials: one, path: path(1)))
        listener.register(2, for: DirectOffer(credentials: two, path: path(2)))
        #expect(listener.received(check(two, from: &entropy), on: path(1), now: now) == .session(2))
        let data = Datagrams(ByteBuffer(bytes: [23]))
        #expect(listener.received(data, on: path(1), now: now) == .session(2))
        #expect(listener.received(check(one, from: &entropy), on: path(1), now: now) == .session(1))
        #expect(listener.received(data, on: path(1), now: now) == .session(1))
        listener.closed(1, now: now)
        #expect(listener.received(data, on: path(1), now: now) == .dropped(.unknownAddress))
        #expect(listener.received(data, on: path(2), now: now) == .session(2))
    }

    @Test func ourOwnDialsShareTheSocket() throws {
        var entropy = Entropy.seeded(4)
        var listener = DirectListener()
        let credentials = DirectCredentials.random(.two, using: &entropy)
        listener.register(7, local: credentials.dialer, remote: path(9).remote)
        #expect(listener.halfOpenCount == 0)
        let response = STUNMessage(.success, transaction: .random(from: &entropy))
        #expect(listener.received(Datagrams(response.encoded()), on: path(9), now: now) == .session(7))
        // A full agent at the other end checks us by our own name, perhaps from elsewhere.
        let request = STUNMessage(
            .request, transaction: .random(from: &entropy),
            attributes: [.username("\(credentials.dialer.ufrag):\(credentials.listener.ufrag)")])
        let bytes = request.encoded(key: STUNKey(password: credentials.dialer.password))
        #expect(listener.received(Datagrams(bytes), on: path(10), now: now) == .session(7))
    }

    @Test func anEndedSessionDoesNotComeBack() throws {
        var entropy = Entropy.seeded(5)
        var listener = DirectListener()
        let credentials = DirectCredentials.random(.one, using: &entropy)
        let late = check(credentials, from: &entropy)
        listener.register(1, for: DirectOffer(credentials: credentials, path: path(1)))
        listener.closed(1, now: now)
        #expect(listener.received(late, on: path(1), now: now) == .dropped(.ended))
        let end = now + Limits.endedSessionMemory
        #expect(listener.received(late, on: path(1), now: end - .nanoseconds(1)) == .dropped(.ended))
        guard case .offer = listener.received(late, on: path(1), now: end) else {
            Issue.record("forgotten too late")
            return
        }
    }

    @Test func theMemoryOfEndedSessionsIsBounded() throws {
        var entropy = Entropy.seeded(6)
        var listener = DirectListener()
        for number in 0..<UInt64(Limits.endedSessions + 100) {
            let credentials = DirectCredentials.random(.one, using: &entropy)
            listener.register(number, for: DirectOffer(credentials: credentials, path: path(1)))
            listener.closed(number, now: now)
        }
        #expect(listener.endedCount == Limits.endedSessions)
        let credentials = DirectCredentials.random(.one, using: &entropy)
        listener.register(1_000_000, for: DirectOffer(credentials: credentials, path: path(1)))
        listener.closed(1_000_000, now: now + Limits.endedSessionMemory)
        #expect(listener.endedCount == 1)
    }

    @Test func whatIsNotForUsCostsNoVerification() throws {
        var entropy = Entropy.seeded(7)
        var listener = DirectListener()
        let names = ["a:b", "libp2p+webrtc+v3/abcdefghijklmnopqrstuv:abcdefghijklmnopqrstuv", "plain"]
        for name in names {
            let message = STUNMessage(.request, transaction: .random(from: &entropy), attributes: [.username(name)])
            let bytes = message.encoded(key: STUNKey(password: name))
            #expect(listener.received(Datagrams(bytes), on: path(1), now: now) == .dropped(.notForUs))
        }
        let bare = STUNMessage(.request, transaction: .random(from: &entropy))
        #expect(listener.received(Datagrams(bare.encoded()), on: path(1), now: now) == .dropped(.unknownAddress))
        #expect(listener.received(Datagrams(), on: path(1), now: now) == .dropped(.unknownAddress))
        #expect(listener.verifications == 0)
        #expect(listener.sourceCount == 0)
    }

    @Test func halfOpenSessionsAreCapped() throws {
        var entropy = Entropy.seeded(8)
        var listener = DirectListener()
        var id: UInt64 = 0
        func contact(_ source: UInt32, at time: NIODeadline) -> DirectListener.Route {
            let credentials = DirectCredentials.random(.one, using: &entropy)
            let route = listener.received(check(credentials, from: &entropy), on: path(source), now: time)
            if case .offer(let offer) = route {
                id += 1
                listener.register(id, for: offer)
            }
            return route
        }
        for _ in 0..<Limits.halfOpenSessionsPerSource { _ = contact(1, at: now) }
        #expect(contact(1, at: now) == .dropped(.tooManyHalfOpen))
        #expect(listener.halfOpenCount == Limits.halfOpenSessionsPerSource)
        for source in UInt32(2)...200 { _ = contact(source, at: now) }
        #expect(listener.halfOpenCount == Limits.halfOpenSessions)
        #expect(contact(300, at: now) == .dropped(.tooManyHalfOpen))
        for number in 1...id { listener.closed(number, now: now) }
        #expect(listener.halfOpenCount == 0)
        guard case .offer = contact(1, at: now + .seconds(1)) else {
            Issue.record("not open again")
            return
        }
    }

    /// Each contact is valid and comes from another port; whoever is made a session ends at once.
    @Test(arguments: [1, 100_000]) func aFloodCostsLittle(sources: UInt32) throws {
        var entropy = Entropy.seeded(9)
        var listener = DirectListener()
        let credentials = (0..<64).map { _ in DirectCredentials.random(.one, using: &entropy) }
        let checks = credentials.map { check($0, from: &entropy) }
        var id: UInt64 = 0
        for number in 0..<UInt32(100_000) {
            let time = now + .microseconds(Int64(number) * 10)
            let from = path(1 + number % sources, port: UInt16(truncatingIfNeeded: number))
            if case .offer(let offer) = listener.received(checks[Int(number % 64)], on: from, now: time) {
                id += 1
                listener.register(id, for: offer)
                if id % 2 == 0 { listener.closed(id, now: time) }
            }
        }
        let all = Limits.firstContactBurstTotal + Limits.firstContactsPerSecondTotal + 1
        let one = Limits.firstContactBurst + Limits.firstContactsPerSecond + 1
        #expect(listener.offers <= UInt64(sources == 1 ? one : all))
        // What is verified: the offers, and addresses of the sessions there are.
        #expect(listener.verifications <= listener.offers + UInt64(listener.sessionCount * Limits.addressesPerSession))
        #expect(listener.halfOpenCount <= Limits.halfOpenSessions)
        #expect(listener.sourceCount <= Limits.firstContactSources)
        #expect(listener.addressCount <= Limits.halfOpenSessions * Limits.addressesPerSession)
        #expect(listener.endedCount <= Limits.endedSessions)
    }

    @Test func aPartyBehindOneRouterGetsIn() throws {
        var entropy = Entropy.seeded(10)
        var listener = DirectListener()
        for number in 0..<UInt64(60) {
            let credentials = DirectCredentials.random(.two, using: &entropy)
            let from = path(1, port: UInt16(1000 + number))
            guard case .offer(let offer) = listener.received(check(credentials, from: &entropy), on: from, now: now)
            else {
                Issue.record("number \(number) was refused")
                return
            }
            listener.register(number, for: offer)
        }
    }

    @Test func sourcesOfVersionSixAreNetworks() throws {
        let one = try #require(IPv6Address("2001:db8:0:1::1"))
        let two = try #require(IPv6Address("2001:db8:0:1:ffff::2"))
        let three = try #require(IPv6Address("2001:db8:0:2::1"))
        let mapped = try #require(IPv6Address("::ffff:192.0.2.1"))
        let plain = try #require(IPv4Address("192.0.2.1"))
        #expect(FirstContacts.Source(.v6(one)) == FirstContacts.Source(.v6(two)))
        #expect(FirstContacts.Source(.v6(one)) != FirstContacts.Source(.v6(three)))
        #expect(FirstContacts.Source(.v6(mapped)) == FirstContacts.Source(.v4(plain)))
    }
}
