import NIOCore
import Simulator
import Testing
import Wire

@testable import Node

/// DCUtR and signalling begin at the same moment, for the same two peers.
@Suite struct TwoWaysTests {
    /// Whom nobody can dial: then TCP comes late or not at all, and WebRTC first.
    @Test(
        "One direct connection remains, TCP where both stand, and every line arrives once and in order",
        arguments: [[], [2], [3], [2, 3]] as [Set<Int>], 1...3 as ClosedRange<UInt64>)
    func race(_ unreachable: Set<Int>, _ seed: UInt64) throws {
        let talk = try Conversation(
            seed: seed, prepare: { $0.unreachable = unreachable }, configure: { $0.probesPrivateAddresses = true })
        try talk.meet()
        talk.talk(for: .seconds(30))
        talk.network.run(for: .seconds(10))
        talk.expectAll("unreachable \(unreachable), seed \(seed)")
        let ways = talk.ends.map { talk.open(at: $0) }
        #expect(ways[0].count == 1 && ways[0] == ways[1], "\(ways)")
        #expect(ways[0] == ["tcp"] || ways[0] == ["webrtc"])
        for end in talk.ends {
            let paths = talk.paths(at: end)
            #expect(
                paths == ["relay → \(ways[0][0])"] || paths == ["relay → webrtc", "webrtc → tcp"], "\(paths)")
        }
    }

    /// The TCP connection goes dead without a word: back to the relay.
    @Test("A TCP connection that dies is replaced, and no line is lost", arguments: 1...2 as ClosedRange<UInt64>)
    func deadTCP(_ seed: UInt64) throws {
        let talk = try Conversation(
            seed: seed,
            configure: {
                $0.probesPrivateAddresses = true
                $0.seeksDirectPaths = false
            })
        try talk.meet()
        try #require(talk.talk(upTo: .seconds(30)) { talk.ends.allSatisfy { talk.open(at: $0) == ["tcp"] } })
        talk.talk(for: .seconds(5))
        talk.network.cutPipes(of: talk.listener)
        talk.talk(for: .seconds(90))
        talk.network.run(for: .seconds(20))
        talk.expectAll("seed \(seed)")
        #expect(talk.ends.allSatisfy { talk.open(at: $0).count == 1 })
    }
}
