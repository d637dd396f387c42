import NIOCore
import Testing
import Wire

@testable import GossipSub

@Suite("IHAVE and IWANT, in every dialect")
struct GossipTests {
    /// Us in the chat, with peers that stay outside our mesh.
    private func bench(outside: [Int], dialect: MessageIDDialect = .fromSequence) throws -> Bench {
        var bench = try Bench()
        bench.feed(.join(.chat))
        bench.connect(try outside.map { try peer($0) }, dialect: dialect)
        for number in outside { bench.receive(pruning(.chat, backoff: 3600), from: try peer(number)) }
        bench.advance(.milliseconds(100))
        return bench
    }

    @Test("News are asked for, what was seen is not, and topics of others are ignored")
    func offered() throws {
        var bench = try bench(outside: [1])
        let author = try identity(9)
        bench.receive(publishing(signed("x", 1, by: author)), from: try peer(1))
        let ids = (1...3).map { MessageID(from: author.peerID, sequenceNumber: $0) }
        let outputs = bench.receive(offering(.chat, ids), from: try peer(1))
        #expect(try outputs.rpcs(to: try peer(1)).flatMap(\.iwant).map(\.hex) == ids[1...].map(\.description))
        #expect(bench.receive(offering("other", ids), from: try peer(1)).sentTo.isEmpty)
        #expect(bench.receive(offering(.chat, [ids[0]]), from: try peer(1)).sentTo.isEmpty)
    }

    @Test("At most ten IHAVE and 5000 ids of a peer are looked at per heartbeat")
    func offerFlood() throws {
        var bench = try bench(outside: [1, 2])
        func id(_ number: Int) -> MessageID { MessageID(bytes: "id number \(number)".utf8) }
        var asked = 0
        var ignored = 0
        for number in 0..<50 {
            let outputs = bench.receive(offering(.chat, [id(number)]), from: try peer(1))
            asked += try outputs.rpcs(to: try peer(1)).flatMap(\.iwant).count
            ignored += outputs.traces.filter { $0 == .gossipIgnored(peer1()) }.count
        }
        #expect(asked == Limits.gossipIHavesPerHeartbeat && ignored == 40)

        func peer1() -> PeerID { (try? peer(1)) ?? bench.me.peerID }
        var many = ByteBuffer()
        many.writeProtobuf(field: 1, string: Topic.chat.name)
        for number in 0..<6000 { many.writeProtobuf(field: 2, bytes: id(number).bytes) }
        var control = ByteBuffer()
        control.writeProtobuf(field: 1, bytes: many)
        var body = ByteBuffer()
        body.writeProtobuf(field: 3, bytes: control)
        let flood = frame(body: body)
        let first = try bench.receive(flood, from: try peer(2)).rpcs(to: try peer(2)).flatMap(\.iwant).count
        let second = try bench.receive(flood, from: try peer(2)).rpcs(to: try peer(2)).flatMap(\.iwant).count
        #expect(first == 5000 && second == 0)
        bench.advance(.seconds(1))
        #expect(try bench.receive(offering(.chat, [id(0)]), from: try peer(1)).rpcs(to: try peer(1)).count == 1)
    }

    @Test("A message is sent at most three times to a peer that asks for it, once per RPC, and for five heartbeats")
    func answered() throws {
        var bench = try bench(outside: [1, 2])
        bench.feed(.publish(.chat, ByteBuffer(string: "x"), request: 1))
        let id = MessageID(from: bench.me.peerID, sequenceNumber: 1_763_701_505_000_000_000)
        let unknown = MessageID(from: bench.me.peerID, sequenceNumber: 5)
        for turn in 1...5 {
            let outputs = bench.receive(asking([id, unknown, id]), from: try peer(1))
            #expect(try outputs.rpcs(to: try peer(1)).flatMap(\.messages).count == (turn <= 3 ? 1 : 0))
        }
        bench.advance(.seconds(4))
        #expect(bench.receive(asking([id]), from: try peer(2)).sentTo == [try peer(2)])
        bench.advance(.seconds(1))
        #expect(bench.receive(asking([id]), from: try peer(2)).sentTo.isEmpty)
    }

    @Test("Answers to IWANT keep to a budget of bytes per heartbeat")
    func answerBudget() throws {
        var bench = try bench(outside: [1])
        let author = try identity(9)
        var ids: [MessageID] = []
        for number in 1...60 as ClosedRange<UInt64> {
            let wire = signed(ByteBuffer(repeating: 1, count: 60_000), number, by: author)
            bench.receive(publishing(wire), from: try peer(2))
            ids.append(MessageID(from: author.peerID, sequenceNumber: number))
        }
        let outputs = bench.receive(asking(ids), from: try peer(1))
        let sent = outputs.frames(to: try peer(1)).reduce(0) { $0 + $1.readableBytes }
        #expect(sent > Limits.gossipAnswerBytesPerHeartbeat - 70_000)
        #expect(sent < Limits.gossipAnswerBytesPerHeartbeat + 10_000)
        #expect(outputs.traces.contains(.gossipIgnored(try peer(1))))
        #expect(bench.receive(asking(ids), from: try peer(1)).sentTo.isEmpty)
        bench.advance(.seconds(1))
        #expect(!bench.receive(asking(ids), from: try peer(1)).sentTo.isEmpty)
    }

