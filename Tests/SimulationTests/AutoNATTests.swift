import NIOCore
import Node
import Simulator
import Testing
import Wire

/// Who can be reached, found out by asking others, in virtual time.
@Suite struct AutoNATTests {
    /// Servers 1 and 2, and node 3, which wants to know.
    private static func network(
        seed: UInt64 = 1, servers: Int = 2, isTestNetwork: Bool = true,
        _ configure: (inout PeerConfiguration) -> Void = { _ in }
    ) throws -> (Simulator, asker: Int) {
        let network = Simulator(seed: seed, conditions: LinkConditions(latency: .milliseconds(20)))
        for _ in 1...servers {
            _ = try network.addNode {
                $0.servesAutoNAT = true
                $0.probesPrivateAddresses = isTestNetwork
            }
        }
        let asker = try network.addNode {
            $0.probesPrivateAddresses = isTestNetwork
            configure(&$0)
        }
        return (network, asker)
    }

    private static func connect(_ network: Simulator, _ asker: Int) throws {
        for server in 1..<asker { network.give(.connect(try network.fullAddress(of: server)), to: asker) }
    }

    private static func verdicts(_ network: Simulator, _ node: Int) -> [(Multiaddr, Reachability)] {
        (network.events[node] ?? []).compactMap { entry in
            if case .reachability(let address, let status) = entry.event { (address, status) } else { nil }
        }
    }

    @Test("Reachable or not, asked of one server or of two", arguments: [true, false], [1, 2])
    func matrix(_ isReachable: Bool, _ servers: Int) throws {
        let (network, asker) = try Self.network(servers: servers)
        if !isReachable { network.unreachable = [asker] }
        try Self.connect(network, asker)
        network.run(for: .seconds(120))
        let address = try Simulator.address(of: asker)
        #expect(
            Self.verdicts(network, asker).contains { $0.0 == address && $0.1 == (isReachable ? .public : .private) })
        let node = network.core(asker)
        let isAnnounced = node.ownAddresses.contains { $0.withoutPeerID == address }
        #expect(isAnnounced == isReachable)
        // Servers dial TCP only: what became of webrtc-direct is not known.
        #expect(node.reachability == (isReachable ? .public : .unknown))
        #expect(!isReachable || !node.wantsReservations)
        // Nothing of it is left.
        for server in 1...servers {
            #expect(network.core(server).snapshot(now: network.now).connections.count <= servers)
        }
        #expect(network.core(asker).snapshot(now: network.now).connections.count == servers)
    }

    @Test func publicServersDialNoPrivateAddress() throws {
        let (network, asker) = try Self.network(isTestNetwork: false)
        try Self.connect(network, asker)
        network.run(for: .seconds(120))
        #expect(Self.verdicts(network, asker).isEmpty)
        #expect(network.core(asker).wantsReservations)
        #expect(network.connections(at: asker).allSatisfy { $0.direction == .outbound })
    }

    @Test func anAskerThatBelievesInPrivateAddressesIsRefusedAllTheSame() throws {
        let network = Simulator(seed: 3)
        _ = try network.addNode { $0.servesAutoNAT = true }
        let asker = try network.addNode { $0.probesPrivateAddresses = true }
        try Self.connect(network, asker)
        network.run(for: .seconds(120))
        #expect(Self.verdicts(network, asker).isEmpty)
        #expect(network.connections(at: asker).count == 1)
    }

    @Test func theAddressOfAVictimCostsDataAndProvesNothing() throws {
        let victim = try Simulator.address(of: 1)
        let (network, asker) = try Self.network(servers: 2) { $0.externalAddresses = [victim] }
        // Server 2 is asked about the address of node 1.
        network.give(.connect(try network.fullAddress(of: 2)), to: asker)
        network.run(for: .seconds(10))
        let sent = network.connections(at: asker).first?.bytesSent ?? 0
        network.run(for: .seconds(200))
        let verdict = Self.verdicts(network, asker).first { $0.0 == victim }
        #expect(verdict?.1 == .private)
        let connection = network.core(asker).snapshot(now: network.now).connections.first
        #expect((connection?.bytesSent ?? 0) + sent > UInt64(Limits.autoNATDataLeast))
        #expect(network.connections(at: 1).allSatisfy { $0.state == .failed })
    }

    @Test func aServerThatOnlySaysSoIsNotBelieved() throws {
        let network = Simulator(seed: 4)
        let liar = try network.addNode { $0.protocols = [AutoNAT.requestProtocol] }
        let asker = try network.addNode { $0.probesPrivateAddresses = true }
        var questions = 0
        network.onStream = { [unowned network] node, stream, event in
            guard case .received = event else { return }
            questions += 1
            network.give(.write(AutoNATMessage.dialResponse(.ok, index: 0, .ok).frame()), on: stream, to: node)
        }
        network.give(.connect(try network.fullAddress(of: liar)), to: asker)
        network.run(for: .seconds(300))
        #expect(questions == 1)
        #expect(Self.verdicts(network, asker).isEmpty)
    }

    @Test func oneAskerDoesNotWearAServerOut() throws {
        let network = Simulator(seed: 5)
        let server = try network.addNode {
            $0.servesAutoNAT = true
            $0.probesPrivateAddresses = true
        }
        let asker = try network.addNode()
        network.give(.connect(try network.fullAddress(of: server)), to: asker)
        network.run(for: .seconds(3))
        let peer = network.peerID(of: server)
        var answers: [ByteBuffer] = []
        let question = AutoNATMessage.dialRequest([try Simulator.address(of: asker)], nonce: 1).frame()
        network.onStream = { _, _, event in if case .received(let bytes) = event { answers.append(bytes) } }
        for _ in 0..<20 {
            let request = network.give(.openStream(peer, protocols: [AutoNAT.requestProtocol]), to: asker)
            network.run(for: .seconds(1))
            guard case .stream(let key, _)? = try network.responses[request]?.get() else { continue }
            network.give(.write(question), on: key, to: asker)
            network.run(for: .seconds(1))
        }
        let rejected = AutoNATMessage.dialResponse(.rejected, index: 0, .unused).frame()
        #expect(answers.count == 20 && answers.count { $0 == rejected } == 20 - Limits.autoNATRequestsPerMinuteOfPeer)
    }
}
