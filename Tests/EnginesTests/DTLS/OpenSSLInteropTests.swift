import NIOCore
import Testing
import WebRTC
import Wire

@testable import Engines

/// Against the system's `openssl` as the other end.
@Suite(.serialized, .timeLimit(.minutes(1))) struct OpenSSLInteropTests {
    @Test(
        "s_client connects, with cookie or without, by ECDSA or RSA, in small datagrams, and talks",
        arguments: [
            ([], OpenSSLPeer.ellipticKey, nil), ([], OpenSSLPeer.ellipticKey, [1, 2]), ([], OpenSSLPeer.rsaKey, nil),
            (["-mtu", "300"], OpenSSLPeer.rsaKey, [1]),
            (["-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"], OpenSSLPeer.ellipticKey, nil),
            (["-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384", "-groups", "P-256"], OpenSSLPeer.ellipticKey, nil),
        ] as [([String], [String], [UInt8]?)])
    func server(arguments: [String], key: [String], cookie: [UInt8]?) throws {
        let peer = try OpenSSLPeer(.server, cookie: cookie, keyType: key, arguments)
        try peer.run { $0.isConnected }
        #expect(arguments.first != "-cipher" || peer.engine.suite == arguments[1])
        #expect(peer.longestSent <= Limits.datagramPayload)
        try peer.type("hello")
        try peer.run { $0.received == "hello\n" }
        try peer.type("Q")
        try peer.run { $0.events.last == .closed(nil) }
    }

    @Test("A connection to s_server is made, with its cookie or without", arguments: [[], ["-listen"]])
    func client(arguments: [String]) throws {
        let peer = try OpenSSLPeer(.client, arguments)
        try peer.run { $0.isConnected }
        try peer.type("hello")
        try peer.run { $0.received == "hello\n" }
    }

    @Test("A client without a certificate is refused")
    func anonymous() throws {
        let peer = try OpenSSLPeer(.server, keyType: nil)
        try peer.run { !$0.events.isEmpty }
        guard case .closed(let error?) = peer.events.first else {
            Issue.record("not refused: \(peer.events)")
            return
        }
        #expect(error.code == .handshakeFailed)
    }

    @Test(
        "Suites without authenticated encryption, and old groups, are refused",
        arguments: [
            ["-cipher", "ECDHE-ECDSA-AES128-SHA"], ["-cipher", "DHE-RSA-AES128-GCM-SHA256"], ["-groups", "P-521"],
        ])
    func weak(arguments: [String]) throws {
        let peer = try OpenSSLPeer(.server, arguments)
        try peer.run { !$0.events.isEmpty }
        guard case .closed(let error?) = peer.events.first else {
            Issue.record("not refused: \(peer.events)")
            return
        }
        #expect(error.code == .handshakeFailed)
    }

    @Test("A remote without extended master secret is refused", arguments: [DTLSRole.client, .server])
    func extendedMasterSecret(role: DTLSRole) throws {
        let peer = try OpenSSLPeer(role, options: "Options = -ExtendedMasterSecret")
        try peer.run { !$0.events.isEmpty }
        guard case .closed(let error?) = peer.events.first else {
            Issue.record("not refused: \(peer.events)")
            return
        }
        #expect(error.message == "the remote has no extended master secret")
    }

    @Test("A client that wants to renegotiate gets a no")
    func renegotiationByClient() throws {
        let peer = try OpenSSLPeer(.server)
        try peer.run { $0.isConnected }
        try peer.type("R")
        // OpenSSL's client takes the refusal for an end; what matters is that our end neither agrees nor breaks.
        try peer.run { $0.events.count == 2 }
        #expect(peer.events.count == 2)
    }

    @Test("A server that wants to renegotiate gets a no, which OpenSSL's takes for the end")
    func renegotiationByServer() throws {
        let peer = try OpenSSLPeer(.client)
        try peer.run { $0.isConnected }
        try peer.type("r")
        try peer.run { $0.events.count == 2 }
        guard case .closed(let error?) = peer.events.last else {
            Issue.record("not ended by an alert: \(peer.events)")
            return
        }
        #expect(error.code == .alert)
    }
}
