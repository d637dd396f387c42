import NIOCore
import Testing

@testable import Wire

/// Seeded mutations of good input: everything is read or refused, nothing traps, and what is read survives.
@Suite struct MutationTests {
    private static let hash = "uEiB949g_gaaAWSpHHmtquwdHq9NThagJP9_hEsHuu2zGrA"
    private static let peer = "12D3KooWA4Xop1JaT3MHxwYMkCepYsv4iPVopMXwCz5iHYdBfeSB"
    private static let texts = [
        "/ip4/1.2.3.4/udp/80/webrtc-direct/certhash/\(hash)/p2p/\(peer)/p2p-circuit/webrtc/p2p/\(peer)",
        "/ip6/2001:db8::1:0:0:1/tcp/443/tls/sni/a.example/ws", "/dnsaddr/a.example/p2p/\(peer)",
        "/onion/aaimaq4ygg2iegci:80/http-path/a%2Fb/memory/7/ipcidr/8", "/ip6zone/eth0/unix/tmp/a.sock",
    ]

    /// Changes, inserts, removes or doubles a few bytes.
    private func mutate(_ bytes: [UInt8], _ entropy: inout Entropy) -> [UInt8] {
        var bytes = bytes
        for _ in 0...Int.random(in: 0..<4, using: &entropy) {
            guard !bytes.isEmpty else { return entropy.bytes(3) }
            let index = Int.random(in: 0..<bytes.count, using: &entropy)
            let value = Bool.random(using: &entropy) ? UInt8.random(in: 0...255, using: &entropy) : 0xFF
            switch Int.random(in: 0..<5, using: &entropy) {
            case 0: bytes[index] = value
            case 1: bytes.insert(value, at: index)
            case 2: bytes.remove(at: index)
            case 3: bytes.removeLast(bytes.count - index)
            default: bytes += bytes[index...].prefix(40)
            }
        }
        return bytes
    }

    private func check(_ address: Multiaddr) {
        #expect((try? Multiaddr(bytes: address.bytes)) == address)
        #expect((try? Multiaddr(address.description)) == address)
        _ = address.dialTarget
        _ = address.peerID
        _ = address.withoutPeerID
        var resolver = AddressResolver(address)
        resolver.handle(.start, now: .now())
        while resolver.poll() != nil {}
    }

    @Test func multiaddrsInText() {
        var entropy = Entropy.seeded(10)
        for text in Self.texts {
            for _ in 0..<600 {
                let bytes = mutate(Array(text.utf8), &entropy)
                if let address = try? Multiaddr(String(decoding: bytes, as: UTF8.self)) { check(address) }
            }
        }
    }

    @Test func multiaddrsInBinary() throws {
        var entropy = Entropy.seeded(11)
        for text in Self.texts {
            let good = Array(try Multiaddr(text).bytes.readableBytesView)
            for length in 0..<good.count { _ = try? Multiaddr(bytes: ByteBuffer(bytes: good[..<length])) }
            for _ in 0..<600 {
                let bytes = ByteBuffer(bytes: mutate(good, &entropy))
                if let address = try? Multiaddr(bytes: bytes) { check(address) }
            }
        }
        for _ in 0..<2000 {
            let count = Int.random(in: 0..<60, using: &entropy)
            if let address = try? Multiaddr(bytes: ByteBuffer(bytes: entropy.bytes(count))) { check(address) }
        }
    }

    @Test func peerIDs() throws {
        var entropy = Entropy.seeded(12)
        let id = try PeerID(text: Self.peer)
        for _ in 0..<1500 {
            if let read = try? PeerID(bytes: mutate(id.bytes, &entropy)) {
                #expect((try? PeerID(text: read.description)) == read)
                _ = read.publicKey
            }
            for text in [Self.peer, id.base36, Multibase.base32.encode([1, 0x72] + id.bytes)] {
                _ = try? PeerID(text: String(decoding: mutate(Array(text.utf8), &entropy), as: UTF8.self))
            }
        }
    }

    @Test func keys() throws {
        var entropy = Entropy.seeded(13)
        for vector in KeyTests.keys {
            guard let text = vector.input["public_key_protobuf_hex"] else { continue }
            let good = try hex(text)
            for _ in 0..<150 {
                let bytes = mutate(good, &entropy)
                guard let key = try? PublicKey(protobuf: ByteBuffer(bytes: bytes)) else { continue }
                #expect(Array(key.protobuf.readableBytesView) == bytes)
                #expect(!key.isValid(signature: entropy.bytes(70), of: [1]))
            }
        }
    }

    @Test func envelopes() throws {
        var entropy = Entropy.seeded(14)
        let pair = try KeyPair(seed: entropy.bytes(32))
        let record = PeerRecord(
            peerID: pair.peerID, sequence: 1 << 60, addresses: try Self.texts.map { try Multiaddr($0) })
        let good = Array(record.sealed(by: pair).readableBytesView)
        let payload = Array(record.protobuf.readableBytesView)
        for _ in 0..<800 {
            // Whatever of it still opens says the same: only bytes that mean nothing can have changed.
            if let read = try? PeerRecord(opening: ByteBuffer(bytes: mutate(good, &entropy))) {
                #expect(read == record)
            }
            let other = SignedEnvelope.seal(
                ByteBuffer(bytes: mutate(payload, &entropy)), type: [3, 1], domain: "libp2p-peer-record", by: pair)
            if let read = try? PeerRecord(opening: other.protobuf) { #expect(read.peerID == pair.peerID) }
        }
    }
}

@Suite struct EntropyTests {
    @Test func aSeedRepeatsItself() {
        var one = Entropy.seeded(7)
        var two = Entropy.seeded(7)
        #expect(one.bytes(33) == two.bytes(33))
        var part = one.split()
        var same = two.split()
        #expect(part.next() == same.next())
        #expect(one.next() == two.next())
        #expect(one.next() != part.next())
    }

    /// The reference's first numbers for the seed 1234567.
    @Test func agreesWithSplitMix64() {
        var generator = SplitMix64(seed: 1_234_567)
        #expect(generator.next() == 6_457_827_717_110_365_317)
        #expect(generator.next() == 3_203_168_211_198_807_973)
    }

    @Test(arguments: [0, 1, 7, 8, 9, 1000]) func givesAsManyBytesAsAsked(_ count: Int) {
        var system = Entropy.system
        #expect(system.bytes(count).count == count)
        var part = system.split()
        #expect(part.bytes(32) != system.bytes(32))
    }
}
