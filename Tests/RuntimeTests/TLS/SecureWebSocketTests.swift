import NIOCore
import NIOPosix
import Node
import Runtime
import Testing
import Wire

/// Peers over WebSocket over TLS, and what becomes of those that cannot be believed.
@Suite struct SecureWebSocketTests {
    private let authority: TestAuthority

    init() throws { authority = try TestAuthority() }

    /// A peer that listens with a certificate, and its address without `/p2p`.
    private func listening(
        _ certificate: (chain: String, key: String), at address: String = "/ip4/127.0.0.1/tcp/0/tls/ws"
    ) async throws -> (Peer, Multiaddr) {
        let peer = try Peer.quiet(TransportSecurity(certificate: certificate)) { $0.servesPerf = true }
        let addresses = try await peer.start(listening: [Multiaddr(address)])
        return (peer, try #require(addresses.first?.withoutPeerID))
    }

    /// A peer that believes the test's authority besides the system's, or only those.
    private func dialling(trusting: Bool = true) async throws -> Peer {
        let peer = try Peer.quiet(TransportSecurity(certificate: nil, trusted: trusting ? [authority.root] : []))
        try await peer.start()
        return peer
    }

    @Test(arguments: ["/ip4/127.0.0.1/tcp/0/tls/ws", "/ip4/127.0.0.1/tcp/0/wss", "/ip6/::1/tcp/0/tls/ws"])
    func twoPeersTalkOverTLS(address: String) async throws {
        let (alice, reached) = try await listening(authority.certificate("good"), at: address)
        #expect(try reached.components.map(\.code) == Multiaddr(address).components.map(\.code))
        let bob = try await dialling()
        #expect(try await bob.connect(reached) == alice.id)
        let (there, back) = (try await bob.ping(alice.id), try await alice.ping(bob.id))
        #expect(there > .zero && back > .zero)
        let result = try await bob.perf(alice.id, upload: 2_000_000, download: 2_000_001)
        #expect(result.uploaded == 2_000_000 && result.downloaded == 2_000_001)
        let (ours, theirs) = (await bob.snapshot().connections, await alice.snapshot().connections)
        #expect(ours.map(\.transport) == ["wss"] && theirs.map(\.transport) == ["wss"])
        #expect(theirs.first?.address.description.hasSuffix("/tls/ws") == true)
        await bob.shutdown()
        await alice.shutdown()
    }

    @Test func aNameIsAskedForAndFoundInTheCertificate() async throws {
        let (alice, address) = try await listening(authority.certificate("good", for: "DNS:peer.example"))
        let bob = try await dialling()
        let named = try Multiaddr(address.description.replacing("/tls/ws", with: "/tls/sni/peer.example/ws"))
        #expect(try await bob.connect(named) == alice.id)
        await bob.shutdown()
        await alice.shutdown()
    }

    /// A certificate that cannot be believed, and how the user hears it.
    enum Doubt: CaseIterable {
        case stranger, selfSigned, expired, otherAddress, otherName, noName

        var words: String {
            switch self {
            case .stranger: "comes from an authority that this machine does not trust"
            case .selfSigned: "is self-signed"
            case .expired: "has expired"
            case .otherAddress: "is not for 127.0.0.1"
            case .otherName: "is not for other.example"
            case .noName: "10.0.0.1 is no name that TLS can ask for"
            }
        }
    }

    @Test(arguments: Doubt.allCases) func whoCannotBeBelievedIsRefusedInPlainWords(doubt: Doubt) async throws {
        let certificate =
            switch doubt {
            case .selfSigned: try authority.selfSigned()
            case .expired: try authority.certificate("expired", days: -1)
            case .otherAddress: try authority.certificate("other", for: "DNS:peer.example,IP:127.0.0.2")
            default: try authority.certificate("good")
            }
        let (alice, address) = try await listening(certificate)
        let bob = try await dialling(trusting: doubt != .stranger)
        let tail =
            switch doubt {
            case .otherName: "/tls/sni/other.example/ws"
            case .noName: "/tls/sni/10.0.0.1/ws"
            default: "/tls/ws"
            }
        let asked = try Multiaddr(address.description.replacing("/tls/ws", with: tail))
        await #expect {
            try await bob.connect(asked)
        } throws: { error in
            "\(error)".contains(doubt.words)
        }
        #expect(await alice.snapshot().connections.allSatisfy { $0.state != .open })
        await bob.shutdown()
        await alice.shutdown()
    }

