import NIOCore
import Testing
import Wire

@testable import Node

@Suite struct PeerDiscoveryTests {
    private static func key(_ number: Int) throws -> KeyPair {
        try KeyPair(seed: [UInt8](repeating: 9, count: 30) + [UInt8(number >> 8), UInt8(number & 0xFF)])
    }

    /// A machine, its clock and what it said.
    private struct Bench {
        var machine: PeerDiscovery
        var now = NIODeadline.uptimeNanoseconds(1_000_000_000)

        init() throws {
            machine = PeerDiscovery(own: try key(0).publicKey, entropy: .seeded(1))
            _ = give(.announce([try Multiaddr("/ip4/5.6.7.8/tcp/1")]))
        }

        mutating func give(_ input: PeerDiscovery.Input) -> [PeerDiscovery.Output] {
            machine.handle(input, now: now)
            var outputs: [PeerDiscovery.Output] = []
            while let output = machine.poll() { outputs.append(output) }
            return outputs
        }

        /// A message of a peer with these addresses.
        mutating func hear(_ number: Int, _ addresses: [String], author: Int? = nil) throws -> [PeerDiscovery.Output] {
            let message = DiscoveryMessage(
                publicKey: try key(number).publicKey, addresses: try addresses.map { try Multiaddr($0) })
            return give(.heard(message.encoded, author: try key(author ?? number).peerID))
        }

        /// Everything that happens until then.
        mutating func wait(_ time: TimeAmount) -> [PeerDiscovery.Output] {
            let end = now + time
            var outputs: [PeerDiscovery.Output] = []
            while machine.deadline <= end {
                now = max(now, machine.deadline)
                outputs += give(.tick)
            }
            now = end
            return outputs
        }
    }

    private static func dials(_ outputs: [PeerDiscovery.Output]) -> [PeerID] {
        outputs.compactMap { if case .dial(let peer, _) = $0 { peer } else { nil } }
    }

    @Test func publishesAtOnceThenEveryTenSeconds() throws {
        var bench = try Bench()
        var machine = PeerDiscovery(own: try Self.key(0).publicKey, entropy: .seeded(1))
        #expect(machine.deadline == .distantFuture)
        let address = try Multiaddr("/ip4/5.6.7.8/tcp/1")
        machine.handle(.announce([address]), now: bench.now)
        let first = machine.poll()
        let message = DiscoveryMessage(publicKey: try Self.key(0).publicKey, addresses: [address])
        #expect(first == .publish(message.encoded))
        #expect(bench.wait(.seconds(35)).count == 3)
        // The same addresses are no reason to publish before the time; others are.
        #expect(bench.give(.announce([address])).isEmpty)
        #expect(bench.give(.announce([try Multiaddr("/ip4/5.6.7.8/tcp/2")])).count == 1)
    }

    @Test func aPeerIsDialledOnceAndNotWhileConnected() throws {
        var bench = try Bench()
        let peer = try Self.key(1).peerID
        let outputs = try bench.hear(1, ["/ip4/1.2.3.4/tcp/5"])
        let address = try Multiaddr("/ip4/1.2.3.4/tcp/5")
        #expect(outputs == [.discovered(peer, [address]), .dial(peer, [address])])
        #expect(try bench.hear(1, ["/ip4/1.2.3.4/tcp/5"]).isEmpty)
        _ = bench.give(.connected(peer))
        #expect(Self.dials(bench.wait(.minutes(2))).isEmpty)
        _ = bench.give(.disconnected(peer))
        #expect(Self.dials(bench.wait(.seconds(20))).isEmpty)
        #expect(Self.dials(bench.wait(.seconds(15))) == [peer])
    }

    @Test func connectedPeersAreRememberedButNotDialled() throws {
        var bench = try Bench()
        _ = bench.give(.connected(try Self.key(1).peerID))
        #expect(Self.dials(try bench.hear(1, ["/ip4/1.2.3.4/tcp/5"])).isEmpty)
        #expect(bench.machine.known(now: bench.now).map(\.peer) == [try Self.key(1).peerID])
    }

