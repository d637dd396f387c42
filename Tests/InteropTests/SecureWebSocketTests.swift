import Foundation
import Testing

extension Interop {
    /// WebSocket over TLS with other people's peers and a browser.
    @Suite struct SecureWebSocketTests {
        typealias Direction = ConversationTests.Direction
        private static let secure = "/ip4/127.0.0.1/tcp/0/wss"

        /// The go daemon has no flag for a certificate, and so no such listener: see `daemonListens`.
        static let pairs: [(Kind, Direction)] = [(.python, .theyDial), (.python, .weDial), (.go, .theyDial)]

        @Test("We talk over WebSocket over TLS with other people's peers", arguments: pairs)
        func conversation(_ kind: Kind, _ direction: Direction) async throws {
            try await Stage.play { stage in
                let authority = try await TestAuthority(on: stage)
                let ours = try await Participant.start(
                    .ours, on: stage, listen: Self.secure, flags: authority.serving + authority.trusting)
                let theirs = try await Participant.start(
                    kind, on: stage, listen: kind == .go ? Participant.loopback : Self.secure,
                    flags: kind == .go ? [] : authority.serving, environment: authority.environment)
                switch direction {
                case .theyDial: try await theirs.connect(to: ours)
                case .weDial: try await ours.connect(to: theirs)
                }
                let open = try await ours.child.event("connection", ["peer": theirs.peer, "state": "open"])
                #expect(open.text("transport") == "wss")
                #expect(open.text("direction") == (direction == .weDial ? "out" : "in"))

                #expect(try await ours.ping(theirs) > 0)
                #expect(try await theirs.ping(ours) >= 0)
                try await waitForMesh([ours, theirs])
                let long = String(repeating: "lang und länger ", count: 3000)
                for (speaker, listener, text) in [
                    (ours, theirs, "grüß dich 👋🏽"), (theirs, ours, "здравствуй 👋🏽"), (ours, theirs, long + "1"),
                    (theirs, ours, long + "2"),
                ] {
                    try speaker.say(text)
                    try await listener.hears(text, from: speaker)
                }
            }
        }

        @Test("The go daemon does not listen over TLS: if it ever does, the pair belongs to the table")
        func daemonListens() async throws {
            try await Stage.play { stage in
                let script = [Installed.script("p2pd_peer.py"), "--exit-on-eof", "--p2pd", try Installed.p2pd()]
                let go = try stage.start("go", try Installed.python(), script + ["--listen", Self.secure])
                // It ends, or listens to nothing of the kind.
                try await until("go ends or says where it listens", within: .seconds(20)) {
                    !go.isRunning || go.events.contains { $0.event == "listening" }
                }
                let addresses = go.events.first { $0.event == "listening" }?.texts("addrs") ?? []
                #expect(!addresses.contains { $0.contains("/wss") || $0.contains("/tls") }, "\(addresses)")
            }
        }

        @Test("A name leads to a listener whose certificate is for it; whoever is not believed is refused")
        func names() async throws {
            try await Stage.play { stage in
                let authority = try await TestAuthority(on: stage)
                let ours = try await Participant.start(
                    .ours, on: stage, listen: Self.secure, flags: authority.serving)
                let port = try #require(ours.address.split(separator: "/").dropFirst(3).first)
                for name in ["/dns4/localhost/tcp/\(port)/wss", "/ip4/127.0.0.1/tcp/\(port)/tls/sni/peer.example/ws"] {
                    let ping = try await stage.run(["ping", name, "--count", "1"] + authority.trusting)
                    #expect(ping.status == 0, "\(ping.lastWords)")
                }
                for (address, flags, words) in [
                    ("/dns4/localhost/tcp/\(port)/wss", [], "authority that this machine does not trust"),
                    (
                        "/ip4/127.0.0.1/tcp/\(port)/tls/sni/other.example/ws", authority.trusting,
                        "certificate is not for other.example"
                    ),
                ] {
                    let ping = try await stage.run(["ping", address, "--count", "1"] + flags)
                    #expect(ping.status == 1 && ping.errors.contains(words), "\(ping.lastWords)")
                }
            }
        }

        @Test("Files that are no certificate, or no key of it, end the program at once, in a line with the flag")
        func badFiles() async throws {
            try await Stage.play { stage in
                let authority = try await TestAuthority(on: stage)
                let listen = ["--listen", "/ip4/127.0.0.1/tcp/0/tls/ws"]
                for (flags, culprit) in [
                    (["--tls-certificate", authority.key, "--tls-key", authority.key], "--tls-certificate"),
                    (["--tls-certificate", authority.root, "--tls-key", authority.key], "--tls-key"),
                    (["--tls-certificate", authority.chain, "--tls-key", authority.chain], "--tls-key"),
                    (["--tls-certificate", authority.chain, "--tls-key", "/nowhere"], "--tls-key"),
                    (["--tls-certificate", authority.chain], "--tls-certificate"),
                    (["--tls-trust", authority.key], "--tls-trust"), ([], "--listen"),
                ] {
                    let run = try await stage.run(["bot", "--ephemeral", "--no-mdns"] + listen + flags)
                    #expect(run.status == 64, "\(run.lastWords)")
                    #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)")
                    #expect(run.errors.contains(culprit), "\(run.errors)")
                }
            }
        }

        @Test("A browser opens a WebSocket over TLS, and our multistream answers in it")
        func browser() async throws {
            try await Stage.play { stage in
                let authority = try await TestAuthority(on: stage)
                let ours = try await Participant.start(
                    .ours, on: stage, listen: Self.secure, flags: authority.serving)
                let port = try #require(ours.address.split(separator: "/").dropFirst(3).first)
                let chromium = try Installed.tool("chromium")
                let script = [
                    Installed.script("browser_websocket.py"), "--browser", chromium, "--url",
                    "wss://127.0.0.1:\(port)/",
                ]
                let browser = try stage.start("chromium", try Installed.python(), script)
                let done = try await browser.event("done", within: .seconds(60))
                #expect(done["ok"] == .bool(true), "\(done)")
                #expect(done.text("heard") == "\u{13}/multistream/1.0.0\n")
            }
        }
    }
}
