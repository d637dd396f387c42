import NIOCore
import Node
import Simulator
import Testing
import Wire

/// Whole nodes that find each other on the discovery topic, in virtual time.
@Suite struct DiscoveryTests {
    /// Node 1 is known to all others; nobody else is known to anybody.
    private static func star(_ count: Int, seed: UInt64, discovers: Bool = true) throws -> Simulator {
        let network = Simulator(seed: seed, conditions: LinkConditions(latency: .milliseconds(20)))
        for _ in 1...count { _ = try network.addNode { $0.discoversOverPubsub = discovers } }
        for node in 2...count { network.give(.connect(try network.fullAddress(of: 1)), to: node) }
        return network
    }

    private static func neighbours(of node: Int, in network: Simulator) -> Set<PeerID> {
        Set(network.core(node).snapshot(now: network.now).connections.filter { $0.state == .open }.compactMap(\.peer))
    }

    @Test(arguments: 1...5 as ClosedRange<UInt64>)
    func peersOfOneHubFindEachOther(seed: UInt64) throws {
        let network = try Self.star(6, seed: seed)
        network.run(for: .seconds(60))
        for node in 1...6 {
            let others = Set((1...6).filter { $0 != node }.map { network.peerID(of: $0) })
            #expect(Self.neighbours(of: node, in: network) == others, "node \(node)")
        }
    }

    @Test func theTopicIsNobodysBusinessUnlessJoined() throws {
        let network = try Self.star(3, seed: 7)
        network.run(for: .seconds(30))
        for node in 1...3 {
            #expect(network.core(node).snapshot(now: network.now).topics.isEmpty)
            #expect(network.messages(at: node).isEmpty)
        }
        network.give(.join(topic: PeerDiscovery.topic), to: 2)
        network.run(for: .seconds(15))
        #expect(network.core(2).snapshot(now: network.now).topics.map(\.name) == [PeerDiscovery.topic])
        #expect(!network.messages(at: 2).isEmpty)
    }

    /// A member of the topic that publishes what it likes: it must not move the others.
    @Test func aLiarMovesNobody() throws {
        let network = Simulator(seed: 9)
        _ = try network.addNode { $0.discoversOverPubsub = true }
        _ = try network.addNode { $0.discoversOverPubsub = true }
        let liar = try network.addNode()
        let victim = try network.addNode()
        network.give(.join(topic: PeerDiscovery.topic), to: liar)
        for node in [2, liar] { network.give(.connect(try network.fullAddress(of: 1)), to: node) }
        network.run(for: .seconds(5))
        let address = try network.fullAddress(of: victim)
        let lies = [
            // The victim's own key and address, in the liar's message.
            DiscoveryMessage(publicKey: network.core(victim).identity.publicKey, addresses: [address]).encoded,
            // The liar's key, the victim's name.
            DiscoveryMessage(publicKey: network.core(liar).identity.publicKey, addresses: [address]).encoded,
            // Places nobody can have meant.
            DiscoveryMessage(
                publicKey: network.core(liar).identity.publicKey,
                addresses: try ["/ip4/127.0.0.1/tcp/22", "/ip4/192.168.0.1/tcp/80", "/ip4/224.0.0.1/tcp/1"].map {
                    try Multiaddr($0)
                }
            ).encoded,
            ByteBuffer(repeating: 0xFF, count: 20_000),
        ]
        for lie in lies {
            network.give(.publish(topic: PeerDiscovery.topic, lie), to: liar)
            network.run(for: .seconds(2))
        }
        network.run(for: .seconds(20))
        #expect(Self.neighbours(of: victim, in: network).isEmpty)
        for node in 1...2 {
            let dialled = network.events[node, default: []].contains { event in
                guard case .connection(let info) = event.event, info.direction == .outbound else { return false }
                return info.address.description.contains("127.0.0.1") || info.address == address.withoutPeerID
            }
            #expect(!dialled, "node \(node)")
        }
    }

    @Test("Many that all name one victim as their own address bring it a few dials a minute")
    func aCrowdOfLiars() throws {
        let network = Simulator(seed: 14)
        _ = try network.addNode { $0.discoversOverPubsub = true }
        let victim = try network.addNode()
        let liars = try (1...20).map { _ in try network.addNode() }
        for liar in liars {
            network.give(.join(topic: PeerDiscovery.topic), to: liar)
            network.give(.connect(try network.fullAddress(of: 1)), to: liar)
        }
        network.run(for: .seconds(5))
        let strangers = try (1...200).map { number in
            try KeyPair(seed: [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 31) + [UInt8(number / 200)])
        }
        // Each speaks under its own key and names 60 ports of the victim; what it may not is to speak for others.
        for (index, liar) in liars.enumerated() {
            let addresses = try (1...60).map { try Multiaddr("/ip4/10.0.0.\(victim)/tcp/\(1000 + index * 60 + $0)") }
            let own = DiscoveryMessage(publicKey: network.core(liar).identity.publicKey, addresses: addresses)
            network.give(.publish(topic: PeerDiscovery.topic, own.encoded), to: liar)
            for stranger in strangers[(index * 10)..<(index * 10 + 10)] {
                let lie = DiscoveryMessage(publicKey: stranger.publicKey, addresses: addresses)
                network.give(.publish(topic: PeerDiscovery.topic, lie.encoded), to: liar)
            }
        }
        let start = network.now
        // The liars leave, so that they are worth dialling.
        for liar in liars { network.give(.shutdown, to: liar) }
        network.run(for: .minutes(3))
        let dials = network.events[1, default: []].filter { entry in
            guard case .connection(let info) = entry.event, info.state == .dialing, entry.time >= start else {
                return false
            }
            return info.address.ip == IPAddress("10.0.0.\(victim)")
        }
        #expect(!dials.isEmpty, "they might be there")
        for dial in dials {
            let within = dials.count { $0.time >= dial.time && $0.time < dial.time + .minutes(1) }
            #expect(within <= Limits.discoveryDialsPerHost * Limits.discoveryAddressesPerHost, "\(within) in a minute")
        }
        #expect(Self.neighbours(of: victim, in: network).isEmpty)
    }

