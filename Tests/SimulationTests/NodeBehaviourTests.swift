import NIOCore
import Node
import Simulator
import Testing
import Wire

/// What one node does to and for another, in virtual time.
@Suite struct NodeBehaviourTests {
    private static func pair(
        seed: UInt64 = 1, _ configure: (inout PeerConfiguration) -> Void = { _ in }
    ) throws -> Simulator {
        let network = Simulator(seed: seed, conditions: LinkConditions(latency: .milliseconds(10)))
        _ = try network.addNode(configure)
        _ = try network.addNode(configure)
        return network
    }

    private static func connected(
        seed: UInt64 = 1, _ configure: (inout PeerConfiguration) -> Void = { _ in }
    ) throws -> Simulator {
        let network = try pair(seed: seed, configure)
        network.give(.connect(try network.fullAddress(of: 1)), to: 2)
        network.run(for: .seconds(2))
        return network
    }

    @Test func aDialAuthenticatesAndIdentifiesBothSides() throws {
        let network = try Self.pair()
        let request = network.give(.connect(try network.fullAddress(of: 1)), to: 2)
        network.run(for: .seconds(2))
        guard case .connected(let peer)? = try network.responses[request]?.get() else {
            Issue.record("no connection")
            return
        }
        #expect(peer == network.peerID(of: 1))
        for node in 1...2 {
            let connections = network.connections(at: node)
            #expect(connections.map(\.state) == [.open])
            #expect(connections.map(\.peer) == [network.peerID(of: 3 - node)])
            #expect(connections.map(\.agent) == ["simulated"])
        }
    }

    @Test func thePhasesOfAConnectionAreToldInOrder() throws {
        let network = try Self.connected()
        var states: [ConnectionInfo.State] = []
        for entry in network.events[2] ?? [] {
            if case .connection(let info) = entry.event, states.last != info.state { states.append(info.state) }
        }
        #expect(states == [.dialing, .securing, .open])
    }

    @Test func aPingTakesTheTimeOfTheWay() throws {
        let network = try Self.connected()
        for _ in 1...3 {
            let request = network.give(.ping(network.peerID(of: 1)), to: 2)
            network.run(for: .seconds(1))
            guard case .pong(let time)? = try network.responses[request]?.get() else {
                Issue.record("no pong")
                return
            }
            #expect(time >= .milliseconds(20) && time < .milliseconds(60))
        }
        #expect(network.connections(at: 2).first?.roundTrip != nil)
    }

    @Test func perfCountsEveryByteBothWays() throws {
        let network = try Self.connected { $0.servesPerf = true }
        let request = network.give(.perf(network.peerID(of: 1), upload: 5_000_001, download: 3_000_007), to: 2)
        network.run(for: .seconds(30))
        guard case .perf(let result)? = try network.responses[request]?.get() else {
            Issue.record("no result")
            return
        }
        #expect(result.uploaded == 5_000_001 && result.downloaded == 3_000_007)
    }

    @Test func aPeerIDThatDoesNotAnswerThereIsRefused() throws {
        let network = try Self.pair()
        let wrong = try Multiaddr("\(Simulator.address(of: 1))/p2p/\(KeyPair.generate().peerID)")
        let request = network.give(.connect(wrong), to: 2)
        network.run(for: .seconds(30))
        #expect(throws: PeerError.self) { try network.responses[request]?.get() }
        #expect(network.connections(at: 1).allSatisfy { $0.state == .failed })
    }

    @Test func aNodeDoesNotConnectToItself() throws {
        let network = try Self.pair()
        let request = network.give(.connect(try network.fullAddress(of: 1)), to: 1)
        network.run(for: .seconds(30))
        #expect { try network.responses[request]?.get() } throws: { ($0 as? PeerError)?.code == .dialsItself }
    }

    @Test func nothingListensAndTheRequestSaysSo() throws {
        let network = try Self.pair()
        let request = network.give(.connect(try Multiaddr("/ip4/10.0.0.77/tcp/4001")), to: 1)
        network.run(for: .seconds(30))
        #expect { try network.responses[request]?.get() } throws: { ($0 as? PeerError)?.code == .unreachable }
    }

    @Test func aLostBootstrapPeerIsDialledAgain() throws {
        let network = Simulator(seed: 5)
        let first = try network.addNode()
        let address = try network.fullAddress(of: first)
        let second = try network.addNode { $0.bootstrap = [address] }
        network.run(for: .seconds(5))
        #expect(network.connections(at: second).map(\.state) == [.open])
        network.give(.disconnect(network.peerID(of: second)), to: first)
        network.run(for: .seconds(120))
        #expect(network.connections(at: second).last?.state == .open)
        #expect(network.connections(at: second).count >= 2)
    }

    @Test func peersOnOneLinkFindEachOtherWithOneConnectionEach() throws {
        let network = Simulator(seed: 6, conditions: LinkConditions(latency: .milliseconds(1)))
        for _ in 1...3 { _ = try network.addNode { $0.discoversLocally = true } }
        network.run(for: .seconds(20))
        for node in 1...3 {
            let open = network.connections(at: node).filter { $0.state == .open }
            #expect(Set(open.compactMap(\.peer)).count == 2, "node \(node)")
            #expect(open.count == 2, "node \(node)")
        }
    }

    @Test func lossyMulticastStillFindsThemInTheEnd() throws {
        let network = Simulator(seed: 8, conditions: LinkConditions(latency: .milliseconds(1), datagramLoss: 0.5))
        for _ in 1...2 { _ = try network.addNode { $0.discoversLocally = true } }
        let found = network.run(upTo: .seconds(300)) {
            network.connections(at: 1).contains { $0.state == .open }
        }
        #expect(found)
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\n\r\n", "\u{13}/multistream/1.0.0\n\u{7}/noise\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "\u{0}",
        "\u{1}\u{1}\u{1}\u{1}", String(repeating: "\u{7F}", count: 3000),
    ])
    func garbageEndsItsOwnConnectionOnly(garbage: String) throws {
        let network = try Self.connected()
        let pipe = try #require(try network.rawPipe(to: 1))
        network.write(ByteBuffer(string: garbage), to: pipe, of: 1)
        network.run(for: .seconds(30))
        let states = network.connections(at: 1).map(\.state)
        #expect(states == [.open, .failed])
        let request = network.give(.ping(network.peerID(of: 1)), to: 2)
        network.run(for: .seconds(1))
        #expect(throws: Never.self) { try network.responses[request]?.get() }
    }

    @Test func aSilentPipeIsGivenUpAfterTheUpgradeTime() throws {
        let network = try Self.pair()
        _ = try network.rawPipe(to: 1)
        network.run(for: Limits.upgradeTimeout + .seconds(1))
        #expect(network.connections(at: 1).map(\.state) == [.failed])
    }

    @Test func pendingInboundPipesAreLimited() throws {
        let network = try Self.pair()
        var taken = 0
        for _ in 0..<Limits.inboundPendingConnections + 50 where try network.rawPipe(to: 1) != nil { taken += 1 }
        #expect(taken == Limits.inboundPendingConnections)
    }
}
