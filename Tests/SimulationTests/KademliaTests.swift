import NIOCore
import Node
import Simulator
import Testing
import Wire

/// Looking for a peer by its id among fifty that serve Kademlia, in virtual time.
@Suite struct KademliaTests {
    /// Fifty servers, each knowing its neighbours of a ring of random order and a few others; node 51 looks for
    /// node 52, which serves nothing and is known to those closest to it.
    private struct Field {
        let network: Simulator
        let servers: KademliaServers
        let seeker = 51
        let sought = 52
        /// By node; nobody is node 0.
        private let places: [KademliaKey]

        init(seed: UInt64, knownTo witnesses: Int = 20) throws {
            network = Simulator(
                seed: seed, conditions: LinkConditions(latency: .milliseconds(20), jitter: .milliseconds(10)))
            servers = KademliaServers(network)
            for _ in 1...50 { _ = try network.addNode { $0.protocols = [KademliaQuery.protocolID] } }
            for _ in 51...52 { _ = try network.addNode() }
            let made = network
            places = [1].map { KademliaKey(made.peerID(of: $0)) } + (1...52).map { KademliaKey(made.peerID(of: $0)) }
            let place = places[sought]
            let closest = (1...50).sorted { distance($0, place) < distance($1, place) }.prefix(witnesses)
            for node in 1...50 {
                let own = places[node]
                var known = Array(
                    (1...50).filter { $0 != node }.sorted { distance($0, own) < distance($1, own) }.prefix(8))
                known += [node % 50 + 1, (node * 7) % 50 + 1].filter { $0 != node && !known.contains($0) }
                if closest.contains(node) { known.append(sought) }
                servers.serve(node, knowing: try known.map(entry))
            }
            network.give(.connect(try network.fullAddress(of: 1)), to: seeker)
            network.run(for: .seconds(3))
        }

        private func distance(_ node: Int, _ place: KademliaKey) -> KademliaKey {
            places[node].distance(to: place)
        }

        func entry(_ node: Int) throws -> KademliaMessage.Peer {
            .init(id: network.peerID(of: node), addresses: [try Simulator.address(of: node)])
        }

        func find() -> RequestID { network.give(.findPeer(network.peerID(of: sought)), to: seeker) }

        var reach: Multiaddr? { Multiaddr(peer: network.peerID(of: sought)) }
    }

    @Test("A peer known to its neighbours is found from any start", arguments: 1...4)
    func found(_ seed: UInt64) throws {
        let field = try Field(seed: seed)
        let request = field.find()
        #expect(field.network.run(upTo: .seconds(20)) { field.network.responses[request] != nil })
        guard case .addresses(let addresses)? = try field.network.responses[request]?.get() else {
            Issue.record("no addresses")
            return
        }
        #expect(addresses == [try Simulator.address(of: field.sought)])
        // Whoever was called only to be asked is left again.
        field.network.run(for: .seconds(5))
        let open = field.network.connections(at: field.seeker).filter { $0.state == .open }
        #expect(open.map(\.peer) == [field.network.peerID(of: 1)])
        #expect(
            field.network.core(field.seeker).snapshot(now: field.network.now).connections.allSatisfy { $0.streams <= 3 }
        )
    }

    @Test("An id alone leads to a connection", arguments: 1...2)
    func connected(_ seed: UInt64) throws {
        let field = try Field(seed: seed, knownTo: 2)
        let request = field.network.give(.connect(try #require(field.reach)), to: field.seeker)
        #expect(field.network.run(upTo: .seconds(30)) { field.network.responses[request] != nil })
        guard case .connected(let peer)? = try field.network.responses[request]?.get() else {
            Issue.record("not connected")
            return
        }
        #expect(peer == field.network.peerID(of: field.sought))
    }

    @Test func addressesThatAreKnownAreTriedFirst() throws {
        let field = try Field(seed: 4)
        let network = field.network
        network.give(.connect(try network.fullAddress(of: field.sought)), to: field.seeker)
        network.run(for: .seconds(3))
        network.give(.disconnect(network.peerID(of: field.sought)), to: field.seeker)
        network.run(for: .seconds(3))
        let request = network.give(.connect(try #require(field.reach)), to: field.seeker)
        network.run(for: .seconds(3))
        #expect(throws: Never.self) { try network.responses[request]?.get() }
        #expect(field.servers.answered.isEmpty)
    }

    @Test func nobodyKnowsThePeer() throws {
        let field = try Field(seed: 5, knownTo: 0)
        let request = field.find()
        #expect(field.network.run(upTo: .seconds(70)) { field.network.responses[request] != nil })
        #expect { try field.network.responses[request]?.get() } throws: { ($0 as? PeerError)?.code == .unreachable }
        #expect(field.servers.answered.values.allSatisfy { $0 == 1 }, "nobody is asked twice")
    }

    @Test func withoutServersTheRequestSaysSo() throws {
        let network = Simulator(seed: 1)
        let node = try network.addNode()
        let request = network.give(.findPeer(try KeyPair(seed: Array(repeating: 7, count: 32)).peerID), to: node)
        #expect { try network.responses[request]?.get() } throws: { ($0 as? PeerError)?.code == .unreachable }
        let own = network.give(.findPeer(network.peerID(of: node)), to: node)
        #expect { try network.responses[own]?.get() } throws: { ($0 as? PeerError)?.code == .dialsItself }
    }

    @Test("Some servers are silent, some talk nonsense, and the peer is found all the same", arguments: 1...2)
    func liars(_ seed: UInt64) throws {
        let field = try Field(seed: seed, knownTo: 25)
        for node in stride(from: 2, through: 50, by: 5) { field.servers.lies[node] = ByteBuffer() }
        for node in stride(from: 3, through: 50, by: 5) {
            field.servers.lies[node] = ByteBuffer(bytes: [0x02, 0x08, 0x05])
        }
        let request = field.find()
        #expect(field.network.run(upTo: .seconds(70)) { field.network.responses[request] != nil })
        guard case .addresses(let addresses)? = try field.network.responses[request]?.get() else {
            Issue.record("no addresses")
            return
        }
        #expect(addresses == [try Simulator.address(of: field.sought)])
    }

    @Test func aServerThatBreaksTheProtocolIsNotAskedAgain() throws {
        let field = try Field(seed: 6)
        field.servers.lies[1] = ByteBuffer(bytes: [0xFF, 0xFF, 0xFF, 0xFF, 0x0F])
        let request = field.find()
        field.network.run(for: .seconds(5))
        #expect(throws: PeerError.self) { try field.network.responses[request]?.get() }
        let again = field.find()
        #expect(throws: PeerError.self) { try field.network.responses[again]?.get() }
        #expect(field.servers.answered[1] == 1)
    }

    @Test func aCancelledSearchLeavesNothingBehind() throws {
        let field = try Field(seed: 7)
        field.servers.lies = Dictionary(uniqueKeysWithValues: (1...50).map { ($0, ByteBuffer()) })
        let request = field.find()
        field.network.run(for: .seconds(1))
        field.network.cancel(request, of: field.seeker)
        #expect { try field.network.responses[request]?.get() } throws: { ($0 as? PeerError)?.code == .cancelled }
        field.network.run(for: .seconds(30))
        #expect(field.network.connections(at: field.seeker).filter { $0.state == .open }.count == 1)
    }

    @Test func twoRunsOfOneSeedAreTheSame() throws {
        let traces = try (1...2).map { _ in
            let field = try Field(seed: 8)
            _ = field.find()
            field.network.run(for: .seconds(10))
            return field.network.trace.value
        }
        #expect(traces[0] == traces[1])
    }
}
