import NIOCore
import NIOPosix
import Node
import Runtime
import Testing
import Wire

/// A peer's WebSocket listener before strangers, and its dialer before other servers.
@Suite struct WebSocketPeerTests {
    private func withPeer(
        _ body: (_ peer: Peer, _ port: UInt16) async throws -> Void
    ) async throws {
        let peer = try Peer.quiet()
        let addresses = try await peer.start(listening: [Multiaddr("/ip4/127.0.0.1/tcp/0/ws")])
        let port = try #require(addresses.first?.components.lazy.compactMap(\.port).first)
        do { try await body(peer, port) } catch {
            await peer.shutdown()
            throw error
        }
        await peer.shutdown()
    }

    private static let upgrade =
        "GET /any/path?x HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
        + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

    @Test func framesWithoutMaskEndAConnectionThatWasUpgraded() async throws {
        try await withPeer { _, port in
            let answer = try await Stranger.answer(to: Array(Self.upgrade.utf8) + [0x82, 1, 0x13], port: port)
            #expect(answer.hasPrefix("HTTP/1.1 101"))
            #expect(answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
        }
    }

    /// What is no request for a WebSocket, and how the answer begins.
    static let requests: [(String, String)] = [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 426"),
        (upgrade.replacing("Version: 13", with: "Version: 8"), "HTTP/1.1 426"),
        (upgrade.replacing("Upgrade: websocket", with: "Upgrade: h2c"), "HTTP/1.1 426"),
        (upgrade.replacing("Connection: keep-alive, Upgrade", with: "Connection: close"), "HTTP/1.1 426"),
        (upgrade.replacing("dGhlIHNhbXBsZSBub25jZQ==", with: "short"), "HTTP/1.1 426"),
        (upgrade.replacing("HTTP/1.1", with: "HTTP/1.0"), "HTTP/1.1 426"),
        ("GET / HTTP/9.9\r\nHost: a\r\n\r\n", ""),
        ("GET / HTTP/1.1\r\nHo st: a\r\n\u{1}: b\r\n\r\n", ""),
        ("POST / HTTP/1.1\r\n\r\n", ""),
        ("\u{16}\u{03}\u{01}", ""),
        ("GET /" + String(repeating: "a", count: 100_000), ""),
    ]

    @Test(arguments: requests)
    func whatIsNoUpgradeEndsTheSocket(request: String, beginning: String) async throws {
        try await withPeer { peer, port in
            let answer = try await Stranger.answer(to: Array(request.utf8), port: port)
            #expect(answer.hasPrefix(beginning), "\(answer.prefix(80))")
            let connections = await peer.snapshot().connections
            #expect(connections.isEmpty)
        }
    }

    @Test(arguments: ["", "GE", "GET / HTTP/1.1\r\nHost: a\r\n"])
    func whoIsTooSlowIsCutOff(beginning: String) async throws {
        try await withPeer { peer, port in
            await peer.limitArrivals(to: .milliseconds(50))
            let answer = try await Stranger.answer(to: Array(beginning.utf8), port: port)
            #expect(answer.isEmpty)
        }
    }

    @Test func oneSocketServesTCPAndWebSocket() async throws {
        let alice = try Peer.quiet()
        let port = try #require(Self.freePort())
        let addresses = try await alice.start(listening: [
            Multiaddr("/ip4/127.0.0.1/tcp/\(port)"), Multiaddr("/ip4/127.0.0.1/tcp/\(port)/ws"),
        ])
        #expect(
            addresses.map { $0.withoutPeerID?.description } == [
                "/ip4/127.0.0.1/tcp/\(port)", "/ip4/127.0.0.1/tcp/\(port)/ws",
            ])
        for (address, transport) in zip(addresses, ["tcp", "ws"]) {
            let bob = try Peer.quiet()
            try await bob.start()
            let reached = try await bob.connect(address)
            #expect(reached == alice.id)
            let time = try await bob.ping(alice.id)
            #expect(time > .zero)
            let (ours, theirs) = (await bob.snapshot().connections, await alice.snapshot().connections)
            #expect(ours.map(\.transport) == [transport])
            #expect(theirs.last?.transport == transport)
            await bob.shutdown()
        }
        await alice.shutdown()
    }

    /// A port nobody has at this moment.
    private static func freePort() -> UInt16? {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        guard let channel = try? ServerBootstrap(group: loop).bind(host: "127.0.0.1", port: 0).wait() else {
            return nil
        }
        defer { try? channel.close().wait() }
        return channel.localAddress?.port.flatMap(UInt16.init(exactly:))
    }

    /// A server's answer to our request, and a word of the reason we give.
    static let answers: [(String, String)] = [
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "200"),
        (String(repeating: "a", count: 20_000), "too long"),
        (
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
                + "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n", "upgrade"
        ),
        ("\u{13}/multistream/1.0.0\n\r\n\r\n", ""),
        ("", "closed"),
    ]

    @Test(arguments: answers)
    func aServerWithoutWebSocketIsToldApart(answer: String, word: String) async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let server = try await ServerBootstrap(group: loop)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Answering(answer))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let peer = try Peer.quiet()
        try await peer.start()
        let port = server.localAddress?.port ?? 0
        await #expect {
            try await peer.connect(Multiaddr("/ip4/127.0.0.1/tcp/\(port)/ws"))
        } throws: { error in
            word.isEmpty || "\(error)".lowercased().contains(word)
        }
        await peer.shutdown()
        try await server.close()
    }

    /// Answers the first bytes, whatever they are; an empty answer is the end.
    private final class Answering: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let answer: String

        init(_ answer: String) { self.answer = answer }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            if answer.isEmpty { return context.close(promise: nil) }
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
        }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}
