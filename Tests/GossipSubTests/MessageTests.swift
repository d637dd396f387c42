import NIOCore
import Testing
import Wire

@testable import GossipSub

@Suite("Received messages: judged, delivered once, forwarded")
struct MessageTests {
    private func bench(_ peers: Int...) throws -> Bench {
        var bench = try Bench()
        bench.feed(.join(.chat))
        bench.connect(try peers.map { try peer($0) })
        bench.advance(.seconds(1))
        return bench
    }

    @Test("A message is delivered and forwarded to the mesh, not to its source and not to its author")
    func forwarding() throws {
        var bench = try bench(1, 2, 3, 4)
        let author = try identity(2)
        let wire = signed("hello", 7, by: author)
        let outputs = bench.receive(publishing(wire), from: try peer(1))
        let message = try #require(outputs.messages.first)
        #expect(message.id == MessageID(from: author.peerID, sequenceNumber: 7))
        #expect(try message.from == author.peerID && message.receivedFrom == (try peer(1)))
        #expect(message.topic == .chat && message.sequenceNumber == 7 && message.data.text == "hello")
        #expect(Set(outputs.sentTo) == [try peer(3), try peer(4)])
        // The very bytes that came are sent on.
        for target in [3, 4] { #expect(outputs.frames(to: try peer(target)) == [publishing(wire)]) }
    }

    @Test("Equal texts are two messages; the same message is one, from whomever it comes")
    func equalTexts() throws {
        var bench = try bench(1, 2)
        let author = try identity(9)
        let first = signed("hi", 1, by: author)
        let second = signed("hi", 2, by: author)
        let third = signed("hi", 1, by: try identity(8))
        #expect(bench.receive(publishing(first, second, first), from: try peer(1)).texts == ["hi", "hi"])
        #expect(bench.receive(publishing(third), from: try peer(1)).texts == ["hi"])
        let again = bench.receive(publishing(first, second, third), from: try peer(2))
        #expect(again.messages.isEmpty)
        #expect(again.traces.filter { if case .duplicate = $0 { true } else { false } }.count == 3)
        #expect(again.sentTo.isEmpty)
    }

    @Test("A replay within the seen time is not delivered, and does not renew that time")
    func replay() throws {
        var bench = try bench(1)
        let wire = publishing(signed("once", 1, by: try identity(9)))
        #expect(bench.receive(wire, from: try peer(1)).texts == ["once"])
        for _ in 0..<11 {
            bench.advance(.seconds(31))
            #expect(bench.receive(wire, from: try peer(1)).messages.isEmpty)
        }
        bench.advance(.seconds(21))
        #expect(bench.router.statistics.seen == 0)
    }

    @Test("Our own message coming back is dropped silently")
    func own() throws {
        var bench = try bench(1)
        let outputs = bench.receive(publishing(signed("me", 1, by: bench.me)), from: try peer(1))
        #expect(outputs.traces == [.own(from: try peer(1))])
        #expect(outputs.count == 1)
    }

    @Test("A message of a topic we are not in is dropped before its signature is looked at")
    func foreignTopic() throws {
        var bench = try bench(1)
        let outputs = bench.receive(publishing(signed("x", 1, by: try identity(9), topic: "other")), from: try peer(1))
        #expect(outputs.traces == [.notJoined(from: try peer(1))])
    }

    /// A message with fields as given; nil leaves a field out.
    private func message(
        from: [UInt8]?, data: String? = "x", number: [UInt8]?, topic: [UInt8]? = Array("universal-connectivity".utf8),
        signer: KeyPair?, key: ByteBuffer? = nil
    ) -> ByteBuffer {
        var body = ByteBuffer()
        if let from { body.writeProtobuf(field: 1, bytes: from) }
        if let data { body.writeProtobuf(field: 2, string: data) }
        if let number { body.writeProtobuf(field: 3, bytes: number) }
        if let topic { body.writeProtobuf(field: 4, bytes: topic) }
        if let signer {
            let prefix = Array("libp2p-pubsub:".utf8)
            let signature = signer.signature(of: prefix + Array(body.readableBytesView))
            body.writeProtobuf(field: 5, bytes: signature)
        }
        if let key { body.writeProtobuf(field: 6, bytes: key) }
        return body
    }

    @Test("Everything StrictSign forbids has its typed reason and ends nothing else")
    func rejections() throws {
        let author = try identity(9)
        let other = try identity(8)
        let from = author.peerID.bytes
        let number: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 5]
        let hashed = [0x12, 0x20] + [UInt8](repeating: 3, count: 32)
        let table: [(ByteBuffer, MessageRejection)] = [
            (message(from: nil, number: number, signer: author), .missingFrom),
            (message(from: [], number: number, signer: author), .invalidFrom),
            (message(from: [1, 2, 3], number: number, signer: author), .invalidFrom),
            (message(from: from, number: nil, signer: author), .missingSequenceNumber),
            (message(from: from, number: [], signer: author), .invalidSequenceNumber),
            (message(from: from, number: [1, 2, 3, 4, 5, 6, 7], signer: author), .invalidSequenceNumber),
            (message(from: from, number: number + [0], signer: author), .invalidSequenceNumber),
            (message(from: from, number: number, signer: nil), .missingSignature),
            (message(from: from, number: number, signer: other), .invalidSignature),
            (message(from: from, number: number, topic: nil, signer: author), .missingTopic),
            (message(from: from, number: number, topic: [], signer: author), .invalidTopic),
            (message(from: from, number: number, topic: [0xFF], signer: author), .invalidTopic),
            (message(from: hashed, number: number, signer: author), .missingKey),
            (message(from: from, number: number, signer: author, key: ByteBuffer(bytes: [1])), .invalidKey(.malformed)),
            (
                message(from: from, number: number, signer: other, key: other.publicKey.protobuf), .keyMismatch
            ),
        ]
        for (wire, reason) in table {
            var bench = try bench(1, 2)
            let outputs = bench.receive(publishing(wire), from: try peer(1))
            #expect(outputs.rejections == [reason])
            #expect(outputs.count == 1, "\(reason) had other effects")
            // And a genuine one with the same author and number still comes through.
            let genuine = message(from: from, number: number, signer: author)
            #expect(bench.receive(publishing(genuine), from: try peer(1)).texts == ["x"])
        }
    }

