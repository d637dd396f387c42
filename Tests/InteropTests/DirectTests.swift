import Foundation
import Testing

/// How a dialer of webrtc-direct makes its credentials.
enum DirectVersion: Int, CaseIterable, Sendable, CustomTestStringConvertible {
    case one = 1
    case two = 2
    var testDescription: String { "v\(rawValue)" }
}

/// Which loopback.
enum Loopback: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case v4 = "/ip4/127.0.0.1/"
    case v6 = "/ip6/::1/"
    var testDescription: String { self == .v4 ? "IPv4" : "IPv6" }
    var direct: String { rawValue + "udp/0/webrtc-direct" }
}

extension Interop {
    /// Over webrtc-direct with py-libp2p, each side dialling, by both versions, on IPv4 and IPv6.
    @Suite struct DirectTests {
        typealias Direction = ConversationTests.Direction

        @Test(
            "We talk over webrtc-direct with py-libp2p, whoever dials", .timeLimit(.minutes(2)),
            arguments: Direction.allCases,
            [(.one, .v4), (.two, .v4), (.one, .v6), (.two, .v6)] as [(DirectVersion, Loopback)])
        func conversation(_ direction: Direction, _ way: (version: DirectVersion, loopback: Loopback)) async throws {
            try await Stage.play { stage in
                let ours = try await Participant.direct(.ours, on: stage, way.version, way.loopback)
                let theirs = try await Participant.direct(.python, on: stage, way.version, way.loopback)
                switch direction {
                case .theyDial: try await theirs.connect(to: ours)
                case .weDial: try await ours.connect(to: theirs)
                }
                let open = try await ours.child.event("connection", ["peer": theirs.peer, "state": "open"])
                #expect(open.text("transport") == "webrtc-direct")
                #expect(open.text("direction") == (direction == .weDial ? "out" : "in"))
                #expect(open.text("address")?.hasPrefix(way.loopback.rawValue + "udp/") == true, "\(open)")

                #expect(try await ours.ping(theirs) > 0)
                #expect(try await theirs.ping(ours) >= 0)

                try theirs.child.send("/identify " + ours.peer)
                let identity = try await theirs.child.event("identify", ["peer": ours.peer])
                #expect(identity.text("agent")?.hasPrefix("swift-peer") == true, "\(identity)")
                #expect(identity["signed_record"] == .bool(true))
                let hashes = identity.texts("listen").filter { $0.contains("/webrtc-direct/certhash/") }
                #expect(
                    !hashes.isEmpty && hashes.allSatisfy { $0.split(separator: "certhash").count == 2 }, "\(identity)")

                try await waitForMesh([ours, theirs])
                for (speaker, listener, text) in [
                    (ours, theirs, "grüß dich 👋🏽"), (theirs, ours, "здравствуй 👋🏽"),
                ] {
                    try speaker.say(text)
                    try await listener.hears(text, from: speaker)
                }
            }
        }

        @Test("Two of ours talk over it too", arguments: DirectVersion.allCases, Loopback.allCases)
        func ourselves(_ version: DirectVersion, _ loopback: Loopback) async throws {
            try await Stage.play { stage in
                let ada = try await Participant.direct(.ours, on: stage, version, loopback, name: "ada")
                let bob = try await Participant.direct(.ours, on: stage, version, loopback, name: "bob")
                try await ada.connect(to: bob)
                try await waitForMesh([ada, bob])
                #expect(try await ada.ping(bob) > 0)
                #expect(try await bob.ping(ada) > 0)
            }
        }

        @Test("ping, identify and perf dial webrtc-direct", arguments: [Kind.ours, .python], DirectVersion.allCases)
        func commands(_ kind: Kind, _ version: DirectVersion) async throws {
            try await Stage.play { stage in
                let flag = ["--webrtc-direct-version", "\(version.rawValue)"]
                let theirs = try await Participant.direct(
                    kind, on: stage, version, .v4, name: "target", flags: ["--perf"])
                let ping = try await stage.run(["ping", theirs.address, "--count", "3"] + flag)
                #expect(ping.status == 0, "\(ping.lastWords)")
                #expect(ping.lines.count { $0.contains("ms") } >= 3, "\(ping.text)")
                let identify = try await stage.run(["identify", theirs.address, "--json"] + flag)
                #expect(identify.status == 0, "\(identify.lastWords)")
                #expect(identify.events.first?.text("peer") == theirs.peer)
                for (up, down) in [("1000000", "2000000"), ("0", "1"), ("1", "0")] {
                    let sizes = ["--upload", up, "--download", down, "--json"]
                    let perf = try await stage.run(["perf", theirs.address] + sizes + flag, within: .seconds(60))
                    #expect(perf.status == 0 && !perf.events.isEmpty, "\(perf.lastWords)")
                }
            }
        }

