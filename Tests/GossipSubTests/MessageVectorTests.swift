import NIOCore
import Testing
import Wire

@testable import GossipSub

@Suite("Signed messages and ids, vectors of gossipsub_messages.json")
struct MessageVectorTests {
    @Test("Every good message is written, read and verified; every id of every dialect is right")
    func good() throws {
        var count = 0
        for vector in try vectors("gossipsub_messages") {
            let name = try #require(vector["name"] as? String)
            let input = try #require(vector["input"] as? [String: Any])
            let output = try #require(vector["output"] as? [String: Any])
            guard output["ok"] as? Bool == true else { continue }
            count += 1
            let seed = bytes(hex: try #require(input["seed_hex"] as? String))
            let author = try KeyPair(seed: Array(seed.readableBytesView))
            let topic = Topic(try #require(input["topic"] as? String))
            let data = bytes(hex: try #require(input["data_hex"] as? String))
            let sequenceNumber = try #require((input["seqno"] as? String).flatMap { UInt64($0) })

            let ours = WireMessage(
                from: author.peerID, data: data, sequenceNumber: sequenceNumber, topic: topic, signedBy: author)
            #expect(ours.signedBytes.hex == output["signed_bytes_hex"] as? String, "\(name)")
            #expect(ours.signature?.hex == output["signature_hex"] as? String, "\(name)")
            if input["include_key_field"] as? Bool == false {
                #expect(ours.bytes.hex == output["message_hex"] as? String, "\(name)")
                #expect(publishing(ours.bytes).hex == output["rpc_hex"] as? String, "\(name)")
            }

            let wire = bytes(hex: try #require(output["message_hex"] as? String))
            let message = try WireMessage(wire)
            let header = try message.header
            try message.verify(from: header.from)
            #expect(header.from == author.peerID && header.topic == topic, "\(name)")
            #expect(header.sequenceNumber == sequenceNumber && message.data == data, "\(name)")
            #expect(message.isCanonical, "\(name)")
            let settled = message.settled()
            #expect(settled.bytes == wire && settled.data == data, "\(name)")

            try checkIDs(
                try #require(output["message_ids"] as? [String: String]), header.from, sequenceNumber, data)
        }
        #expect(count == 5)
    }

    private func checkIDs(
        _ ids: [String: String], _ from: PeerID, _ sequenceNumber: UInt64, _ data: ByteBuffer
    ) throws {
        func id(_ dialect: MessageIDDialect) -> ByteBuffer {
            ByteBuffer(bytes: dialect.id(from: from, sequenceNumber: sequenceNumber, data: data).bytes)
        }
        #expect(id(.fromSequence).hex == ids["go_default_and_py_from_plus_seqno_hex"])
        #expect(id(.sha256OfSequence).hex == ids["uc_js_sha256_of_decimal_seqno_hex"])
        #expect(id(.sipHashOfData).text == ids["uc_rust_defaulthasher_decimal_utf8"])
        #expect(id(.hexSequenceFrom).text == ids["nim_default_hexseqno_plus_base58_utf8"])

        // What names author and number is found whatever the dialect.
        let ours = MessageID(from: from, sequenceNumber: sequenceNumber)
        let js = bytes(hex: try #require(ids["js_default_strictsign_pubkeypb_plus_seqno_hex"]))
        for wire in [id(.fromSequence), id(.hexSequenceFrom), js] {
            guard case .resolved(ours) = ForeignID(wire) else {
                Issue.record("\(wire) is not resolved")
                continue
            }
        }
        guard case .sha256OfSequence = ForeignID(id(.sha256OfSequence)) else {
            Issue.record("the js id is not recognised")
            return
        }
        guard case .sipHashOfData = ForeignID(id(.sipHashOfData)) else {
            Issue.record("the rust id is not recognised")
            return
        }
    }

    @Test("Every bad message has its typed reason")
    func bad() throws {
        let reasons: [String: MessageRejection] = [
            "bad: tampered data": .invalidSignature,
            "bad: missing signature": .missingSignature,
            "bad: missing seqno": .missingSequenceNumber,
            "bad: key of another peer": .keyMismatch,
            "bad: from is not a multihash": .invalidFrom,
        ]
        var count = 0
        for vector in try vectors("gossipsub_messages") {
            let output = try #require(vector["output"] as? [String: Any])
            guard output["ok"] as? Bool == false else { continue }
            count += 1
            let name = try #require(vector["name"] as? String)
            let input = try #require(vector["input"] as? [String: Any])
            let wire = bytes(hex: try #require(input["message_hex"] as? String))
            var bench = try Bench()
            for topic in [Topic.chat, "t"] { bench.feed(.join(topic)) }
            bench.connect([try peer(1)])
            let outputs = bench.receive(publishing(wire), from: try peer(1))
            #expect(outputs.rejections == [reasons[name]].compactMap { $0 }, "\(name)")
            #expect(outputs.messages.isEmpty && outputs.misbehaviour.isEmpty, "\(name)")
        }
        #expect(count == 5)
    }

    @Test(
        "The agent decides the dialect",
        arguments: [
            ("js-libp2p/2.8.3 browser/1.0", MessageIDDialect.sha256OfSequence),
            ("universal-connectivity/0.1.0", .sipHashOfData),
            ("universal-connectivity/go-peer", .fromSequence),
            ("nim-libp2p/0.0.1", .hexSequenceFrom),
            ("github.com/libp2p/go-libp2p", .fromSequence),
            ("", .fromSequence),
        ])
    func agent(_ agent: String, _ dialect: MessageIDDialect) {
        #expect(MessageIDDialect(agent: agent) == dialect)
    }

    @Test("Ids of no dialect are unknown, and nothing traps on them")
    func shapes() {
        var entropy = Entropy.seeded(7)
        for length in [0, 1, 2, 9, 10, 31, 33, 44, 46, 52, 68, 80, 81, 256] {
            for _ in 0..<50 { _ = ForeignID(ByteBuffer(bytes: entropy.bytes(length))) }
            _ = ForeignID(ByteBuffer(repeating: 0x31, count: length))
        }
        guard case .unknown = ForeignID(ByteBuffer(string: "what is this")) else {
            Issue.record("text is an id")
            return
        }
    }
}
