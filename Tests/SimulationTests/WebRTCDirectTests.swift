import NIOCore
import Simulator
import Testing
import Wire

@testable import Node

/// Whole nodes that reach each other over webrtc-direct, on virtual links, with plain engines beneath.
@Suite struct WebRTCDirectTests {
    private static let room = "universal-connectivity"

    /// Two nodes; the second has dialled the first, and `time` has passed.
    private static func connected(
        seed: UInt64 = 1, conditions: LinkConditions = LinkConditions(latency: .milliseconds(10)),
        version: WebRTCDirectVersion = .automatic, after time: TimeAmount = .seconds(3)
    ) throws -> Simulator {
        let network = Simulator(seed: seed, conditions: conditions)
        for _ in 1...2 {
            let node = try network.addNode {
                $0.webRTCDirectVersion = version
                $0.servesPerf = true
            }
            network.give(.join(topic: room), to: node)
        }
        network.give(.connect(try #require(network.directAddress(of: 1))), to: 2)
        network.run(for: time)
        return network
    }

    @Test func theAddressCarriesOneCertificateHashAndThePeer() throws {
        let network = Simulator(seed: 1)
        let node = try network.addNode()
        let address = try #require(network.directAddress(of: node))
        guard case .webRTCDirect(_, let port, let hashes) = address.dialTarget else {
            Issue.record("\(address) is no webrtc-direct address")
            return
        }
        #expect(port == 4001 && hashes.count == 1)
        #expect(address.peerID == network.peerID(of: node))
    }

    @Test(arguments: [WebRTCDirectVersion.automatic, .one, .two])
    func aDialAuthenticatesBothSidesAndTellsEveryPhase(version: WebRTCDirectVersion) throws {
        let network = try Self.connected(version: version)
        for node in 1...2 {
            let connection = try #require(network.connections(at: node).last)
            #expect(connection.state == .open && connection.transport == "webrtc-direct")
            #expect(connection.peer == network.peerID(of: 3 - node))
            #expect(connection.agent == "simulated")
            #expect(connection.detail == (version == .two ? "v2" : "v1"))
            #expect(connection.phases.map(\.name) == ["STUN", "DTLS", "SCTP", "Noise", "first stream"])
            #expect(connection.phases.allSatisfy { $0.duration < .milliseconds(500) })
        }
    }

    /// The listener is deaf to one version: browsers that may not choose their user names speak 2, most peers speak 1.
    @Test(
        arguments: [
            (1, .automatic, "v2", true), (1, .two, "v2", true), (1, .one, "v1", false), (2, .automatic, "v1", true),
        ] as [(Int, WebRTCDirectVersion, String, Bool)])
    func aListenerOfOneVersionOnlyIsReachedByIt(
        deafTo: Int, version: WebRTCDirectVersion, spoken: String, isReached: Bool
    ) throws {
        let network = Simulator(seed: 7, conditions: LinkConditions(latency: .milliseconds(10)))
        for _ in 1...2 { _ = try network.addNode { $0.webRTCDirectVersion = version } }
        let prefix = Array("libp2p+webrtc+v\(deafTo)/".utf8)
        network.carries = { datagram, _ in !datagram.readableBytesView.contains(prefix) }
        let request = network.give(.connect(try #require(network.directAddress(of: 1))), to: 2)
        network.run(for: .seconds(30))
        let connection = network.connections(at: 2).last
        #expect(connection?.detail == spoken && (connection?.state == .open) == isReached)
        if isReached {
            #expect(throws: Never.self) { try network.responses[request]?.get() }
            #expect(network.connections(at: 1).last?.detail == spoken)
        } else {
            #expect(throws: PeerError.self) { try network.responses[request]?.get() }
            #expect(network.core(1).snapshot(now: network.now).connections.isEmpty)
        }
        for node in 1...2 where isReached {
            #expect(network.core(node).snapshot(now: network.now).connections.count == 1)
        }
    }

    /// rust-libp2p takes FIN_ACK for a FIN or an error.
    @Test(arguments: [
        ("rust-libp2p/0.55.0", false), ("universal-connectivity/0.1.0", false), ("js-libp2p/2.8.0", true), ("", true),
    ])
    func whoDoesNotKnowFinAckGetsNone(agent: String, acknowledges: Bool) throws {
        let network = Simulator(seed: 8, conditions: LinkConditions(latency: .milliseconds(10)))
        _ = try network.addNode { $0.agentVersion = agent }
        _ = try network.addNode()
        network.give(.connect(try #require(network.directAddress(of: 1))), to: 2)
        network.run(for: .seconds(5))
        var seen: [[Bool]] = [[], []]
        for node in 1...2 {
            for connection in network.core(node).openConnections(to: network.peerID(of: 3 - node)) {
                if case .direct(let machine)? = connection.machine { seen[node - 1].append(machine.acknowledgesFins) }
            }
        }
        #expect(seen == [[true], [acknowledges]])
    }

    @Test func aPingAndPerfCrossIt() throws {
        let network = try Self.connected()
        let ping = network.give(.ping(network.peerID(of: 1)), to: 2)
        let perf = network.give(.perf(network.peerID(of: 2), upload: 1_000_001, download: 700_003), to: 1)
        network.run(for: .seconds(60))
        guard case .pong(let time)? = try network.responses[ping]?.get(),
            case .perf(let result)? = try network.responses[perf]?.get()
        else {
            Issue.record("no answer")
            return
        }
        #expect(time >= .milliseconds(20) && time < .milliseconds(200))
        #expect(result.uploaded == 1_000_001 && result.downloaded == 700_003)
    }

    @Test(arguments: [
        LinkConditions(latency: .milliseconds(3)),
        LinkConditions(latency: .milliseconds(20), jitter: .milliseconds(40), datagramDuplication: 0.2),
        LinkConditions(latency: .milliseconds(50), jitter: .milliseconds(20), datagramLoss: 0.1),
        LinkConditions(latency: .milliseconds(30), jitter: .milliseconds(10), datagramLoss: 0.3),
        LinkConditions(latency: .milliseconds(500)),
    ])
    func chatCrossesEveryLinkOnceAndInOrder(conditions: LinkConditions) throws {
        for seed in 1...5 as ClosedRange<UInt64> {
            let network = try Self.connected(seed: seed, conditions: conditions, after: .seconds(60))
            try #require(network.connections(at: 2).contains { $0.state == .open }, "seed \(seed)")
            for line in 0..<40 {
                network.give(.publish(topic: Self.room, ByteBuffer(string: "line \(line)")), to: line % 2 + 1)
                network.run(for: .milliseconds(100))
            }
            network.run(for: .seconds(60))
            let fromFirst = stride(from: 0, to: 40, by: 2).map { "line \($0)" }
            let fromSecond = stride(from: 1, to: 40, by: 2).map { "line \($0)" }
            #expect(network.texts(at: 2) == fromFirst, "seed \(seed)")
            #expect(network.texts(at: 1) == fromSecond, "seed \(seed)")
        }
    }

    @Test func anotherAddressOfTheDialerIsFollowed() throws {
        let network = try Self.connected()
        network.changeAddress(of: 2)
        network.run(for: .seconds(15))
        network.give(.publish(topic: Self.room, ByteBuffer(string: "moved")), to: 2)
        network.give(.publish(topic: Self.room, ByteBuffer(string: "seen")), to: 1)
        network.run(for: .seconds(15))
        #expect(network.texts(at: 1) == ["moved"])
        #expect(network.texts(at: 2) == ["seen"])
        #expect(network.connections(at: 2).count { $0.state == .open } == 1)
    }

    @Test func aDeadPathEndsTheConnectionOnBothSides() throws {
        let network = try Self.connected()
        network.partition([[1], [2]])
        network.run(for: .seconds(60))
        for node in 1...2 {
            #expect(network.core(node).snapshot(now: network.now).connections.allSatisfy { $0.state != .open })
        }
    }

    @Test func anotherCertificateHashIsRefusedInWords() throws {
        let network = Simulator(seed: 3)
        for _ in 1...3 { _ = try network.addNode() }
        guard case .webRTCDirect(_, _, let hashes)? = network.directAddress(of: 3)?.dialTarget else { return }
        let wrong = try Simulator.directAddress(of: 1).appending(.init(certhash: try #require(hashes.first)))
        let request = network.give(.connect(wrong), to: 2)
        network.run(for: .seconds(30))
        #expect {
            try network.responses[request]?.get()
        } throws: {
            "\($0)".contains("certificate")
        }
    }

    @Test func anotherPeerThanExpectedIsRefused() throws {
        let network = Simulator(seed: 4)
        for _ in 1...3 { _ = try network.addNode() }
        let address = try #require(network.directAddress(of: 1)?.withoutPeerID)
        let request = network.give(.connect(try address.appending(network.peerID(of: 3))), to: 2)
        network.run(for: .seconds(30))
        #expect {
            try network.responses[request]?.get()
        } throws: {
            "\($0)".contains("another peer")
        }
    }

    @Test func nobodyAnswersAndTheReasonSaysSo() throws {
        let network = try Self.connected()
        guard case .webRTCDirect(_, _, let hashes)? = network.directAddress(of: 1)?.dialTarget else { return }
        let nowhere = try Multiaddr("/ip4/10.0.0.77/udp/4001/webrtc-direct")
            .appending(.init(certhash: try #require(hashes.first)))
        let request = network.give(.connect(nowhere), to: 2)
        network.run(for: .seconds(60))
        #expect { try network.responses[request]?.get() } throws: { ($0 as? PeerError)?.code == .unreachable }
    }

    @Test func bothTransportsOfAPeerLeadToOneConnection() throws {
        let network = Simulator(seed: 5, conditions: LinkConditions(latency: .milliseconds(10)))
        let first = try network.addNode()
        let second = try network.addNode { $0.bootstrap = [] }
        let tcp = network.give(.connect(try network.fullAddress(of: first)), to: second)
        let direct = network.give(.connect(try #require(network.directAddress(of: first))), to: second)
        network.run(for: .seconds(20))
        for request in [tcp, direct] { #expect(throws: Never.self) { try network.responses[request]?.get() } }
        #expect(network.core(second).snapshot(now: network.now).connections.count { $0.state == .open } == 1)
    }

    @Test func strangersDatagramsCostNothing() throws {
        let network = try Self.connected()
        var entropy = Entropy.seeded(9)
        for number in 0..<20_000 {
            let source = TransportAddress(
                .v4(IPv4Address(0x0B00_0000 + UInt32(number))), port: UInt16(1024 + number % 60_000))
            var bytes = entropy.bytes(Int.random(in: 1...200, using: &entropy))
            bytes[0] = number % 2 == 0 ? 0 : 22
            network.inject(ByteBuffer(bytes: bytes), from: source, to: 1)
        }
        network.run(for: .seconds(1))
        #expect(network.core(1).snapshot(now: network.now).connections.count == 1)
        let ping = network.give(.ping(network.peerID(of: 1)), to: 2)
        network.run(for: .seconds(5))
        #expect(throws: Never.self) { try network.responses[ping]?.get() }
    }

    @Test(arguments: [1, 2] as [UInt64])
    func theSameSeedGivesTheSameTrace(seed: UInt64) throws {
        let conditions = LinkConditions(
            latency: .milliseconds(20), jitter: .milliseconds(30), datagramLoss: 0.1, datagramDuplication: 0.1)
        func trace() throws -> TraceHash {
            let network = try Self.connected(seed: seed, conditions: conditions)
            network.give(.publish(topic: Self.room, ByteBuffer(string: "hello")), to: 1)
            network.run(for: .seconds(20))
            return network.trace
        }
        #expect(try trace() == trace())
    }

    @Test func everybodyLeavesInGoodOrder() throws {
        let network = try Self.connected()
        let request = network.give(.shutdown, to: 2)
        network.run(for: .seconds(3))
        #expect(throws: Never.self) { try network.responses[request]?.get() }
        #expect(network.core(2).deadline == .distantFuture)
        #expect(network.core(1).snapshot(now: network.now).connections.isEmpty)
    }
}