        @Test("py-libp2p's perf moves bytes to and from our bot", arguments: DirectVersion.allCases)
        func perfServer(_ version: DirectVersion) async throws {
            try await Stage.play { stage in
                let ours = try await Participant.direct(.ours, on: stage, version, .v4, flags: ["--perf"])
                let theirs = try await Participant.direct(.python, on: stage, version, .v4, flags: ["--perf"])
                try theirs.child.send("/perf \(ours.address) 3000000")
                let result = try await theirs.child.event("perf", within: .seconds(60))
                #expect(result["result"]?.number("upload_bytes") == 3_000_000)
                #expect(result["result"]?.number("download_bytes") == 3_000_000)
            }
        }

        @Test(
            "10 MB on one stream come back byte for byte, whoever dials and whoever opens it", .timeLimit(.minutes(1)),
            arguments: Direction.allCases, DirectVersion.allCases)
        func tenMegabytes(_ direction: Direction, _ version: DirectVersion) async throws {
            try await Stage.play { stage in
                let count = 10_000_000
                let theirs = try await Participant.direct(.python, on: stage, version, .v4)
                let ours = try await EchoingNode.start(version, on: stage)
                switch direction {
                case .theyDial:
                    try theirs.child.send("/connect \(ours.address)")
                    try await theirs.child.event("connected", ["peer": ours.id], within: .seconds(30))
                    try theirs.child.send("/echo \(ours.id) \(count)")
                    let echo = try await theirs.child.event("echo", within: .seconds(40))
                    #expect(echo.number("bytes") == Double(count))
                    #expect(echo["same"] == .bool(true))
                case .weDial:
                    let bytes = (0..<count / 8).reduce(into: Data(capacity: count)) { data, _ in
                        withUnsafeBytes(of: UInt64.random(in: 0 ... .max)) { data.append(contentsOf: $0) }
                    }
                    let back = try await ours.echo(bytes, dialling: theirs.address)
                    #expect(back.count == bytes.count && digest(back) == digest(bytes))
                }
            }
        }

        @Test("A wrong certhash is refused, and so is the certhash of somebody else's peer id", .timeLimit(.minutes(1)))
        func imposter() async throws {
            try await Stage.play { stage in
                let theirs = try await Participant.direct(.python, on: stage, .one, .v4, name: "target")
                let other = try await Participant.direct(.ours, on: stage, .one, .v4, name: "other")
                let parts = theirs.address.split(separator: "/").map(String.init)
                let hash = try #require(parts.firstIndex(of: "certhash")) + 1
                var wrongHash = parts
                wrongHash[hash] = try #require(
                    other.address.split(separator: "/").map(String.init).dropFirst(hash).first)
                var wrongPeer = parts
                wrongPeer[parts.count - 1] = other.peer
                for address in [wrongHash, wrongPeer] {
                    let target = "/" + address.joined(separator: "/")
                    let ping = try await stage.run(["ping", target, "--count", "1", "--webrtc-direct-version", "1"])
                    #expect(ping.status == 1, "\(target): \(ping.lastWords)")
                    #expect(ping.errors.split(separator: "\n").count == 1, "\(ping.errors)")
                }
            }
        }
    }

    /// A real browser dials us, from a page that has nothing but the browser's own APIs.
    @Suite struct BrowserTests {
        /// What Chromium will not let pages do soon: choose the ufrag and the password.
        private static let unmangled = "--flag=--force-fieldtrials=WebRTC-NoSdpMangleUfrag/Enabled/"

        @Test(
            "Chromium dials us: Noise to its end, and pings", .timeLimit(.minutes(2)),
            arguments: [(.one, false), (.two, false), (.two, true)] as [(DirectVersion, Bool)], Loopback.allCases)
        func chromium(_ way: (version: DirectVersion, unmangled: Bool), _ loopback: Loopback) async throws {
            try await Stage.play { stage in
                let ours = try await Participant.direct(.ours, on: stage, way.version, loopback)
                let page = try stage.start(
                    "chromium", try Installed.python(),
                    [
                        Installed.script("browser_direct.py"), "--browser", try Installed.tool("chromium"),
                        "--address", ours.address, "--version", "\(way.version.rawValue)", "--pings", "3",
                    ] + (way.unmangled ? [Self.unmangled] : []))
                let noise = try await page.event("noise", within: .seconds(60))
                #expect(noise.text("peer") == ours.peer)
                let done = try await page.event("done", within: .seconds(30))
                #expect(done["ok"] == .bool(true), "\(done)")
                #expect(page.events.count { $0.event == "pong" } == 3)
                let open = try await ours.child.event("connection", ["state": "open"])
                #expect(open.text("transport") == "webrtc-direct" && open.text("direction") == "in")
                #expect(try await page.ended(within: .seconds(20)) == 0)
            }
        }
    }
}

extension Participant {
    /// Starts one that listens on webrtc-direct alone, and dials by `version`.
    static func direct(
        _ kind: Kind, on stage: Stage, _ version: DirectVersion, _ loopback: Loopback, name: String? = nil,
        flags: [String] = []
    ) async throws -> Participant {
        let dials =
            kind == .ours
            ? ["--webrtc-direct-version", "\(version.rawValue)"] : ["--webrtc-dial-version", "\(version.rawValue)"]
        return try await start(kind, on: stage, name: name, listen: loopback.direct, flags: dials + flags)
    }
}
