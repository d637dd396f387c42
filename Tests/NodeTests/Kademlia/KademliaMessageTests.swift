import NIOCore
import Testing
import VectorFiles
import Wire

@testable import Node

@Suite struct KademliaMessageTests {
    /// The entries of `kad.json`: their outputs have other names than those of the other files.
    private func vector(_ index: Int) throws -> (input: [String: Any], output: [String: Any]) {
        let entry = try Vectors.load("kad")[index]
        return (entry.input, entry.output)
    }

    private func key(_ input: [String: Any], _ name: String) throws -> KademliaKey {
        KademliaKey(try PeerID(bytes: Fixture.bytes(hex: try #require(input[name] as? String))))
    }

    @Test("The place of a peer is the hash of its id")
    func place() throws {
        let (input, output) = try vector(0)
        let expected = Fixture.bytes(hex: try #require(output["kad_key_hex"] as? String))
        #expect(try key(input, "peer_id_hex").bytes == expected)
    }

    @Test("Distance is the exclusive or, and its zeros are the common prefix")
    func distance() throws {
        let (input, output) = try vector(1)
        let distance = try key(input, "a_hex").distance(to: try key(input, "b_hex"))
        #expect(distance.bytes == Fixture.bytes(hex: try #require(output["distance_hex"] as? String)))
        #expect(distance.leadingZeroBits == output["common_prefix_length"] as? Int)
        let zero = try key(input, "a_hex").distance(to: try key(input, "a_hex"))
        #expect(zero.leadingZeroBits == 256)
        #expect(zero < distance)
    }

    @Test("A question has the bytes of the vector, and is read back")
    func question() throws {
        let vectors = try Fixture.vectors("protobuf_messages")
        let vector = try #require(vectors.first { $0.name.hasPrefix("kad FIND_NODE") })
        let fields = try #require(vector.input["fields"] as? [String: Any])
        let id = try PeerID(bytes: Fixture.bytes(hex: try #require(fields["key"] as? String)))
        let message = KademliaMessage(finding: id)
        var frame = message.frame()
        #expect(Array(frame.readableBytesView) == Fixture.bytes(hex: vector.hex))
        let body = try #require(try frame.readFrame(limit: Limits.kademliaMessage))
        #expect(try KademliaMessage(protobuf: body) == message)
    }

    @Test("An answer is read back, with and without /p2p at the end of addresses")
    func answer() throws {
        let peer = try Fixture.peer(1)
        let addresses = [
            try Multiaddr("/ip4/198.51.100.7/tcp/4001"), try Multiaddr("/ip4/8.8.8.8/tcp/4001/p2p/\(peer)"),
        ]
        let message = KademliaMessage(answering: nil, with: [.init(id: peer, addresses: addresses)])
        #expect(try KademliaMessage(protobuf: message.protobuf) == message)
    }

    @Test("A peer whose id is none, and an address that cannot be read, cost nothing else")
    func lenient() throws {
        var good = ByteBuffer()
        good.writeProtobuf(field: 1, bytes: try Fixture.peer(1).bytes)
        good.writeProtobuf(field: 2, bytes: [0xFF, 0xFF, 0x03, 0x01])
        good.writeProtobuf(field: 2, bytes: [UInt8]())
        good.writeProtobuf(field: 2, bytes: try Multiaddr("/ip4/8.8.8.8/tcp/1").bytes)
        good.writeProtobuf(field: 3, varint: 77)
        var bad = ByteBuffer()
        bad.writeProtobuf(field: 1, bytes: [1, 2, 3])
        var message = ByteBuffer()
        message.writeProtobuf(field: 1, varint: 4)
        message.writeProtobuf(field: 99, string: "of a later version")
        for peer in [bad, good, ByteBuffer()] { message.writeProtobuf(field: 8, bytes: peer) }
        message.writeProtobuf(field: 10, varint: 1)
        let read = try KademliaMessage(protobuf: message)
        #expect(read.closerPeers == [.init(id: try Fixture.peer(1), addresses: [try Multiaddr("/ip4/8.8.8.8/tcp/1")])])
    }

    @Test("Ten thousand addresses of one peer are read up to the limit")
    func manyAddresses() throws {
        let address = try Multiaddr("/ip4/8.8.8.8/tcp/1").bytes
        var peer = ByteBuffer()
        peer.writeProtobuf(field: 1, bytes: try Fixture.peer(1).bytes)
        for _ in 0..<10_000 { peer.writeProtobuf(field: 2, bytes: address) }
        var message = ByteBuffer()
        message.writeProtobuf(field: 1, varint: 4)
        message.writeProtobuf(field: 8, bytes: peer)
        #expect(
            try KademliaMessage(protobuf: message).closerPeers.first?.addresses.count == Limits.kademliaAddressesRead)
    }

    @Test("Too many peers are an error")
    func manyPeers() throws {
        var message = ByteBuffer()
        for _ in 0...Limits.kademliaCloserPeers { message.writeProtobuf(field: 8, bytes: ByteBuffer()) }
        #expect(throws: ProtobufError.tooMany(field: 8, limit: Limits.kademliaCloserPeers)) {
            try KademliaMessage(protobuf: message)
        }
    }

    @Test("No bytes make it trap", arguments: 0..<200)
    func mutations(_ seed: UInt64) throws {
        var entropy = Entropy.seeded(seed)
        let peers = try (1...5).map {
            KademliaMessage.Peer(id: try Fixture.peer($0), addresses: [try Multiaddr("/ip4/8.8.8.8/tcp/1")])
        }
        var bytes = Array(KademliaMessage(answering: ByteBuffer(bytes: [1]), with: peers).protobuf.readableBytesView)
        for _ in 0..<Int.random(in: 1...8, using: &entropy) {
            bytes[Int.random(in: bytes.indices, using: &entropy)] = UInt8.random(in: .min ... .max, using: &entropy)
        }
        let kept = bytes.prefix(Int.random(in: 0...bytes.count, using: &entropy))
        let message = try? KademliaMessage(protobuf: ByteBuffer(bytes: kept))
        #expect((message?.closerPeers.count ?? 0) <= Limits.kademliaCloserPeers)
    }
}

@Suite struct KademliaQueryTests {
    private let start = Fixture.start

    private func query() throws -> KademliaQuery { KademliaQuery(finding: try Fixture.peer(9), now: start) }

    private func answer() throws -> (ByteBuffer, [KademliaMessage.Peer]) {
        let peers = try (1...3).map {
            KademliaMessage.Peer(id: try Fixture.peer($0), addresses: [try Multiaddr("/ip4/8.8.8.\($0)/tcp/1")])
        }
        return (KademliaMessage(answering: nil, with: peers).frame(), peers)
    }

    @Test("The answer is taken, however it is cut", arguments: [1, 2, 3, 50, 10_000])
    func answered(_ size: Int) throws {
        var query = try query()
        let (frame, peers) = try answer()
        #expect(Fixture.feed(frame, by: size, none: .none) { query.received(&$0) } == [.answered(peers)])
        #expect(query.deadline == .distantFuture)
        #expect(query.closed() == .none)
        #expect(query.timedOut(now: start + .seconds(20)) == .none)
    }

    @Test("What follows the answer was not asked for")
    func glued() throws {
        var query = try query()
        var (frame, _) = try answer()
        frame.writeInteger(UInt8(0))
        #expect(query.received(&frame) == .failed(.unexpected))
        #expect(frame.readableBytes == 0)
    }

    @Test("Answers that are none", arguments: ["02 08 05", "00", "02 08 63", "03 08 04 ff", "02 0a 00", "81 80 00"])
    func wrong(_ hex: String) throws {
        var query = try query()
        var bytes = ByteBuffer(bytes: Fixture.bytes(hex: hex.filter { $0 != " " }))
        guard case .failed(let error) = query.received(&bytes) else {
            Issue.record("taken for an answer")
            return
        }
        #expect(error.isMisbehaviour)
    }

    @Test("A length above the limit is refused before its bytes come")
    func tooLong() throws {
        var query = try query()
        var bytes = ByteBuffer()
        bytes.writeUVarint(UInt64(Limits.kademliaMessage + 1))
        let error = FramingError.tooLong(UInt64(Limits.kademliaMessage + 1), limit: Limits.kademliaMessage)
        #expect(query.received(&bytes) == .failed(.framing(error)))
    }

    @Test("An end or silence fails it, once, and is no misbehaviour")
    func ends() throws {
        var closing = try query()
        #expect(closing.closed() == .failed(.closed))
        #expect(closing.closed() == .none)
        var silent = try query()
        #expect(silent.timedOut(now: start + .milliseconds(9999)) == .none)
        #expect(silent.timedOut(now: start + .seconds(10)) == .failed(.timedOut))
        var late = try answer().0
        #expect(silent.received(&late) == .none)
        #expect(late.readableBytes == 0)
        #expect(!KademliaError.timedOut.isMisbehaviour && !KademliaError.closed.isMisbehaviour)
    }
}
