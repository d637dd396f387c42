import Engines
import ICE
import NIOCore
import NIOHTTP1
import NIOPosix
import Node
import Testing
import WebRTC
import WebRTCRuntime
import Wire

@testable import SwiftPeer

@Suite(.serialized) struct EchoServerTests {
    @Test("The address has one certhash, the identity's, and the peer's id; a wildcard becomes addresses to dial")
    func address() async throws {
        let identity = try KeyPair(seed: [UInt8](repeating: 6, count: 32))
        let server = EchoServer(identity: identity, on: MultiThreadedEventLoopGroup.singleton.next()) { _ in }
        let addresses = try await server.start(listening: [
            Multiaddr("/ip4/127.0.0.1/udp/0/webrtc-direct"), Multiaddr("/ip4/0.0.0.0/udp/0/webrtc-direct"),
        ])
        await server.stop()
        #expect(addresses.count >= 2)
        for address in addresses {
            let direct = try DirectAddress(address)
            #expect(direct.fingerprint == Certificate.derived(from: identity).fingerprint)
            #expect(direct.peer == identity.peerID && !direct.remote.ip.isUnspecified && direct.remote.port > 0)
        }
    }

    @Test("A port that is taken is told in one line")
    func taken() async throws {
        let identity = KeyPair.generate()
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let first = EchoServer(identity: identity, on: loop) { _ in }
        let address = try await first.start(listening: [Multiaddr("/ip4/127.0.0.1/udp/0/webrtc-direct")])[0]
        let port = try DirectAddress(address).remote.port
        let second = EchoServer(identity: identity, on: loop) { _ in }
        await #expect(throws: Failure.self) {
            try await second.start(listening: [Multiaddr("/ip4/127.0.0.1/udp/\(port)/webrtc-direct")])
        }
        await first.stop()
    }

    @Test("Over a real socket, a client hears back what it sent, and the server's end is told")
    func echo() async throws {
        let identity = KeyPair.generate()
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let (events, report) = AsyncStream<EchoSessions.Event>.makeStream()
        let server = EchoServer(identity: identity, on: loop) { report.yield($0) }
        let address = try await server.start(listening: [Multiaddr("/ip4/127.0.0.1/udp/0/webrtc-direct")])[0]
        let target = try DirectAddress(address)
        let done = loop.makePromise(of: [DataChannelMessage].self)
        loop.execute {
            do { try SocketClient(target, on: loop, done).start() } catch { done.fail(error) }
        }
        let echoes = try await done.futureResult.get()
        #expect(echoes == [.text(ByteBuffer(string: "over UDP"))])
        await server.stop()
        report.finish()
        var told: [EchoSessions.Event] = []
        for await event in events { told.append(event) }
        guard case .connected(_, version: "v1")? = told.first, case .disconnected(_, echoed: 1, refused: 0)? = told.last
        else {
            Issue.record("\(told)")
            return
        }
    }

    @Test(
        "The page, its addresses, and nothing else",
        arguments: [
            (.GET, "/", 200), (.GET, "/echo.html", 200), (.HEAD, "/", 200), (.GET, "/?connect", 200),
            (.GET, "/address", 200), (.GET, "/../etc/passwd", 404), (.GET, "//", 404), (.GET, "", 404),
            (.POST, "/", 405), (.PUT, "/address", 405),
        ] as [(HTTPMethod, String, UInt)])
    func answers(method: HTTPMethod, target: String, status: UInt) {
        let answer = EchoPage.answer(method, target, addresses: ["/ip4/…"])
        #expect(answer.status.code == status)
        if target == "/address" && status == 200 {
            #expect(answer.body == Array(#"{"addresses":["/ip4/…"]}"#.utf8))
        }
    }

    @Test("The page needs nothing from anywhere")
    func page() throws {
        let text = String(decoding: EchoPage.answer(.GET, "/", addresses: []).body, as: UTF8.self)
        #expect(text.hasPrefix("<!DOCTYPE html>"))
        for foreign in ["http://", "https://", "src=", "@import", "url("] { #expect(!text.contains(foreign)) }
    }

    @Test("Over HTTP, each request is answered and its connection closed")
    func http() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let channel = try await EchoPage.serve(host: "127.0.0.1", port: 0, addresses: ["/a"], on: loop)
        let port = try #require(channel.localAddress?.port)
        for (request, start, end) in [
            ("GET /address HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\n", "\r\n\r\n{\"addresses\":[\"/a\"]}"),
            ("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\n", "\r\n\r\n"),
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 405", "GET only\n"),
            ("nonsense\r\n\r\n", "HTTP/1.1 400", ""),
        ] {
            let answer = try await Self.exchange(request, port: port)
            #expect(answer.hasPrefix(start) && answer.hasSuffix(end), "\(request): \(answer)")
        }
        try await channel.close().get()
    }

    private static func exchange(_ request: String, port: Int) async throws -> String {
        let client = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await client.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: request))
            var answer = ""
            for try await bytes in inbound { answer += String(buffer: bytes) }
            return answer
        }
    }

    @Test(
        "Flags are judged before anything listens",
        arguments: [
            ["--listen", "/ip4/127.0.0.1/tcp/1"], ["--listen", "x"], ["--http", "8080"], ["--http", ":8080"],
            ["--http", "a:b"], ["--http", "::1:80"], ["--http", "a:65536"], ["--http", "a b:1"],
            ["--listen", "/ip4/1.2.3.4/udp/9/webrtc-direct/certhash/uEiAAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHw"],
        ])
    func usage(arguments: [String]) {
        #expect(Main.run(["echo", "--ephemeral"] + arguments, Environment([:])) == .usage)
    }

    @Test("A place to serve HTTP is a host and a port", arguments: [("localhost:1", "localhost"), ("[::1]:0", "::1")])
    func place(text: String, host: String) throws {
        #expect(try Environment.Given(name: "--http", value: text).hostAndPort().host == host)
    }

    @Test("What happens is told to people and to scripts")
    func reports() {
        let remote = TransportAddress(.v4(.init(0x7F00_0001)), port: 9)
        let reports: [(EchoRun.Report, [String], String)] = [
            (
                .ready(["/a"], page: "http://x/"), ["listening on /a", "the page is at http://x/"],
                #"{"event":"ready","addresses":["/a"],"page":"http://x/"}"#
            ),
            (
                .event(.opened(remote, label: "e\u{1B}")), ["127.0.0.1:9 opened the channel 'e '"],
                #"{"event":"opened","remote":"127.0.0.1:9","label":"e\u001b"}"#
            ),
            (
                .event(.connected(remote, version: "v2")), ["127.0.0.1:9 connected by webrtc-direct v2"],
                #"{"event":"connected","remote":"127.0.0.1:9","detail":"v2"}"#
            ),
            (
                .event(.disconnected(remote, echoed: 3, refused: 1)), ["127.0.0.1:9 left: 3 echoed, 1 refused"],
                #"{"event":"disconnected","remote":"127.0.0.1:9","echoed":3,"refused":1}"#
            ),
        ]
        for (report, text, json) in reports {
            #expect(EchoRun.text(report) == text)
            #expect(EchoRun.json(report) == [json])
        }
    }
}

