import NIOCore
import Testing
import Wire

@testable import GossipSub

@Suite("GRAFT, PRUNE, backoff, heartbeat")
struct MeshTests {
    /// In what relation a peer stands to us when its GRAFT comes.
    enum Situation: CaseIterable {
        case unknownTopic, outsider, member, notSubscribed, meshFull, meshFullDialed, prunedBySelf, prunedByPeer
        case backoffOver, floodsub
    }
    enum Answer: Equatable {
        case none, accepted
        case prune(UInt64?)
    }

    private func expected(_ situation: Situation) -> Answer {
        switch situation {
        case .unknownTopic, .member, .floodsub: .none
        case .outsider, .meshFullDialed, .backoffOver: .accepted
        case .notSubscribed, .meshFull, .prunedBySelf, .prunedByPeer: .prune(60)
        }
    }

    @Test("GRAFT, by situation", arguments: Situation.allCases)
    func graft(_ situation: Situation) throws {
        var bench = try Bench()
        if situation != .unknownTopic { bench.feed(.join(.chat)) }
        let it = try peer(1)
        if situation == .meshFull || situation == .meshFullDialed {
            for number in 2...13 {
                bench.connect([try peer(number)])
                bench.receive(grafting(.chat), from: try peer(number))
            }
            #expect(bench.router.mesh(of: .chat).count == 12)
        }
        bench.feed(
            .peerConnected(
                it, version: situation == .floodsub ? .floodsub : .v11, dialed: situation == .meshFullDialed,
                dialect: .fromSequence))
        if situation != .notSubscribed { bench.receive(subscribing(.chat), from: it) }
        switch situation {
        case .member: bench.receive(grafting(.chat), from: it)
        case .prunedBySelf:
            bench.receive(grafting(.chat), from: it)
            bench.feed(.leave(.chat))
            bench.feed(.join(.chat))
        case .prunedByPeer: bench.receive(pruning(.chat, backoff: 20), from: it)
        case .backoffOver:
            bench.receive(pruning(.chat, backoff: 20), from: it)
            bench.now = bench.now + .seconds(20)
        default: break
        }
        let outputs = bench.receive(grafting(.chat, .chat), from: it)
        let prunes = try outputs.rpcs(to: it).flatMap(\.prune)
        switch expected(situation) {
        case .none: #expect(prunes.isEmpty && outputs.grafted.isEmpty)
        case .accepted: #expect(prunes.isEmpty && outputs.grafted.contains(it))
        case .prune(let backoff):
            #expect(prunes == [RPC.Prune(topic: .chat, backoff: backoff)] && !outputs.grafted.contains(it))
        }
    }