    @Test(
        "IHAVE goes to peers outside the mesh for three heartbeats, in their dialect",
        arguments: MessageIDDialect.allCases)
    func advertised(_ dialect: MessageIDDialect) throws {
        var bench = try bench(outside: [1], dialect: dialect)
        bench.connect([try peer(2)])
        bench.advance(.seconds(1))
        #expect(bench.router.mesh(of: .chat) == [try peer(2)])
        let author = try identity(9)
        let data = ByteBuffer(string: "x")
        bench.receive(publishing(signed(data, 77, by: author)), from: try peer(2))
        let id = dialect.id(from: author.peerID, sequenceNumber: 77, data: data)
        for beat in 1...5 {
            let outputs = bench.advance(.seconds(1))
            let offers = try outputs.rpcs(to: try peer(1)).flatMap(\.ihave)
            #expect(offers.flatMap(\.ids).map(\.hex) == (beat <= 3 ? [id.description] : []), "beat \(beat)")
            #expect(try outputs.rpcs(to: try peer(2)).flatMap(\.ihave).isEmpty)
        }
    }

    @Test("IWANT is answered and IHAVE recognised in every dialect, whoever asks", arguments: MessageIDDialect.allCases)
    func anyDialect(_ dialect: MessageIDDialect) throws {
        // Nobody of the dialect is here before: the first id that comes switches it on, for what is cached already.
        var bench = try bench(outside: [1])
        let author = try identity(9)
        let data = ByteBuffer(string: "some text")
        bench.receive(publishing(signed(data, 123, by: author)), from: try peer(2))
        let id = dialect.id(from: author.peerID, sequenceNumber: 123, data: data)
        let rpcs = try bench.receive(asking([id]), from: try peer(1)).rpcs(to: try peer(1))
        #expect(rpcs.flatMap(\.messages).map(\.data) == [data])
        #expect(bench.receive(offering(.chat, [id]), from: try peer(1)).sentTo.isEmpty)
        // Long after the cache forgot it, an offer is still no news for what came since.
        bench.receive(publishing(signed("later", 124, by: author)), from: try peer(2))
        bench.advance(.seconds(20))
        let later = dialect.id(from: author.peerID, sequenceNumber: 124, data: ByteBuffer(string: "later"))
        #expect(bench.receive(offering(.chat, [later]), from: try peer(1)).sentTo.isEmpty)
        #expect(bench.receive(asking([later]), from: try peer(1)).sentTo.isEmpty)
    }

    @Test("The agent switches a peer to its dialect afterwards")
    func agent() throws {
        var bench = try bench(outside: [1])
        bench.feed(.publish(.chat, ByteBuffer(string: "x"), request: 1))
        bench.feed(.peerAgent(try peer(1), agent: "js-libp2p/2.8.3"))
        let id = MessageIDDialect.sha256OfSequence.id(
            from: bench.me.peerID, sequenceNumber: 1_763_701_505_000_000_000, data: ByteBuffer())
        let offers = try bench.advance(.seconds(1)).rpcs(to: try peer(1)).flatMap(\.ihave)
        #expect(offers.flatMap(\.ids).map(\.hex) == [id.description])
    }

    @Test("Costly ids are computed only when somebody speaks them")
    func lazyDialects() throws {
        var bench = try bench(outside: [1])
        bench.receive(publishing(signed("x", 1, by: try identity(9))), from: try peer(1))
        #expect(bench.router.dialects == DialectsInUse())
        bench.feed(.peerAgent(try peer(1), agent: "universal-connectivity/0.1.0"))
        #expect(bench.router.dialects.sipHashOfData && !bench.router.dialects.sha256OfSequence)
    }

    @Test("Two messages of equal text share rust-peer's id, and both are delivered all the same")
    func sharedForeignID() throws {
        var bench = try bench(outside: [1], dialect: .sipHashOfData)
        let first = publishing(signed("same", 1, by: try identity(9)))
        let second = publishing(signed("same", 2, by: try identity(9)))
        #expect(bench.receive(first, from: try peer(2)).texts == ["same"])
        #expect(bench.receive(second, from: try peer(2)).texts == ["same"])
    }
}
