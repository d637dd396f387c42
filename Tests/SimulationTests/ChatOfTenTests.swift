import NIOCore
import Node
import Simulator
import Testing
import Wire

/// Whole nodes on a virtual network: a chat of ten, in virtual time.
@Suite struct ChatOfTenTests {
    private static let room = "universal-connectivity"

    /// Ten nodes in a ring with a few chords, all in the room, settled for five virtual seconds.
    private static func ring(seed: UInt64, conditions: LinkConditions = LinkConditions()) throws -> Simulator {
        let network = Simulator(seed: seed, conditions: conditions)
        for _ in 1...10 { _ = try network.addNode() }
        for node in 1...10 {
            network.give(.join(topic: room), to: node)
            let next = node % 10 + 1
            network.give(.connect(try network.fullAddress(of: next)), to: node)
        }
        network.give(.connect(try network.fullAddress(of: 6)), to: 1)
        network.run(for: .seconds(5))
        return network
    }

    @Test func everyLineReachesEveryOtherNodeOnceAndInOrder() throws {
        let network = try Self.ring(seed: 7)
        for line in 0..<50 {
            let author = line % 10 + 1
            network.give(.publish(topic: Self.room, ByteBuffer(string: "line \(line)")), to: author)
            network.run(for: .milliseconds(50))
        }
        network.run(for: .seconds(5))
        for node in 1...10 {
            let heard = network.messages(at: node)
            for author in 1...10 where author != node {
                let lines = heard.filter { $0.author == network.peerID(of: author) }
                    .map { String(decoding: $0.data, as: UTF8.self) }
                let sent = (0..<50).filter { $0 % 10 + 1 == author }.map { "line \($0)" }
                #expect(lines == sent, "node \(node) from \(author)")
            }
        }
    }

    @Test(arguments: [1, 2, 3])
    func aSeedGivesTheSameTraceEveryTimeAndAnotherSeedAnother(seed: UInt64) throws {
        func trace(_ seed: UInt64) throws -> TraceHash {
            let network = try Self.ring(seed: seed, conditions: LinkConditions(jitter: .milliseconds(10)))
            for node in 1...10 {
                network.give(.publish(topic: Self.room, ByteBuffer(string: "from \(node)")), to: node)
            }
            network.run(for: .seconds(20))
            return network.trace
        }
        #expect(try trace(seed) == trace(seed))
        #expect(try trace(seed) != trace(seed + 100))
    }

    @Test func aPartitionHoldsLinesBackAndHealingDeliversThemOnce() throws {
        let network = try Self.ring(seed: 11)
        network.partition([[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]])
        network.give(.publish(topic: Self.room, ByteBuffer(string: "left")), to: 1)
        network.give(.publish(topic: Self.room, ByteBuffer(string: "right")), to: 8)
        network.run(for: .seconds(5))
        #expect(!network.texts(at: 7).contains("left"))
        #expect(!network.texts(at: 3).contains("right"))
        network.heal()
        network.run(for: .seconds(10))
        for node in 1...10 {
            #expect(network.texts(at: node).count { $0 == "left" } == (node == 1 ? 0 : 1), "node \(node)")
            #expect(network.texts(at: node).count { $0 == "right" } == (node == 8 ? 0 : 1), "node \(node)")
        }
    }

    @Test func twoEqualTextsAreTwoMessages() throws {
        let network = try Self.ring(seed: 12)
        for _ in 1...2 { network.give(.publish(topic: Self.room, ByteBuffer(string: "hi")), to: 4) }
        network.run(for: .seconds(2))
        for node in 1...10 where node != 4 { #expect(network.texts(at: node) == ["hi", "hi"]) }
    }

    @Test func aSlowNarrowNetworkStillDeliversLargeMessages() throws {
        let conditions = LinkConditions(latency: .milliseconds(200), jitter: .milliseconds(50), bandwidth: 250_000)
        let network = try Self.ring(seed: 13, conditions: conditions)
        network.run(for: .seconds(10))
        let large = String(repeating: "x", count: 60_000)
        network.give(.publish(topic: Self.room, ByteBuffer(string: large)), to: 2)
        network.run(for: .seconds(30))
        for node in 1...10 where node != 2 { #expect(network.texts(at: node) == [large], "node \(node)") }
    }

    @Test func aPeerThatDoesNotKeepUpLosesWhatWaitsAndThenHearsAgain() throws {
        let network = Simulator(seed: 15)
        for _ in 1...2 { network.give(.join(topic: Self.room), to: try network.addNode()) }
        network.give(.connect(try network.fullAddress(of: 1)), to: 2)
        network.run(for: .seconds(5))
        network.partition([[1], [2]])
        let large = ByteBuffer(repeating: UInt8(ascii: "x"), count: 60_000)
        for _ in 1...100 {
            network.give(.publish(topic: Self.room, large), to: 1)
            network.run(for: .milliseconds(10))
        }
        network.heal()
        network.run(for: .seconds(10))
        #expect(network.messages(at: 2).count < 100)
        network.give(.publish(topic: Self.room, ByteBuffer(string: "after")), to: 1)
        network.give(.publish(topic: Self.room, ByteBuffer(string: "back")), to: 2)
        network.run(for: .seconds(5))
        #expect(network.texts(at: 2).last == "after")
        #expect(network.texts(at: 1) == ["back"])
    }

    @Test func everybodyLeavesInGoodOrder() throws {
        let network = try Self.ring(seed: 14)
        let requests = (1...10).map { network.give(.shutdown, to: $0) }
        network.run(for: .seconds(3))
        for request in requests { #expect(throws: Never.self) { try network.responses[request]?.get() } }
        for node in 1...10 {
            #expect(network.core(node).snapshot(now: network.now).connections.isEmpty)
            #expect(network.core(node).deadline == .distantFuture, "node \(node) still waits for something")
        }
    }
}