/// A client on a socket of its own: sends one text, and ends with what came back.
private final class SocketClient {
    private let socket: DatagramSocket
    private let connection: PeerConnection
    private let loop: any EventLoop
    private let done: EventLoopPromise<[DataChannelMessage]>
    private let channel: DataChannelID
    private var isDone = false

    init(_ target: DirectAddress, on loop: any EventLoop, _ done: EventLoopPromise<[DataChannelMessage]>) throws {
        (self.loop, self.done) = (loop, done)
        socket = try DatagramSocket(bindingTo: TransportAddress(.v4(.init(0x7F00_0001)), port: 0), on: loop)
        var entropy = Entropy.system
        let credentials = DirectCredentials.random(.one, using: &entropy)
        var configuration = PeerConnectionConfiguration(
            .full(.controlling), localAddresses: [socket.localAddress], dtlsRole: .client)
        configuration.credentials = credentials.dialer
        configuration.ice = .direct
        connection = PeerConnection(
            configuration: configuration, engines: SystemEngines(certificate: .generate()), entropy: entropy,
            now: .now())
        channel = try connection.open(DataChannelOptions(label: "echo"), now: .now())
        try connection.send(.text(ByteBuffer(string: "over UDP")), on: channel, now: .now())
        connection.start(
            remote: PeerConnectionParameters(
                credentials: credentials.listener, candidates: [.host(target.remote)],
                fingerprint: target.fingerprint), now: .now())
    }

    func start() throws {
        // The socket's closures keep the client alive until it closes the socket.
        socket.start { datagrams, remote, local in
            let path = ICEPath(local: local, remote: remote)
            self.connection.handle(.datagrams(datagrams, on: path), now: .now())
        } readEnded: {
            self.drain()
        }
        drain()
    }

    private func drain() {
        while let output = connection.poll() {
            switch output {
            case .send(let datagrams, let path): socket.send(datagrams, to: path.remote)
            case .received(channel, let message):
                isDone = true
                done.succeed([message])
                connection.handle(.close, now: .now())
            case .closed(let error):
                if !isDone { done.fail(error ?? .noPath) }
                return socket.close()
            default: break
            }
        }
        guard connection.deadline < .distantFuture else { return }
        let bound = NIOLoopBound(self, eventLoop: loop)
        loop.scheduleTask(deadline: connection.deadline) {
            bound.value.connection.handle(.tick, now: .now())
            bound.value.drain()
        }
    }
}
