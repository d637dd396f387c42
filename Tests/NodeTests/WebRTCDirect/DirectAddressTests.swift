import ICE
import NIOCore
import Testing
import VectorFiles
import WebRTC
import Wire

@testable import Node

@Suite struct DirectAddressTests {
    @Test(arguments: try Vectors.load("webrtc_direct").filter { $0.input["username"] != nil })
    func usernames(_ vector: Vectors.Vector) throws {
        let credentials = DirectCredentials(username: try #require(vector.input["username"] as? String))
        guard vector.output["ok"] as? Bool == true else {
            #expect(credentials == nil)
            return
        }
        let found = try #require(credentials)
        #expect(found.version.rawValue == vector.output["version"] as? Int)
        #expect(found.listener.ufrag == vector.output["server_ufrag"] as? String)
        #expect(found.listener.password == vector.output["server_pwd"] as? String)
        #expect(found.dialer.ufrag == vector.output["client_ufrag"] as? String)
        #expect(found.dialer.password == vector.output["client_pwd"] as? String)
    }

    @Test(arguments: DirectVersion.allCases, 1...5) func aListenerReadsWhatADialerMakes(
        version: DirectVersion, seed: Int
    ) {
        var entropy = Entropy.seeded(UInt64(seed))
        let made = DirectCredentials.random(version, using: &entropy)
        #expect(DirectCredentials(username: "\(made.listener.ufrag):\(made.dialer.ufrag)") == made)
        #expect(made.listener.ufrag.hasPrefix("libp2p+webrtc+v\(version.rawValue)/"))
        #expect(made.listener.ufrag.count == 49)
        #expect((made.listener == made.dialer) == (version == .one))
        #expect(DirectCredentials.random(version, using: &entropy) != made)
    }

    @Test(arguments: [
        "", ":", "a:b", "libp2p+webrtc+v1/:libp2p+webrtc+v1/", "libp2p+webrtc+v1:libp2p+webrtc+v1",
        "libp2p+webrtc+v1/abcdefghijklmnopqrstuv\u{00E9}:libp2p+webrtc+v1/abcdefghijklmnopqrstuv",
        "libp2p+webrtc+v1/abcdefghijklmnopqrstuv:abcd",
        "Libp2p+webrtc+v1/abcdefghijklmnopqrstuv:libp2p+webrtc+v1/abcdefghijklmnopqrstuv",
        "libp2p+webrtc+v10/abcdefghijklmnopqrstuv:libp2p+webrtc+v10/abcdefghijklmnopqrstuv",
        String(repeating: "a", count: 100_000),
    ])
    func otherUsernamesAreNotForUs(username: String) { #expect(DirectCredentials(username: username) == nil) }

    private static let hash = String(repeating: "ab", count: 32)

    private func fingerprint() throws -> Fingerprint {
        try #require(Fingerprint(Array(hex(Self.hash).readableBytesView)))
    }

    @Test(arguments: ["/ip4/192.0.2.1/udp/9090", "/ip6/2001:db8::1/udp/9090"]) func ourAddressLeadsBackToUs(
        host: String
    ) throws {
        let parts = try Multiaddr(host).components
        let remote = TransportAddress(try #require(parts[0].ip), port: 9090)
        let address = try DirectAddress.listening(at: remote, fingerprint())
        #expect(address.description.hasPrefix("\(host)/webrtc-direct/certhash/uEi"))
        let peer = KeyPair.generate().peerID
        let read = try DirectAddress(try address.appending(peer))
        #expect(read.remote == remote)
        #expect(try read.fingerprint == fingerprint())
        #expect(read.peer == peer)
        #expect(try DirectAddress(address).peer == nil)
    }

    @Test func theFirstOfSeveralHashesCounts() throws {
        let other = try Multihash(code: Multihash.sha256, digest: [UInt8](repeating: 1, count: 32))
        let first = try #require(Multihash(sha256: fingerprint().bytes))
        let long = try Multihash(code: Multihash.sha512, digest: [UInt8](repeating: 1, count: 64))
        let base = try Multiaddr("/ip4/192.0.2.1/udp/9/webrtc-direct").components
        func address(_ hashes: Multihash...) throws -> Multiaddr {
            try Multiaddr(base + hashes.map { .init(certhash: $0) })
        }
        #expect(try DirectAddress(address(first, other)).fingerprint == fingerprint())
        #expect(try DirectAddress(address(first, long)).fingerprint == fingerprint())
        #expect(throws: DirectAddressError.unsupportedHash(Multihash.sha512)) {
            try DirectAddress(address(long, first))
        }
        #expect(DirectAddressError.unsupportedHash(0x13).description.contains("sha2-256"))
    }

    @Test(arguments: [
        ("/ip4/192.0.2.1/udp/9/webrtc-direct", DirectAddressError.noCertificateHash),
        ("/ip4/192.0.2.1/udp/9/quic-v1", .notDirect), ("/ip4/192.0.2.1/tcp/9", .notDirect),
        ("/dns4/example.org/udp/9/webrtc-direct", .notDirect),
        ("/ip4/0.0.0.0/udp/9/webrtc-direct", .notAHost("0.0.0.0")),
        ("/ip6/ff02::1/udp/9/webrtc-direct", .notAHost("ff02::1")),
        ("/ip4/192.0.2.1/udp/0/webrtc-direct", .notAHost("port 0")),
    ])
    func otherAddressesAreRefusedInWords(text: String, error: DirectAddressError) throws {
        let address = try Multiaddr(text)
        #expect(throws: error) { try DirectAddress(address) }
        #expect(!error.description.isEmpty)
    }
}