    @Test func dialsInVainBecomeRarer() throws {
        var bench = try Bench()
        let peer = try Self.key(1).peerID
        var dials = 0
        for _ in 0..<360 {
            var outputs = try bench.hear(1, ["/ip4/1.2.3.4/tcp/5"])
            outputs += bench.wait(.seconds(10))
            for _ in Self.dials(outputs) {
                dials += 1
                _ = bench.give(.failed(peer))
            }
        }
        // An hour: 30 s, 60 s, … 10 min.
        #expect((5...12).contains(dials))
    }

    @Test func fewAreDialledAtATime() throws {
        var bench = try Bench()
        var dials: [PeerID] = []
        for number in 1...20 { dials += Self.dials(try bench.hear(number, ["/ip4/1.2.3.\(number)/tcp/5"])) }
        #expect(dials.count == Limits.discoveryDials)
        var ended = 0
        while ended < dials.count {
            dials += Self.dials(bench.give(.connected(dials[ended])))
            ended += 1
        }
        #expect(Set(dials).count == 20)
    }

    @Test func dialsWithoutAnAnswerStopCounting() throws {
        var bench = try Bench()
        for number in 1...20 { _ = try bench.hear(number, ["/ip4/1.2.3.\(number)/tcp/5"]) }
        #expect(Self.dials(bench.wait(.minutes(4))).count >= 16)
    }

    @Test func manyPeersAtOneHostAreNoReasonToFloodIt() throws {
        var bench = try Bench()
        var dials = 0
        for number in 1...200 {
            let port = 1000 + number
            let outputs = try bench.hear(number, ["/ip4/9.9.9.9/tcp/\(port)", "/ip4/9.9.9.9/tcp/\(port)/ws"])
            for peer in Self.dials(outputs) {
                dials += 1
                dials += Self.dials(bench.give(.failed(peer))).count
            }
        }
        #expect(dials == Limits.discoveryDialsPerHost)
    }

    @Test func aStrangersKeyIsRefused() throws {
        var bench = try Bench()
        let (author, victim) = (try Self.key(2).peerID, try Self.key(1).peerID)
        #expect(
            try bench.hear(1, ["/ip4/1.2.3.4/tcp/5"], author: 2) == [.refused(author: author, .strangersKey(victim))])
        #expect(bench.machine.known(now: bench.now).isEmpty)
    }

    @Test func addressesOfAVictimAreNotDialled() throws {
        var bench = try Bench()
        let peer = try Self.key(1).peerID
        let outputs = try bench.hear(1, ["/ip4/127.0.0.1/tcp/22", "/ip4/10.0.0.1/tcp/80", "/ip4/224.0.0.1/tcp/1"])
        #expect(outputs == [.refused(author: peer, .nothingToDial)])
    }

    @Test func whatIsUnreadableIsRefusedAndNimsFormIsNot() throws {
        var bench = try Bench()
        let peer = try Self.key(1).peerID
        for bytes in [[0xFF], [UInt8](repeating: 0x61, count: 20_000)] as [[UInt8]] {
            let outputs = bench.give(.heard(ByteBuffer(bytes: bytes), author: peer))
            guard case .refused(peer, .unreadable)? = outputs.first else {
                Issue.record("\(outputs)")
                continue
            }
        }
        #expect(bench.give(.heard(ByteBuffer(bytes: peer.bytes), author: peer)).isEmpty)
        // Nobody to reach is no offence.
        #expect(try bench.hear(1, []).isEmpty)
    }

    @Test func ownMessagesAreNoNews() throws {
        var bench = try Bench()
        #expect(try bench.hear(0, ["/ip4/1.2.3.4/tcp/5"]).isEmpty)
    }

    @Test func thoseNotHeardForLongAreForgottenAndTheMemoryIsBounded() throws {
        var bench = try Bench()
        for number in 1...1000 { _ = try bench.hear(number, ["/ip4/1.2.\(number / 250).\(number % 250)/tcp/5"]) }
        let known = bench.machine.known(now: bench.now)
        #expect(known.count == Limits.discoveryPeers)
        #expect(known.last?.peer == (try Self.key(1000).peerID))
        _ = bench.wait(Limits.discoveryAge + .seconds(1))
        #expect(bench.machine.known(now: bench.now).isEmpty)
    }
}