    @Test("Fields out of order, twice or unknown verify by what they mean, and are forwarded in order")
    func nonCanonical() throws {
        let author = try identity(9)
        let canonical = signed("odd", 3, by: author)
        var reader = ProtobufReader(canonical)
        var fields: [(Int, ByteBuffer)] = []
        while let field = try reader.next() { fields.append((field.number, try field.bytes)) }
        var shuffled = ByteBuffer()
        shuffled.writeProtobuf(field: 99, varint: 5)
        for (number, value) in fields.reversed() { shuffled.writeProtobuf(field: number, bytes: value) }
        var bench = try bench(1, 2)
        let outputs = bench.receive(publishing(shuffled), from: try peer(1))
        #expect(outputs.texts == ["odd"])
        #expect(outputs.frames(to: try peer(2)) == [publishing(canonical)])
    }

    @Test("Absent data is genuine when signed so, and stays absent on the way")
    func absentData() throws {
        let author = try identity(9)
        let number: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 5]
        let wire = message(from: author.peerID.bytes, data: nil, number: number, signer: author)
        var bench = try bench(1, 2)
        let outputs = bench.receive(publishing(wire), from: try peer(1))
        #expect(outputs.texts == [""])
        #expect(outputs.frames(to: try peer(2)) == [publishing(wire)])
    }

    @Test("A small message out of a large chunk does not keep the chunk")
    func settling() throws {
        var bench = try bench(1)
        var chunk = ByteBuffer()
        var large = publishing(signed(ByteBuffer(repeating: 1, count: 900_000), 1, by: try identity(9)))
        var small = publishing(signed("small", 2, by: try identity(9)))
        chunk.writeBuffer(&large)
        chunk.writeBuffer(&small)
        let messages = bench.receive(chunk, from: try peer(1)).messages
        #expect(messages.count == 2)
        #expect(try #require(messages.last).data.storageCapacity < 4096)
    }

    @Test("After a hundred invalid messages in a heartbeat the rest is not even checked")
    func invalidFlood() throws {
        var bench = try bench(1, 2)
        let forged = message(
            from: try peer(9).bytes, number: [0, 0, 0, 0, 0, 0, 0, 5], signer: try identity(8))
        for _ in 0..<Limits.gossipInvalidPerHeartbeat {
            #expect(bench.receive(publishing(forged), from: try peer(1)).rejections == [.invalidSignature])
        }
        let genuine = publishing(signed("true", 1, by: try identity(9)))
        #expect(bench.receive(genuine, from: try peer(1)).rejections == [.unchecked])
        #expect(bench.receive(genuine, from: try peer(2)).texts == ["true"])
        bench.advance(.seconds(1))
        #expect(
            bench.receive(publishing(signed("later", 2, by: try identity(9))), from: try peer(1)).texts == ["later"])
    }

    @Test("A floodsub peer gets everything and is never told of meshes")
    func floodsub() throws {
        var bench = try bench(1, 2)
        bench.connect([try peer(5)], version: .floodsub)
        bench.advance(.seconds(3))
        let wire = publishing(signed("all", 1, by: try identity(9)))
        let outputs = bench.receive(wire, from: try peer(1))
        #expect(outputs.frames(to: try peer(5)) == [wire])
        bench.receive(grafting(.chat), from: try peer(5))
        bench.feed(.leave(.chat))
        for rpc in try bench.log.rpcs(to: try peer(5)) {
            #expect(rpc.graft.isEmpty && rpc.prune.isEmpty && rpc.ihave.isEmpty && rpc.iwant.isEmpty)
        }
    }
}
