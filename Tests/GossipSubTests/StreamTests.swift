import NIOCore
import Testing
import Wire

@testable import GossipSub

@Suite("Peers and their streams: hello, framing, resets, disconnects")
struct StreamTests {
    @Test("The first RPC is the whole list of our topics, and nothing when there are none")
    func hello() throws {
        var bench = try Bench()
        #expect(bench.feed(.peerConnected(try peer(1), version: .v11, dialed: true, dialect: .fromSequence)).isEmpty)
        bench.feed(.join(.chat))
        bench.feed(.join("b"))
        let outputs = bench.feed(.peerConnected(try peer(2), version: .v11, dialed: true, dialect: .fromSequence))
        let rpc = try #require(try outputs.rpcs(to: try peer(2)).first)
        #expect(rpc.subscriptions.map(\.topic) == [.chat, "b"] && rpc.subscriptions.allSatisfy(\.isSubscribed))
        #expect(try bench.router.knows(try peer(2)) && !bench.router.knows(try peer(3)))
    }

    @Test("A GRAFT that comes before our stream is ready counts when it is, unless it was taken back")
    func earlyGraft() throws {
        for isTakenBack in [false, true] {
            var bench = try Bench()
            bench.feed(.join(.chat))
            bench.receive(subscribing(.chat), from: try peer(1))
            bench.receive(grafting(.chat, "other"), from: try peer(1))
            if isTakenBack { bench.receive(pruning(.chat, backoff: 60), from: try peer(1)) }
            let it = try peer(1)
            let outputs = bench.feed(.peerConnected(it, version: .v11, dialed: false, dialect: .fromSequence))
            #expect(outputs.grafted == (isTakenBack ? [] : [it]))
        }
    }

    @Test("Nothing is sent to a peer before it is connected, though it is listened to")
    func inboundFirst() throws {
        var bench = try Bench()
        bench.feed(.join(.chat))
        bench.receive(subscribing(.chat), from: try peer(1))
        #expect(try bench.router.peers(in: .chat) == [try peer(1)] && !bench.router.knows(try peer(1)))
        bench.feed(.publish(.chat, ByteBuffer(string: "x"), request: 1))
        bench.advance(.seconds(3))
        #expect(bench.log.sentTo.isEmpty && bench.router.mesh(of: .chat).isEmpty)
        let outputs = bench.feed(.peerConnected(try peer(1), version: .v11, dialed: false, dialect: .fromSequence))
        #expect(try outputs.rpcs(to: try peer(1)).map(\.subscriptions.count) == [1])
        bench.advance(.seconds(1))
        #expect(bench.router.mesh(of: .chat) == [try peer(1)])
    }

    /// A conversation with every kind of entry in it.
    private func conversation() throws -> ByteBuffer {
        var all = subscribing(.chat, "other")
        let author = try identity(9)
        let parts = [
            ByteBuffer(bytes: [0]), grafting(.chat), publishing(signed("one", 1, by: author)),
            publishing(signed("two", 2, by: author), signed("three", 3, by: author)),
            offering(.chat, [MessageID(from: author.peerID, sequenceNumber: 99)]),
            pruning(.chat, backoff: 60), subscribing("other", to: false),
        ]
        for part in parts { all.writeImmutableBuffer(part) }
        return all
    }

    /// Everything but sends, whose grouping follows the chunks.
    private func events(_ outputs: [RouterOutput]) -> [String] {
        outputs.compactMap { output in
            if case .send = output { return nil }
            return "\(output)"
        }
    }

