import NIOCore
import Testing
import Wire

@testable import GossipSub

@Suite("Mutated RPCs: nothing traps, limits hold, genuine messages still come through")
struct FuzzTests {
    private func seeds() throws -> [ByteBuffer] {
        let author = try identity(9)
        let id = MessageID(from: author.peerID, sequenceNumber: 1)
        var seeds = [
            subscribing(.chat, "b"), subscribing(.chat, to: false), grafting(.chat), pruning(.chat, backoff: 60),
            offering(.chat, [id, MessageID(bytes: [1, 2, 3])]), asking([id]),
            publishing(signed("x", 1, by: author), signed("y", 2, by: author)),
        ]
        for vector in try vectors("gossipsub_rpc") {
            let output = vector["output"] as? [String: Any]
            seeds.append(bytes(hex: try #require(output?["hex"] as? String)))
        }
        return seeds
    }

    private func mutated(_ seed: ByteBuffer, _ entropy: inout Entropy) -> [UInt8] {
        var bytes = Array(seed.readableBytesView)
        for _ in 0...Int.random(in: 0...4, using: &entropy) where !bytes.isEmpty {
            let index = Int.random(in: bytes.indices, using: &entropy)
            switch entropy.next() % 5 {
            case 0: bytes[index] = UInt8(truncatingIfNeeded: entropy.next())
            case 1: bytes[index] ^= 1 << UInt8(entropy.next() % 8)
            case 2: bytes.remove(at: index)
            case 3: bytes.insert([0, 0x7F, 0x80, 0xFF, 0x0A][Int(entropy.next() % 5)], at: index)
            default: bytes += bytes[index...]
            }
        }
        return bytes
    }

    @Test("Streams of mutated frames", arguments: 0..<8 as Range<UInt64>)
    func streams(_ seed: UInt64) throws {
        var entropy = Entropy.seeded(seed)
        let seeds = try seeds()
        var bench = try Bench(seed: seed)
        bench.feed(.join(.chat))
        let it = try peer(1)
        bench.connect([it, try peer(2)], dialect: .sha256OfSequence)
        for _ in 0..<1500 {
            let bytes = mutated(seeds[Int(entropy.next() % UInt64(seeds.count))], &entropy)
            let outputs = bench.receive(ByteBuffer(bytes: bytes), from: it)
            if !outputs.misbehaviour.isEmpty || entropy.next() % 50 == 0 { bench.feed(.inboundClosed(it)) }
            if entropy.next() % 20 == 0 { bench.advance(.seconds(1)) }
            for case .send(let frame, _) in outputs {
                var frame = frame
                let body = try #require(try frame.readFrame(limit: Limits.gossipSent))
                #expect(throws: Never.self) { try RPC(body) }
            }
        }
        bench.advance(.seconds(1))
        bench.feed(.inboundClosed(it))
        let genuine = publishing(signed("still here", 1 << 40, by: try identity(9)))
        #expect(bench.receive(genuine, from: it).texts == ["still here"])
        let statistics = bench.router.statistics
        #expect(statistics.topics <= Limits.gossipTopicsPerPeer + 1 && statistics.peers == 2)
        #expect(statistics.inboxBytes <= Limits.gossipReceived)
    }

    @Test("RPC bodies, alone", arguments: 0..<4 as Range<UInt64>)
    func bodies(_ seed: UInt64) throws {
        var entropy = Entropy.seeded(100 + seed)
        let seeds = try seeds()
        for _ in 0..<4000 {
            let bytes = mutated(seeds[Int(entropy.next() % UInt64(seeds.count))], &entropy)
            guard let rpc = try? RPC(ByteBuffer(bytes: bytes.dropFirst())) else { continue }
            for message in rpc.messages {
                _ = try? message.header
                _ = message.settled()
            }
        }
    }

    @Test("Random events in random order keep what must hold", arguments: 0..<4 as Range<UInt64>)
    func events(_ seed: UInt64) throws {
        var entropy = Entropy.seeded(200 + seed)
        let seeds = try seeds()
        let peers = try (1...16).map { try peer($0) }
        let topics: [Topic] = [.chat, "b", "c"]
        var bench = try Bench(seed: seed)
        for _ in 0..<2000 {
            let peer = peers[Int(entropy.next() % 16)]
            let topic = topics[Int(entropy.next() % 3)]
            switch entropy.next() % 12 {
            case 0: bench.feed(.join(topic))
            case 1: bench.feed(.leave(topic))
            case 2: bench.feed(.publish(topic, ByteBuffer(string: "x"), request: 1))
            case 3, 4:
                let version = GossipVersion.allCases[Int(entropy.next() % 4)]
                let isDialed = entropy.next() % 2 == 0
                bench.feed(.peerConnected(peer, version: version, dialed: isDialed, dialect: .fromSequence))
            case 5: bench.feed(.peerDisconnected(peer))
            case 6: bench.feed(.inboundClosed(peer))
            case 7: bench.advance(.milliseconds(Int64(entropy.next() % 3000)))
            case 8: bench.receive(subscribing(topic), from: peer)
            case 9: bench.receive(grafting(topic), from: peer)
            default: bench.receive(seeds[Int(entropy.next() % UInt64(seeds.count))], from: peer)
            }
            for topic in bench.router.joined {
                let mesh = bench.router.mesh(of: topic)
                #expect(mesh.allSatisfy { bench.router.knows($0) && bench.router.peers(in: topic).contains($0) })
            }
        }
    }
}
