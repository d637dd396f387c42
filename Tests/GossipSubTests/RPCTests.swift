import NIOCore
import Testing
import Wire

@testable import GossipSub

@Suite("RPCs: vectors of gossipsub_rpc.json, limits, packing")
struct RPCTests {
    @Test("Every vector is read as it says, and written as it stands where we would write it")
    func vectorsOfRPC() throws {
        var count = 0
        for vector in try vectors("gossipsub_rpc") {
            count += 1
            let name = try #require(vector["name"] as? String)
            let input = try #require(vector["input"] as? [String: Any])
            let hex = try #require((vector["output"] as? [String: Any])?["hex"] as? String)
            var wire = bytes(hex: hex)
            let body = try #require(try wire.readFrame(limit: Limits.gossipReceived))
            #expect(wire.readableBytes == 0, "\(name)")
            let rpc = try RPC(body)

            var expected = PendingRPC()
            for pair in input["subscriptions"] as? [[Any]] ?? [] {
                expected.subscriptions.append(
                    RPC.Subscription(
                        isSubscribed: try #require(pair[0] as? Bool), topic: Topic(try #require(pair[1] as? String))))
            }
            expected.graft = (input["graft"] as? [String] ?? []).map { Topic($0) }
            var isOurs = input["idontwant"] == nil && input["extensions"] == nil && !name.contains("extra SubOpts")
            for prune in input["prune"] as? [[String: Any]] ?? [] {
                let topic = Topic(try #require(prune["topic"] as? String))
                expected.prune.append(RPC.Prune(topic: topic, backoff: (prune["backoff"] as? Int).map(UInt64.init)))
                if prune["px"] != nil { isOurs = false }
            }
            for ihave in input["ihave"] as? [[String: Any]] ?? [] {
                let ids = try #require(ihave["ids_hex"] as? [String])
                expected.ihave.append(
                    (
                        Topic(try #require(ihave["topic"] as? String)),
                        ids.map { MessageID(bytes: bytes(hex: $0).readableBytesView) }
                    ))
            }
            expected.iwant = (input["iwant"] as? [String] ?? []).map {
                MessageID(bytes: bytes(hex: $0).readableBytesView)
            }
            #expect(rpc.subscriptions == expected.subscriptions, "\(name)")
            #expect(rpc.graft == expected.graft && rpc.prune == expected.prune, "\(name)")
            #expect(rpc.ihave.map(\.topic) == expected.ihave.map(\.topic), "\(name)")
            #expect(
                rpc.ihave.flatMap(\.ids).map(\.hex) == expected.ihave.flatMap(\.ids).map(\.description), "\(name)")
            #expect(rpc.iwant.map(\.hex) == expected.iwant.map(\.description), "\(name)")
            #expect(rpc.messages.isEmpty, "\(name)")
            if isOurs && body.readableBytes > 0 { #expect(frame(expected).hex == hex, "\(name)") }
        }
        #expect(count == 12)
    }

    @Test("An empty RPC is legal, and so are fields of later versions")
    func laterVersions() throws {
        var body = ByteBuffer()
        body.writeProtobuf(field: 10, bytes: [1, 2, 3])
        body.writeProtobuf(field: 6_492_434, varint: 1)
        #expect(throws: Never.self) { try RPC(body) }
        #expect(throws: Never.self) { try RPC(ByteBuffer()) }
    }

    /// `count` copies of an entry: cheap to send, dear to keep.
    private func flood(field: Int, entry: ByteBuffer, _ count: Int) -> ByteBuffer {
        var body = ByteBuffer()
        for _ in 0..<count { body.writeProtobuf(field: field, bytes: entry) }
        return body
    }

    @Test("349,525 topics in a frame are refused at the first beyond the limit")
    func topicFlood() throws {
        let empty = flood(field: 1, entry: ByteBuffer(), 349_525)
        #expect(throws: ProtobufError.tooMany(field: 1, limit: Limits.gossipSubscriptionsPerRPC)) { try RPC(empty) }

        var entry = ByteBuffer()
        entry.writeProtobuf(field: 2, string: "t")
        let exact = try RPC(flood(field: 1, entry: entry, Limits.gossipSubscriptionsPerRPC))
        #expect(exact.subscriptions.count == Limits.gossipSubscriptionsPerRPC)
        #expect(throws: ProtobufError.tooMany(field: 1, limit: Limits.gossipSubscriptionsPerRPC)) {
            try RPC(flood(field: 1, entry: entry, Limits.gossipSubscriptionsPerRPC + 1))
        }
    }

    @Test("Floods of control entries and of messages are refused, of ids cut off")
    func controlFlood() throws {
        for field in 1...4 {
            var body = ByteBuffer()
            body.writeProtobuf(field: 3, bytes: flood(field: field, entry: ByteBuffer(), 5001))
            #expect(throws: ProtobufError.tooMany(field: 3, limit: 5000)) { try RPC(body) }
        }
        #expect(throws: ProtobufError.tooMany(field: 2, limit: 5000)) {
            try RPC(flood(field: 2, entry: ByteBuffer(), 5001))
        }
        let ids = flood(field: 1, entry: ByteBuffer(bytes: [1]), 300_000)
        var body = ByteBuffer()
        body.writeProtobuf(field: 3, bytes: flood(field: 2, entry: ids, 1))
        #expect(try RPC(body).iwant.count == Limits.gossipIDsPerRPC)
    }

    @Test("Topics nobody can mean and ids that are too long are dropped, the rest is kept")
    func strange() throws {
        var rpc = PendingRPC()
        rpc.subscriptions = ["", Topic(String(repeating: "x", count: 257)), "ok"].map {
            RPC.Subscription(isSubscribed: true, topic: $0)
        }
        rpc.graft = ["", "g"]
        rpc.iwant = [MessageID(bytes: [UInt8](repeating: 1, count: 257)), MessageID(bytes: [1])]
        var wire = frame(rpc)
        let body = try #require(try wire.readFrame(limit: 1 << 20))
        let read = try RPC(body)
        #expect(read.subscriptions.map(\.topic) == ["ok"])
        #expect(read.graft == ["g"])
        #expect(read.iwant.map(\.hex) == ["01"])

        var entry = ByteBuffer()
        entry.writeProtobuf(field: 1, bool: true)
        entry.writeProtobuf(field: 2, bytes: [0xFF, 0xFE])
        #expect(try RPC(flood(field: 1, entry: entry, 1)).subscriptions.isEmpty)
    }

    @Test(
        "What is no protobuf has its typed error",
        arguments: [
            ("0a05", ProtobufError.truncated),
            ("0b", .unsupportedWireType(3)),
            ("0801", .unexpectedWireType(field: 1)),
            ("1001", .unexpectedWireType(field: 2)),
            ("00", .invalidFieldNumber),
            ("0affffffffffffffffff7f", .varintOverflow),
            ("12020a05", .truncated),
            ("1a030a0212ff", .truncated),
        ])
    func malformed(_ hex: String, _ error: ProtobufError) {
        #expect(throws: error) { try RPC(bytes(hex: hex)) }
    }

    @Test("Long lists are split: no frame over 64 KiB, no control over 16 KiB, nothing lost")
    func splitting() throws {
        var rpc = PendingRPC()
        let topics = (0..<2000).map { Topic("topic-number-\($0)") }
        rpc.subscriptions = topics.map { RPC.Subscription(isSubscribed: true, topic: $0) }
        rpc.graft = Array(topics.prefix(900))
        rpc.prune = topics.suffix(900).map { RPC.Prune(topic: $0, backoff: 60) }
        let ids = (0..<3000).map {
            MessageID(
                from: PeerID(publicKey: PublicKey(kind: .ed25519, data: [UInt8](repeating: 7, count: 32))),
                sequenceNumber: $0)
        }
        rpc.ihave = [(.chat, ids)]
        rpc.iwant = ids

        var subscriptions: [Topic] = []
        var graft: [Topic] = []
        var prune: [Topic] = []
        var have: [String] = []
        var want: [String] = []
        for var frame in RPCPacker.frames(of: rpc) {
            #expect(frame.readableBytes <= Limits.gossipSent)
            let read = try RPC(try #require(try frame.readFrame(limit: Limits.gossipSent)))
            subscriptions += read.subscriptions.map(\.topic)
            graft += read.graft
            prune += read.prune.map(\.topic)
            have += read.ihave.flatMap(\.ids).map(\.hex)
            want += read.iwant.map(\.hex)
        }
        #expect(subscriptions == topics)
        #expect(graft == rpc.graft && prune == rpc.prune.map(\.topic))
        #expect(have == ids.map(\.description) && want == have)
        var alone = PendingRPC()
        alone.ihave = [(.chat, Array(ids.prefix(Limits.gossipIDsAdvertised)))]
        #expect(RPCPacker.frames(of: alone).count == 3)
    }

    @Test(
        "Messages share a frame up to 64 KiB; one that is longer travels alone",
        arguments: [
            ([10, 10, 10], 1), ([60_000, 60_000], 2), ([65_000, 500, 20], 2), ([65_000, 600], 2),
            ([100, 500_000, 100], 3),
            ([1_047_552], 1),
        ])
    func messagePacking(_ sizes: [Int], _ frames: Int) throws {
        var rpc = PendingRPC()
        let author = try identity(1)
        rpc.messages = sizes.enumerated().map { number, size in
            let data = ByteBuffer(repeating: 0x61, count: size)
            return EncodedMessage(number: UInt64(number), bytes: signed(data, UInt64(number), by: author))
        }
        let packed = RPCPacker.frames(of: rpc)
        #expect(packed.count == frames)
        var read: [Int] = []
        for var frame in packed {
            let isOversized = frame.readableBytes > Limits.gossipSent
            let rpc = try RPC(try #require(try frame.readFrame(limit: Limits.gossipReceived)))
            #expect(!isOversized || rpc.messages.count == 1)
            read += rpc.messages.map { $0.data?.readableBytes ?? -1 }
        }
        #expect(read == sizes)
    }
}