    @Test("A GRAFT within the backoff renews it; soon behind the PRUNE it counts as a flood")
    func graftInBackoff() throws {
        var bench = try Bench()
        bench.feed(.join(.chat))
        bench.connect([try peer(1)])
        bench.receive(pruning(.chat, backoff: 30), from: try peer(1))
        bench.advance(.seconds(5))
        #expect(
            bench.receive(grafting(.chat), from: try peer(1)).traces
                == [.graftRefused(try peer(1), .chat, .backoff(isFlood: true))])
        bench.advance(.seconds(40))
        #expect(
            bench.receive(grafting(.chat), from: try peer(1)).traces
                == [.graftRefused(try peer(1), .chat, .backoff(isFlood: false))])
        #expect(bench.router.mesh(of: .chat).isEmpty)
        bench.advance(.seconds(63))
        #expect(bench.router.mesh(of: .chat) == [try peer(1)])
    }

    @Test(
        "The backoff of a PRUNE is obeyed with slack, and kept to an hour",
        arguments: [
            (nil, 60), (0, 60), (5, 5), (60, 60), (3600, 3600), (86_400, 3600), (1 << 62, 3600), (UInt64.max, 3600),
            (UInt64.max - 1, 3600), (UInt64(Int64.max), 3600),
        ] as [(UInt64?, Int64)])
    func pruneBackoff(_ backoff: UInt64?, _ seconds: Int64) throws {
        var bench = try Bench()
        bench.feed(.join(.chat))
        bench.connect([try peer(1)])
        bench.advance(.seconds(1))
        #expect(bench.router.mesh(of: .chat) == [try peer(1)])
        #expect(bench.receive(pruning(.chat, backoff: backoff), from: try peer(1)).pruned == [try peer(1)])
        #expect(bench.advance(.seconds(seconds)).grafted.isEmpty)
        #expect(bench.advance(.seconds(3)).grafted == [try peer(1)])
    }

    @Test("A PRUNE of a topic we are not in leaves nothing behind")
    func pruneUnknown() throws {
        var bench = try Bench()
        bench.connect([try peer(1)])
        for number in 0..<100 { bench.receive(pruning(Topic("\(number)"), backoff: 3600), from: try peer(1)) }
        #expect(bench.router.statistics.backoffs == 0)
    }

    @Test("A peer of version 1.0 is pruned without a backoff")
    func oldPrune() throws {
        var bench = try Bench()
        bench.feed(.join(.chat))
        bench.connect([try peer(1)], version: .v10)
        bench.advance(.seconds(1))
        let outputs = bench.feed(.leave(.chat))
        #expect(
            try outputs.rpcs(to: try peer(1)).flatMap(\.prune) == [RPC.Prune(topic: .chat, backoff: nil)])
    }

    @Test("A GRAFT flood is answered with at most 64 PRUNE per heartbeat")
    func graftFlood() throws {
        var bench = try Bench()
        bench.feed(.join(.chat))
        bench.connect([try peer(1)])
        bench.receive(pruning(.chat, backoff: 3600), from: try peer(1))
        var prunes = 0
        for _ in 0..<500 {
            prunes += try bench.receive(grafting(.chat), from: try peer(1)).rpcs(to: try peer(1)).flatMap(\.prune).count
        }
        #expect(prunes == Limits.gossipPrunesPerHeartbeat)
    }

    @Test("The mesh grows to six at a heartbeat, is left alone between five and twelve, and is pruned to six above")
    func degrees() throws {
        var bench = try Bench()
        bench.feed(.join(.chat))
        bench.connect(try (1...4).map { try peer($0) })
        bench.advance(.seconds(1))
        #expect(bench.router.mesh(of: .chat).count == 4)
        bench.connect(try (5...20).map { try peer($0) })
        bench.advance(.seconds(1))
        #expect(bench.router.mesh(of: .chat).count == 6)
        for number in 1...20 { bench.receive(grafting(.chat), from: try peer(number)) }
        #expect(bench.router.mesh(of: .chat).count == 12)
        bench.advance(.seconds(1))
        #expect(bench.router.mesh(of: .chat).count == 12)
        bench.connect([try peer(21)], dialed: true)
        bench.receive(grafting(.chat), from: try peer(21))
        #expect(bench.router.mesh(of: .chat).count == 13)
        let outputs = bench.advance(.seconds(1))
        #expect(bench.router.mesh(of: .chat).count == 6 && outputs.pruned.count == 7)
        // The one we dialed is among those that are kept, and who is pruned stays out for a minute.
        #expect(bench.router.mesh(of: .chat).contains(try peer(21)))
        for peer in outputs.pruned {
            #expect(try outputs.rpcs(to: peer).flatMap(\.prune) == [RPC.Prune(topic: .chat, backoff: 60)])
        }
    }

    @Test("Two peers that we dialed are grafted into a mesh that others chose")
    func outboundQuota() throws {
        var bench = try Bench()
        bench.feed(.join(.chat))
        for number in 1...8 {
            bench.connect([try peer(number)])
            bench.receive(grafting(.chat), from: try peer(number))
        }
        bench.connect([try peer(11), try peer(12), try peer(13)], dialed: true)
        let grafted = bench.advance(.seconds(1)).grafted
        #expect(try grafted.count == 2 && Set(grafted).isSubset(of: [try peer(11), try peer(12), try peer(13)]))
        #expect(bench.advance(.seconds(5)).grafted.isEmpty)
    }

    @Test("A peer that leaves the topic leaves the mesh")
    func unsubscribe() throws {
        var bench = try Bench()
        bench.feed(.join(.chat))
        bench.connect([try peer(1)])
        bench.advance(.seconds(1))
        let outputs = bench.receive(subscribing(.chat, to: false), from: try peer(1))
        #expect(outputs.pruned == [try peer(1)] && bench.router.mesh(of: .chat).isEmpty)
        #expect(bench.router.peers(in: .chat).isEmpty)
    }

    @Test("Heartbeats keep their beat: the first after 100 ms, then every second, once after a long sleep")
    func beat() throws {
        var bench = try Bench()
        #expect(bench.router.deadline == .distantFuture)
        let start = bench.now
        bench.feed(.join(.chat))
        #expect(bench.router.deadline == start + .milliseconds(100))
        bench.advance(.milliseconds(100))
        #expect(bench.router.deadline == start + .milliseconds(1100))
        bench.advance(.seconds(10))
        #expect(bench.router.statistics.heartbeats == 11)
        bench.now = bench.now + .hours(9)
        bench.feed(.tick)
        #expect(bench.router.statistics.heartbeats == 12 && bench.router.deadline > bench.now)
    }
}