    @Test("Ten thousand addresses in a message are none")
    func tenThousandAddresses() throws {
        let network = Simulator(seed: 15)
        _ = try network.addNode { $0.discoversOverPubsub = true }
        let liar = try network.addNode()
        network.give(.join(topic: PeerDiscovery.topic), to: liar)
        network.give(.connect(try network.fullAddress(of: 1)), to: liar)
        network.run(for: .seconds(5))
        let key = network.core(liar).identity.publicKey
        for count in [10_000, 1_000, Limits.discoveryListed + 1] {
            var message = ByteBuffer()
            message.writeProtobuf(field: 1, bytes: key.protobuf)
            for number in 1...count {
                let address = try Multiaddr("/ip4/10.0.0.\(number % 250)/tcp/\(1 + number)")
                message.writeProtobuf(field: 2, bytes: address.bytes)
            }
            network.give(.publish(topic: PeerDiscovery.topic, message), to: liar)
            network.run(for: .seconds(2))
        }
        network.give(.shutdown, to: liar)
        network.run(for: .minutes(2))
        let isMoved = network.events[1, default: []].contains { entry in
            switch entry.event {
            case .discovered: true
            case .connection(let info): info.direction == .outbound
            default: false
            }
        }
        #expect(!isMoved)
    }

    @Test func peersOfLastTimeAreDialledWhenNobodyElseAnswers() throws {
        let network = Simulator(seed: 10)
        _ = try network.addNode()
        let known = try network.fullAddress(of: 1)
        let dead = try Multiaddr("/ip4/10.0.0.99/tcp/4001").appending(network.peerID(of: 1))
        let second = try network.addNode {
            $0.remembered = [known]
            $0.bootstrap = [dead]
        }
        network.run(for: .seconds(10))
        #expect(Self.neighbours(of: second, in: network) == [network.peerID(of: 1)])
    }

    @Test func whatLeadsNowhereIsToldStepByStep() throws {
        let network = Simulator(seed: 11)
        let other = try KeyPair(seed: [UInt8](repeating: 5, count: 32)).peerID
        let dead = try Multiaddr("/ip4/10.0.0.99/tcp/4001").appending(other)
        let node = try network.addNode {
            $0.remembered = [dead]
            $0.bootstrap = [dead]
        }
        network.run(for: .seconds(60))
        let told = network.events[node, default: []].compactMap { event in
            if case .log(.notice, let text) = event.event { text } else { nil }
        }
        for words in ["the peers you named: ", "the peers of last time: ", "no way into the network"] {
            #expect(told.count { $0.hasPrefix(words) } == 1, "\(told)")
        }
    }
    /// What the user hears of a start that leads nowhere, or not where it should.
    private static func notices(of node: Int, in network: Simulator) -> [String] {
        network.events[node, default: []].compactMap { event in
            if case .log(.notice, let text) = event.event { text } else { nil }
        }
    }

    private static func direct(_ host: String, hash: String = "uEiC_r40aikqTcIrIR7lLqhI1Qgi11-DIjeXfNmiCeI4mbA") throws
        -> Multiaddr
    {
        let other = try KeyPair(seed: [UInt8](repeating: UInt8(host.utf8.count), count: 32)).peerID
        return try Multiaddr("/ip4/\(host)/udp/9095/webrtc-direct/certhash/\(hash)").appending(other)
    }

    @Test(arguments: [true, false]) func silenceOverUDPIsExplained(_ answersTCP: Bool) throws {
        let network = Simulator(seed: 12)
        _ = try network.addNode()
        let alive = try network.fullAddress(of: 1)
        let silent = try ["10.0.0.99", "10.0.0.150", "10.0.1.9"].map { try Self.direct($0) }
        let node = try network.addNode {
            $0.bootstrap = silent
            if answersTCP { $0.bootstrap.append(alive) }
        }
        network.run(for: .seconds(60))
        let told = Self.notices(of: node, in: network)
        #expect(told.count { $0.hasPrefix("UDP seems blocked") } == (answersTCP ? 1 : 0), "\(told)")
        #expect(told.contains { $0.contains("nobody answers over UDP") } != answersTCP, "\(told)")
        #expect(told.contains { $0.contains("no answer to STUN: nobody listens there, or UDP is blocked") }, "\(told)")
        let reasons = network.events[node, default: []].compactMap { event in
            if case .connection(let info) = event.event, info.state == .failed { info.reason } else { nil }
        }
        #expect(!reasons.isEmpty && reasons.allSatisfy { $0.contains("UDP is blocked") }, "\(reasons)")
    }
}
