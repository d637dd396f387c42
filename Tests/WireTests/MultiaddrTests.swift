import NIOCore
import Testing

@testable import Wire

@Suite struct MultiaddrTests {
    static let vectors = Vector.load("multiaddr")
    static let peer = "12D3KooWA4Xop1JaT3MHxwYMkCepYsv4iPVopMXwCz5iHYdBfeSB"
    static let relay = "12D3KooWCKq9ZvccjmCqhBbPsrgpAKBHWQpgB61ruM19CyAvH1Cp"
    static let hash = "uEiB949g_gaaAWSpHHmtquwdHq9NThagJP9_hEsHuu2zGrA"

    @Test func everyVectorIsThere() { #expect(Self.vectors.count == 105) }

    @Test(arguments: vectors) func agreesWithTheVector(_ vector: Vector) throws {
        guard vector.output.isOK else {
            #expect(throws: MultiaddrError.self) {
                if let text = vector.input["text"] {
                    _ = try Multiaddr(text)
                } else {
                    _ = try Multiaddr(bytes: buffer(vector.input["hex"] ?? ""))
                }
            }
            return
        }
        let address = try Multiaddr(try #require(vector.input["text"]))
        let binary = try #require(vector.output["hex"])
        #expect(hex(address.bytes.readableBytesView) == binary)
        #expect(address.description == vector.output["canonical_text"])
        let read = try Multiaddr(bytes: buffer(binary))
        #expect(read == address)
        #expect(read.hashValue == address.hashValue)
        #expect(try Multiaddr(address.description) == address)
        #expect(try Multiaddr(address.components) == address)
    }

    @Test(arguments: [
        ("", MultiaddrError.empty), ("/", .empty), ("///", .empty), ("ip4/1.2.3.4", .missingLeadingSlash),
        ("/ip4/1.2.3.4//tcp/80", .unknownProtocol("")), ("/foo", .unknownProtocol("foo")),
        ("/tcp/80/http3", .unknownProtocol("http3")), ("/ip4", .missingValue("ip4")), ("/unix", .missingValue("unix")),
        ("/ip4/1.2.3.04", .invalidValue("ip4")), ("/ip4/::ffff:1.2.3.4", .invalidValue("ip4")),
        ("/ip4/1.2.3.4 ", .invalidValue("ip4")), ("/tcp/+80", .invalidValue("tcp")),
        ("/tcp/٣", .invalidValue("tcp")), ("/tcp/99999999999999999999999999", .invalidValue("tcp")),
        ("/memory/18446744073709551616", .invalidValue("memory")), ("/ipcidr/256", .invalidValue("ipcidr")),
        ("/ip6/1:2:3:4:5:6:7:8:9", .invalidValue("ip6")), ("/ip6/1::2::3", .invalidValue("ip6")),
        ("/ip6/1:2:3:4:5:6:7::8", .invalidValue("ip6")), ("/ip6/:1:2:3:4:5:6:7", .invalidValue("ip6")),
        ("/ip6/1:2:3:4:5:6:7:", .invalidValue("ip6")), ("/ip6/:::", .invalidValue("ip6")),
        ("/ip6/12345::", .invalidValue("ip6")), ("/ip6/::1.2.3", .invalidValue("ip6")),
        ("/ip6/1.2.3.4::", .invalidValue("ip6")), ("/ip6/:", .invalidValue("ip6")),
        ("/certhash/u", .invalidValue("certhash")), ("/certhash/EiB9", .invalidValue("certhash")),
        ("/http-path/a%2", .invalidValue("http-path")), ("/http-path/%zz", .invalidValue("http-path")),
        ("/http-path/%FF", .invalidValue("http-path")), ("/onion/aaimaq4ygg2iegci", .invalidValue("onion")),
        ("/onion/aaimaq4ygg2iegci:0", .invalidValue("onion")), ("/onion/aaimaq4ygg2iegc7:80:1", .invalidValue("onion")),
        ("/garlic32/abcd", .invalidValue("garlic32")), ("/garlic64/abcd", .invalidValue("garlic64")),
    ]) func namesWhatIsWrongWithText(_ text: String, _ error: MultiaddrError) {
        #expect(throws: error) { try Multiaddr(text) }
    }

    @Test(arguments: [
        ("", MultiaddrError.empty), ("04010203", .missingValue("ip4")), ("8102", .unknownCode(257)),
        ("ffffffffffffffffff01", .malformedVarint), ("80", .malformedVarint), ("8400", .malformedVarint),
        ("a503", .missingValue("p2p")), ("a50300", .invalidValue("p2p")),
        ("a503ffffffffffffffff7f", .missingValue("p2p")),
        ("a503ff", .malformedVarint), ("3500", .invalidValue("dns")), ("3502c328", .invalidValue("dns")),
        ("350100ff", .malformedVarint), ("900303612f62", .invalidValue("unix")), ("9003022f2f", .invalidValue("unix")),
        ("9003022f61c003", .invalidValue("unix")),
        ("a503040172aaaa", .invalidValue("p2p")), ("d203041220aaaa", .invalidValue("certhash")),
        ("bc03000102030405060708090000", .invalidValue("onion")),
    ]) func namesWhatIsWrongWithBytes(_ text: String, _ error: MultiaddrError) throws {
        let bytes = try buffer(text)
        #expect(throws: error) { try Multiaddr(bytes: bytes) }
    }

    @Test func refusesWhatIsTooLong() throws {
        #expect(throws: MultiaddrError.tooLong(limit: Limits.multiaddrText)) {
            try Multiaddr("/dns/" + String(repeating: "a", count: 5000))
        }
        #expect(throws: MultiaddrError.tooLong(limit: Limits.multiaddr)) {
            try Multiaddr("/http-path/" + String(repeating: "a", count: 2000) + "/tls")
        }
        #expect(throws: MultiaddrError.tooLong(limit: Limits.multiaddrComponents)) {
            try Multiaddr(String(repeating: "/tls", count: 33))
        }
        #expect(throws: MultiaddrError.tooLong(limit: Limits.multiaddrComponents)) {
            try Multiaddr(bytes: buffer(String(repeating: "c003", count: 33)))
        }
        #expect(throws: MultiaddrError.tooLong(limit: Limits.multiaddr)) {
            try Multiaddr(bytes: ByteBuffer(repeating: 0x35, count: 1025))
        }
        #expect(try Multiaddr(String(repeating: "/tls", count: 32)).components.count == 32)
    }

    @Test(arguments: [
        ("/ip6/1:0:0:2:0:0:0:3", "/ip6/1:0:0:2::3"), ("/ip6/0:0:1:0:0:1:0:0", "/ip6/::1:0:0:1:0:0"),
        ("/ip6/1:0:2:0:3:0:4:0", "/ip6/1:0:2:0:3:0:4:0"), ("/ip6/1::", "/ip6/1::"), ("/ip6/::", "/ip6/::"),
        ("/ip6/::ffff:102:304", "/ip6/::ffff:1.2.3.4"), ("/ip6/64:ff9b::192.0.2.33", "/ip6/64:ff9b::c000:221"),
        ("/ip6/1:2:3:4:5:6:7::", "/ip6/1:2:3:4:5:6:7:0"), ("/unix/tmp/a//b.sock", "/unix/tmp/a//b.sock"),
        ("/http-path/a b", "/http-path/a%20b"), ("/http-path/caf%c3%a9", "/http-path/caf%C3%A9"),
        ("/x-parity-ws/%2Fpath", "/x-parity-ws/%2Fpath"), ("/onion/AAIMAQ4YGG2IEGCI:80", "/onion/aaimaq4ygg2iegci:80"),
        (
            "/onion3/vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd:1234",
            "/onion3/vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd:1234"
        ),
        (
            "/garlic32/566niximlxdzpanmn4qouucvua3k7neniwss47li5r6ugoertzuq",
            "/garlic32/566niximlxdzpanmn4qouucvua3k7neniwss47li5r6ugoertzuq"
        ),
        (
            "/garlic64/" + String(repeating: "aZ-~", count: 128) + "AAA=",
            "/garlic64/" + String(repeating: "aZ-~", count: 128) + "AAA="
        ),
        ("/tcp/00080/", "/tcp/80"), ("/tls//", "/tls"),
    ]) func writesTheCanonicalText(_ text: String, _ canonical: String) throws {
        let address = try Multiaddr(text)
        #expect(address.description == canonical)
        #expect(try Multiaddr(bytes: address.bytes) == address)
        #expect(try Multiaddr(canonical) == address)
    }

    @Test func everyProtocolHasItsOwnNameAndReadsItBack() {
        for code in MultiaddrProtocol.allCases { #expect(MultiaddrProtocol(name: code.name) == code) }
        #expect(Set(MultiaddrProtocol.allCases.map(\.name)).count == MultiaddrProtocol.allCases.count)
    }

    @Test func takesContentIDBytesForAPeerAndNeverWritesThem() throws {
        let id = try PeerID(text: Self.peer)
        var bytes = ByteBuffer()
        bytes.writeUVarint(421)
        bytes.writeUVarint(UInt64(id.bytes.count + 2))
        bytes.writeBytes([0x01, 0x72] + id.bytes)
        let address = try Multiaddr(bytes: bytes)
        #expect(address == (try Multiaddr("/p2p/\(Self.peer)")))
        #expect(address.bytes.readableBytes == bytes.readableBytes - 2)
    }

    @Test func findsThePeerAtTheEndOfThePath() throws {
        let id = try PeerID(text: Self.peer)
        let base = try Multiaddr("/ip4/1.2.3.4/tcp/1")
        #expect(base.peerID == nil)
        let full = try base.appending(id)
        #expect(full.peerID == id)
        #expect(try full.appending(id) == full)
        #expect(full.withoutPeerID == base)
        #expect(base.withoutPeerID == base)
        #expect(try Multiaddr("/p2p/\(Self.peer)").withoutPeerID == nil)
        let circuit = try Multiaddr("/ip4/1.2.3.4/tcp/1/p2p/\(Self.relay)/p2p-circuit")
        #expect(circuit.peerID == nil)
        #expect(circuit.isCircuit)
        #expect(try circuit.encapsulating(Multiaddr("/p2p/\(Self.peer)")).peerID == id)
        #expect(try circuit.appending(.webRTC).appending(id).description.hasSuffix("/webrtc/p2p/\(Self.peer)"))
    }

    @Test func recognisesTheShapesPeersUse() throws {
        let ip = try #require(IPAddress("1.2.3.4"))
        let hash = try Multihash(bytes: ByteBuffer(bytes: try #require(Multibase.decode(Self.hash))))
        let relay = try Multiaddr("/dns4/r.example/tcp/9/p2p/\(Self.relay)")
        let shapes: [(String, DialTarget)] = [
            ("/ip4/1.2.3.4/tcp/80", .tcp(.ip(ip), port: 80)),
            ("/dns/a.b/tcp/80/p2p/\(Self.peer)", .tcp(.dns("a.b"), port: 80)),
            ("/dns4/a.b/tcp/80/ws", .webSocket(.dns4("a.b"), port: 80)),
            ("/dns6/a.b/tcp/80/wss", .secureWebSocket(.dns6("a.b"), port: 80, serverName: "a.b")),
            ("/ip4/1.2.3.4/tcp/80/tls/ws", .secureWebSocket(.ip(ip), port: 80, serverName: nil)),
            ("/ip4/1.2.3.4/tcp/80/tls/sni/a.b/ws", .secureWebSocket(.ip(ip), port: 80, serverName: "a.b")),
            ("/ip4/1.2.3.4/udp/80/quic-v1", .quic(.ip(ip), port: 80)),
            (
                "/ip4/1.2.3.4/udp/80/quic-v1/webtransport/certhash/\(Self.hash)/certhash/\(Self.hash)",
                .webTransport(.ip(ip), port: 80, certhashes: [hash, hash])
            ),
            ("/ip4/1.2.3.4/udp/80/webrtc-direct", .webRTCDirect(ip, port: 80, certhashes: [])),
            (
                "/ip4/1.2.3.4/udp/80/webrtc-direct/certhash/\(Self.hash)/p2p/\(Self.peer)",
                .webRTCDirect(ip, port: 80, certhashes: [hash])
            ),
            ("/dnsaddr/a.b/p2p/\(Self.peer)", .dnsaddr("a.b")),
            ("\(relay)/p2p-circuit", .circuit(relay: relay, webRTC: false)),
            ("\(relay)/p2p-circuit/p2p/\(Self.peer)", .circuit(relay: relay, webRTC: false)),
            ("\(relay)/p2p-circuit/webrtc/p2p/\(Self.peer)", .circuit(relay: relay, webRTC: true)),
        ]
        for (text, shape) in shapes { #expect(try Multiaddr(text).dialTarget == shape, "\(text)") }
    }

    @Test(arguments: [
        "/p2p/\(peer)", "/p2p-circuit", "/p2p-circuit/p2p/\(peer)", "/ip4/1.2.3.4", "/ip4/1.2.3.4/udp/80",
        "/dns/a.b/udp/80/webrtc-direct/certhash/\(hash)", "/ip4/1.2.3.4/udp/80/quic", "/ip4/1.2.3.4/tcp/80/quic-v1",
        "/ip4/1.2.3.4/tcp/80/certhash/\(hash)", "/certhash/\(hash)", "/dnsaddr/a.b/tcp/80", "/tcp/80",
        "/ip4/1.2.3.4/tcp/80/http", "/ip4/1.2.3.4/tcp/1/p2p/\(relay)/p2p-circuit/p2p/\(relay)/p2p-circuit",
        "/ip6zone/eth0/ip6/fe80::1/tcp/4001", "/unix/tmp/socket", "/ip4/1.2.3.4/tcp/80/p2p/\(peer)/ws",
    ]) func leavesOtherShapesAlone(_ text: String) throws {
        #expect(try Multiaddr(text).dialTarget == .unsupported)
    }
}