    @Test("Byte by byte, whole, or in any pieces: the same events")
    func splitAndCoalesce() throws {
        let wire = try conversation()
        var runs: [[String]] = []
        for size in [1, 2, 3, 7, 50, wire.readableBytes] {
            var bench = try Bench()
            bench.feed(.join(.chat))
            bench.feed(.peerConnected(try peer(1), version: .v11, dialed: false, dialect: .fromSequence))
            var rest = wire
            var outputs: [RouterOutput] = []
            while rest.readableBytes > 0 {
                let piece = rest.readSlice(length: min(size, rest.readableBytes)) ?? ByteBuffer()
                outputs += bench.receive(piece, from: try peer(1))
            }
            #expect(outputs.texts == ["one", "two", "three"])
            #expect(bench.router.statistics.inboxBytes == 0)
            runs.append(events(outputs))
        }
        for run in runs { #expect(run == runs[0]) }
    }

    @Test("What one chunk causes for a peer leaves in one RPC")
    func coalescing() throws {
        var bench = try Bench()
        bench.feed(.join(.chat))
        bench.connect([try peer(1), try peer(2)])
        bench.advance(.seconds(1))
        var chunk = ByteBuffer()
        for number in 0..<20 {
            chunk.writeImmutableBuffer(publishing(signed("\(number)", UInt64(number), by: try identity(9))))
        }
        let outputs = bench.receive(chunk, from: try peer(1))
        #expect(outputs.messages.count == 20)
        #expect(try outputs.rpcs(to: try peer(2)).map(\.messages.count) == [20])
    }

    @Test(
        "Bytes that make no sense break the stream once, with their reason, and the peer stays",
        arguments: [
            ("8000", GossipError.framing(.varint(.nonMinimal))),
            ("ffffffffffffffffff01", .framing(.varint(.overflow))),
            ("818040", .framing(.tooLong((1 << 20) + 1, limit: 1 << 20))),
            ("ffffffffffffffff7f", .framing(.tooLong(UInt64(Int64.max), limit: 1 << 20))),
            ("020a05", .rpc(.truncated)),
            ("010b", .rpc(.unsupportedWireType(3))),
        ])
    func broken(_ hex: String, _ error: GossipError) throws {
        var bench = try Bench()
        bench.feed(.join(.chat))
        bench.connect([try peer(1)])
        #expect(bench.receive(bytes(hex: hex), from: try peer(1)).misbehaviour == [error])
        let wire = publishing(signed("x", 1, by: try identity(9)))
        #expect(bench.receive(wire, from: try peer(1)).isEmpty)
        #expect(bench.router.statistics.inboxBytes == 0)
        #expect(try bench.router.knows(try peer(1)) && bench.router.peers(in: .chat) == [try peer(1)])
        bench.feed(.inboundClosed(try peer(1)))
        #expect(bench.receive(wire, from: try peer(1)).texts == ["x"])
    }

    @Test("What stood before the broken frame counts; of the broken frame nothing does")
    func brokenBehindGood() throws {
        var bench = try Bench()
        bench.feed(.join(.chat))
        bench.connect([try peer(1)])
        var chunk = publishing(signed("good", 1, by: try identity(9)))
        var body = ByteBuffer()
        body.writeProtobuf(field: 2, bytes: signed("half", 2, by: try identity(9)))
        body.writeBytes([0x0A, 0x05])
        chunk.writeImmutableBuffer(frame(body: body))
        let outputs = bench.receive(chunk, from: try peer(1))
        #expect(outputs.texts == ["good"] && outputs.misbehaviour == [.rpc(.truncated)])
    }

    @Test("A disconnected peer leaves topics and meshes; a new stream of the inbound side starts clean")
    func disconnect() throws {
        var bench = try Bench()
        bench.feed(.join(.chat))
        bench.connect([try peer(1)])
        bench.advance(.seconds(1))
        #expect(bench.router.mesh(of: .chat) == [try peer(1)])
        bench.receive(ByteBuffer(bytes: [50, 1, 2]), from: try peer(1))
        let outputs = bench.feed(.peerDisconnected(try peer(1)))
        #expect(outputs.pruned == [try peer(1)])
        #expect(bench.router.peers(in: .chat).isEmpty && bench.router.mesh(of: .chat).isEmpty)
        #expect(bench.router.statistics.peers == 0 && bench.router.statistics.inboxBytes == 0)
        #expect(bench.feed(.peerDisconnected(try peer(1))).isEmpty)
        bench.receive(ByteBuffer(bytes: [50, 1, 2]), from: try peer(1))
        bench.feed(.inboundClosed(try peer(1)))
        #expect(bench.router.statistics.peers == 0)
    }

    @Test("A second outbound stream gets the hello again and finds the peer out of the mesh")
    func reconnect() throws {
        var bench = try Bench()
        bench.feed(.join(.chat))
        bench.connect([try peer(1)])
        bench.advance(.seconds(1))
        let outputs = bench.feed(.peerConnected(try peer(1), version: .v11, dialed: false, dialect: .fromSequence))
        #expect(try outputs.rpcs(to: try peer(1)).map(\.subscriptions.count) == [1])
        #expect(try outputs.pruned == [try peer(1)] && bench.router.peers(in: .chat) == [try peer(1)])
        #expect(bench.advance(.seconds(1)).grafted == [try peer(1)])
    }

    @Test("We are no peer of ourselves")
    func ourselves() throws {
        var bench = try Bench()
        bench.feed(.join(.chat))
        let me = bench.me.peerID
        #expect(bench.feed(.peerConnected(me, version: .v11, dialed: true, dialect: .fromSequence)).isEmpty)
        #expect(!bench.router.knows(me))
    }
}
