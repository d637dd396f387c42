import NIOCore
import OrderedCollections
import Testing
import Wire

@testable import GossipSub

@Suite("Joining, leaving, publishing")
struct TopicTests {
    @Test("Joining tells everyone and grafts who is there, in one RPC")
    func join() throws {
        var bench = try Bench()
        bench.connect(try (1...9).map { try peer($0) })
        let outputs = bench.feed(.join(.chat))
        #expect(outputs.grafted.count == 6)
        for number in 1...9 {
            let rpcs = try outputs.rpcs(to: try peer(number))
            #expect(rpcs.count == 1 && rpcs[0].subscriptions.map(\.topic) == [.chat])
            #expect(rpcs[0].graft == (outputs.grafted.contains(try peer(number)) ? [.chat] : []))
        }
        #expect(bench.feed(.join(.chat)).isEmpty)
    }

    @Test("Leaving tells everyone and prunes the mesh for ten seconds; joining again waits for them")
    func leave() throws {
        var bench = try Bench()
        bench.connect([try peer(1), try peer(2)])
        bench.feed(.join(.chat))
        let outputs = bench.feed(.leave(.chat))
        for number in 1...2 {
            let rpc = try #require(try outputs.rpcs(to: try peer(number)).first)
            #expect(rpc.subscriptions == [RPC.Subscription(isSubscribed: false, topic: .chat)])
            #expect(rpc.prune == [RPC.Prune(topic: .chat, backoff: 10)])
        }
        #expect(bench.feed(.leave(.chat)).isEmpty)
        #expect(bench.feed(.join(.chat)).grafted.isEmpty)
        #expect(bench.advance(.seconds(10)).grafted.isEmpty)
        #expect(Set(bench.advance(.seconds(3)).grafted) == [try peer(1), try peer(2)])
    }

    @Test("Topics that cannot be named are refused, and topics end")
    func topicLimits() throws {
        var bench = try Bench()
        for topic in [Topic(""), Topic(String(repeating: "x", count: 257))] {
            #expect(bench.feed(.join(topic)).traces == [.joinIgnored(topic)])
            let outputs = bench.feed(.publish(topic, ByteBuffer(), request: 4))
            guard case .publishFailed(4, .invalidTopic)? = outputs.first else {
                Issue.record("published to \(topic)")
                continue
            }
        }
        for number in 0..<Limits.gossipTopicsJoined { bench.feed(.join(Topic("\(number)"))) }
        #expect(bench.feed(.join("more")).traces == [.joinIgnored("more")])
    }

    @Test("Names that look alike are different topics")
    func lookalikes() {
        let composed = Topic("caf\u{E9}")
        let decomposed = Topic("cafe\u{301}")
        #expect(composed != decomposed && composed.name == decomposed.name)
        #expect(Set([composed, decomposed]).count == 2)
    }

    @Test(
        "Topics of the network's machinery are reserved",
        arguments: [
            (Topic.chat, false), (.discovery, true), ("universal-connectivity-file", true), ("profile", false),
        ])
    func reserved(_ topic: Topic, _ isReserved: Bool) { #expect(topic.isReserved == isReserved) }

    @Test("Publishing reaches every subscriber before there is a mesh, with numbers that count up from the first")
    func floodPublish() throws {
        var bench = try Bench()
        bench.feed(.join(.chat))
        bench.connect(try (1...20).map { try peer($0) })
        for turn in 0..<2 as Range<UInt64> {
            let outputs = bench.feed(.publish(.chat, ByteBuffer(string: "hi"), request: turn))
            let id = MessageID(from: bench.me.peerID, sequenceNumber: 1_763_701_505_000_000_000 + turn)
            guard case .published(turn, id, 20)? = outputs.first else {
                Issue.record("\(outputs)")
                continue
            }
            #expect(outputs.messages.isEmpty)
            for number in 1...20 {
                let message = try #require(try outputs.rpcs(to: try peer(number)).first?.messages.first)
                try message.verify(from: bench.me.peerID)
            }
            // One frame for all of them.
            #expect(Set(outputs.compactMap { if case .send(let frame, _) = $0 { frame } else { nil } }).count == 1)
        }
    }

    @Test("With nobody there publishing succeeds, and who comes within three heartbeats gets it by gossip")
    func alone() throws {
        var bench = try Bench()
        bench.feed(.join(.chat))
        guard case .published(7, let id, 0)? = bench.feed(.publish(.chat, ByteBuffer(string: "x"), request: 7)).first
        else {
            Issue.record("not published")
            return
        }
        // Already in too many meshes to be in ours: peers in the mesh are not told by IHAVE.
        bench.connect([try peer(1)])
        bench.receive(pruning(.chat, backoff: 60), from: try peer(1))
        let outputs = bench.advance(.seconds(1))
        #expect(try outputs.rpcs(to: try peer(1)).flatMap(\.ihave).flatMap(\.ids).map(\.hex) == [id.description])
        #expect(try bench.receive(asking([id]), from: try peer(1)).rpcs(to: try peer(1)).first?.messages.count == 1)
    }

    @Test("Data up to the limit is published, a byte more is not")
    func publishLimit() throws {
        var bench = try Bench()
        bench.feed(.join(.chat))
        bench.connect([try peer(1)])
        let largest = ByteBuffer(repeating: 0, count: Limits.gossipPublished)
        let outputs = bench.feed(.publish(.chat, largest, request: 1))
        #expect(try #require(outputs.frames(to: try peer(1)).first).readableBytes <= Limits.gossipReceived)
        let refused = bench.feed(
            .publish(.chat, ByteBuffer(repeating: 0, count: Limits.gossipPublished + 1), request: 2))
        guard
            case .publishFailed(2, .tooLong(Limits.gossipPublished + 1, limit: Limits.gossipPublished))? = refused.first
        else {
            Issue.record("\(refused)")
            return
        }
        #expect(refused.count == 1)
    }

    @Test("Without flood publishing: the mesh in a joined topic; outside, the same few peers for a minute")
    func fanout() throws {
        var parameters = GossipParameters()
        parameters.floodPublish = false
        var bench = try Bench(parameters: parameters)
        bench.connect(try (1...10).map { try peer($0) })
        bench.connect([try peer(11)], version: .floodsub)
        let first = Set(bench.feed(.publish(.chat, ByteBuffer(string: "x"), request: 1)).sentTo)
        #expect(try first.count == 7 && first.contains(try peer(11)))
        bench.advance(.seconds(30))
        #expect(Set(bench.feed(.publish(.chat, ByteBuffer(string: "y"), request: 2)).sentTo) == first)
        bench.advance(.seconds(61))
        #expect(bench.router.fanout.topics.isEmpty)
        bench.feed(.publish(.chat, ByteBuffer(string: "z"), request: 3))
        let kept = Set(try #require(bench.router.fanout.topics[.chat]).peers)
        #expect(Set(bench.feed(.join(.chat)).grafted) == kept)
        let meshed = Set(bench.feed(.publish(.chat, ByteBuffer(string: "w"), request: 4)).sentTo)
        #expect(meshed == kept.union([try peer(11)]))
    }

    @Test("Fanout topics are bounded; the longest unused goes first")
    func fanoutLimit() throws {
        var parameters = GossipParameters()
        parameters.floodPublish = false
        var bench = try Bench(parameters: parameters)
        for number in 0...Limits.gossipFanoutTopics {
            bench.feed(.publish(Topic("\(number)"), ByteBuffer(), request: 0))
        }
        #expect(bench.router.fanout.topics.count == Limits.gossipFanoutTopics)
        #expect(bench.router.fanout.topics["0"] == nil)
    }
}