    @Test func aServerWithoutTLSIsToldApart() async throws {
        let alice = try Peer.quiet()
        let plain = try #require(try await alice.start(listening: [Multiaddr("/ip4/127.0.0.1/tcp/0/ws")]).first)
        let bob = try await dialling()
        let asked = try Multiaddr(plain.description.replacing("/ws/", with: "/tls/ws/"))
        // Our own listener ends what it does not know; go's and python's answer in HTTP.
        await #expect {
            try await bob.connect(asked)
        } throws: { error in
            "\(error)".contains("closed before TLS was agreed on")
        }
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Refusing())
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = server.localAddress?.port ?? 0
        await #expect {
            try await bob.connect(Multiaddr("/ip4/127.0.0.1/tcp/\(port)/tls/ws"))
        } throws: { error in
            "\(error)".contains("does not speak TLS")
        }
        try await server.close()
        await bob.shutdown()
        await alice.shutdown()
    }

    /// A server that answers the first bytes with its own and ends the socket: in HTTP, if nothing else is said.
    private final class Refusing: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let answer: [UInt8]

        init(_ answer: [UInt8] = Array("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n".utf8)) {
            self.answer = answer
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: answer)), promise: nil)
            context.close(promise: nil)
        }
    }

    @Test func aServerThatKnowsOnlyOldVersionsIsRefusedByName() async throws {
        // An alert of TLS: fatal, protocol version.
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Refusing([0x15, 3, 3, 0, 2, 2, 70]))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let bob = try await dialling()
        let port = server.localAddress?.port ?? 0
        await #expect {
            try await bob.connect(Multiaddr("/ip4/127.0.0.1/tcp/\(port)/tls/ws"))
        } throws: { error in
            "\(error)".hasSuffix("TLS failed: TLSV1_ALERT_PROTOCOL_VERSION")
        }
        try await server.close()
        await bob.shutdown()
    }

    @Test func onePortServesTCPAndWebSocketWithTLSAndWithout() async throws {
        let alice = try Peer.quiet(TransportSecurity(certificate: authority.certificate("good")))
        let probe = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = probe.localAddress?.port ?? 0
        try await probe.close()
        let place = "/ip4/127.0.0.1/tcp/\(port)"
        let addresses = try await alice.start(
            listening: [place, place + "/ws", place + "/wss"].map { try Multiaddr($0) })
        #expect(addresses.compactMap { $0.withoutPeerID?.description } == [place, place + "/ws", place + "/wss"])
        for (address, transport) in zip(addresses, ["tcp", "ws", "wss"]) {
            let bob = try await dialling()
            #expect(try await bob.connect(address) == alice.id)
            #expect(await bob.snapshot().connections.map(\.transport) == [transport])
            await bob.shutdown()
        }
        await alice.shutdown()
    }

    @Test func withoutACertificateNobodyListensOverTLS() async throws {
        let peer = try Peer.quiet()
        await #expect {
            try await peer.start(listening: [Multiaddr("/ip4/127.0.0.1/tcp/0/tls/ws")])
        } throws: { error in
            "\(error)".contains("needs a certificate")
        }
        await peer.shutdown()
    }

    static let openings: [[UInt8]] = [
        Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8), [0x13], [0x16, 3, 1, 0, 1, 0], [0x16, 3, 1, 0x40, 0],
        [0x16] + [UInt8](repeating: 0xFF, count: 70_000),
    ]

    @Test(arguments: openings) func whatIsNoTLSEndsTheSocket(bytes: [UInt8]) async throws {
        let (peer, address) = try await listening(authority.certificate("good"))
        // What could still become TLS ends with its time.
        await peer.limitArrivals(to: .milliseconds(100))
        let port = try #require(address.components.lazy.compactMap(\.port).first)
        _ = try await Stranger.answer(to: bytes, port: port)
        #expect(await peer.snapshot().connections.isEmpty)
        await peer.shutdown()
    }

    @Test func aRenewedCertificateIsShownToTheNext() async throws {
        let old = try authority.certificate("server", days: -1)
        let (alice, address) = try await listening(old)
        let inbox = Inbox(alice.mailbox)
        // The same files, written anew.
        _ = try authority.certificate("server")
        let bob = try await dialling()
        #expect(try await bob.connect(address) == alice.id)
        try await inbox.wait { event in
            if case .log(.notice, let words) = event { words.contains("read anew") } else { false }
        }
        await bob.shutdown()
        await alice.shutdown()
    }
}
