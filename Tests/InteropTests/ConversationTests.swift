import Foundation
import Testing

extension Interop {
    /// Two peers, one of them ours: connect, identify, ping, chat.
    @Suite struct ConversationTests {
        /// Who dials.
        enum Direction: String, CaseIterable, CustomTestStringConvertible {
            case theyDial = "they dial us"
            case weDial = "we dial them"
            var testDescription: String { rawValue }
        }

        @Test("We talk over TCP with other people's peers", arguments: Kind.others, Direction.allCases)
        func conversation(_ kind: Kind, _ direction: Direction) async throws {
            try await Stage.play { stage in
                let ours = try await Participant.start(.ours, on: stage)
                let theirs = try await Participant.start(kind, on: stage)
                switch direction {
                case .theyDial: try await theirs.connect(to: ours)
                case .weDial: try await ours.connect(to: theirs)
                }
                let open = try await ours.child.event("connection", ["peer": theirs.peer, "state": "open"])
                #expect(open.text("transport") == "tcp")
                #expect(open.text("direction") == (direction == .weDial ? "out" : "in"))
                #expect(open.text("address")?.hasPrefix("/ip4/127.0.0.1/tcp/") == true)

                #expect(try await ours.ping(theirs) > 0)
                // One clock tick of py-libp2p is a millisecond: its answer may be zero.
                #expect(try await theirs.ping(ours) >= 0)

                try theirs.child.send("/identify " + ours.peer)
                try expectIdentity(
                    of: ours, in: try await theirs.child.event("identify", ["peer": ours.peer]))

                try await waitForMesh([ours, theirs])
                for (speaker, listener, text) in [
                    (ours, theirs, "grüß dich 👋🏽"), (theirs, ours, "здравствуй 👋🏽"),
                ] {
                    try speaker.say(text)
                    try await listener.hears(text, from: speaker)
                }
            }
        }

        @Test("Two of ours talk too")
        func ourselves() async throws {
            try await Stage.play { stage in
                let ada = try await Participant.start(.ours, on: stage, name: "ada")
                let bob = try await Participant.start(.ours, on: stage, name: "bob")
                try await ada.connect(to: bob)
                try await waitForMesh([ada, bob])
                for (speaker, listener) in [(ada, bob), (bob, ada)] {
                    try speaker.say("twice")
                    try speaker.say("twice")
                    try await until("both arrive", within: .seconds(20)) {
                        listener.child.events.compactMap(listener.heard).count { $0.text == "twice" } == 2
                    }
                }
                #expect(try await ada.ping(bob) > 0)
            }
        }

        private func expectIdentity(of ours: Participant, in identify: JSON) throws {
            #expect(identify.text("agent")?.hasPrefix("swift-peer") == true, "\(identify)")
            #expect(identify.text("protocol_version") == "ipfs/0.1.0")
            let protocols = identify.texts("protocols")
            for name in ["/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0", "/ipfs/ping/1.0.0", "/meshsub/1.1.0"] {
                #expect(protocols.contains(name), "\(protocols)")
            }
            let port = try #require(ours.address.split(separator: "/").dropFirst(3).first)
            #expect(
                identify.texts("listen").contains { $0.hasPrefix("/ip4/127.0.0.1/tcp/\(port)") },
                "\(identify)")
            #expect(identify.text("observed")?.hasPrefix("/ip4/127.0.0.1/tcp/") == true, "\(identify)")
            #expect(identify["signed_record"] == .bool(true))
        }
    }

    /// `swift-peer ping`, `identify` and `perf` against other people's peers, and theirs against our bot.
    @Suite struct CommandTests {
        @Test("ping prints a line for each round trip", arguments: Kind.allCases)
        func ping(_ kind: Kind) async throws {
            try await Stage.play { stage in
                let theirs = try await Participant.start(kind, on: stage, name: "target")
                let ping = try await stage.run(["ping", theirs.address, "--count", "3"])
                #expect(ping.status == 0, "\(ping.lastWords)")
                #expect(ping.lines.count { $0.contains("ms") } >= 3, "\(ping.text)")
            }
        }

        @Test("identify prints what the peer says of itself", arguments: Kind.allCases)
        func identify(_ kind: Kind) async throws {
            try await Stage.play { stage in
                let theirs = try await Participant.start(kind, on: stage, name: "target")
                let plain = try await stage.run(["identify", theirs.address])
                #expect(plain.status == 0, "\(plain.lastWords)")
                for part in [theirs.peer, kind.agent, "/ipfs/ping/1.0.0", "/ip4/127.0.0.1/tcp/"] {
                    #expect(plain.text.contains(part), "no \(part) in: \(plain.text)")
                }
                let json = try await stage.run(["identify", theirs.address, "--json"])
                #expect(json.status == 0, "\(json.lastWords)")
                let identity = try #require(json.events.first, "\(json.lastWords)")
                #expect(identity.text("peer") == theirs.peer)
                #expect(identity.text("agent")?.contains(kind.agent) == true)
                #expect(identity.texts("protocols").contains("/ipfs/id/1.0.0"))
            }
        }

        @Test("perf moves bytes both ways", arguments: [Kind.ours, .python])
        func perf(_ kind: Kind) async throws {
            try await Stage.play { stage in
                let theirs = try await Participant.start(kind, on: stage, name: "target", flags: ["--perf"])
                for (up, down) in [("1000000", "2000000"), ("0", "1"), ("1", "0")] {
                    let arguments = ["perf", theirs.address, "--upload", up, "--download", down, "--json"]
                    let perf = try await stage.run(arguments, within: .seconds(60))
                    #expect(perf.status == 0 && !perf.events.isEmpty, "\(perf.lastWords)")
                }
            }
        }

        @Test("py-libp2p's perf moves bytes to and from our bot")
        func perfServer() async throws {
            try await Stage.play { stage in
                let ours = try await Participant.start(.ours, on: stage, flags: ["--perf"])
                let theirs = try await Participant.start(.python, on: stage, flags: ["--perf"])
                try theirs.child.send("/perf \(ours.address) 3000000")
                let result = try await theirs.child.event("perf", within: .seconds(60))
                #expect(result["result"]?.number("upload_bytes") == 3_000_000)
                #expect(result["result"]?.number("download_bytes") == 3_000_000)
            }
        }

        @Test("ping of nobody fails with one line")
        func nobody() async throws {
            try await Stage.play { stage in
                // A port that was free a moment ago, and a peer that nobody is.
                let bot = try await Participant.start(.ours, on: stage)
                await bot.child.stop()
                let ping = try await stage.run(["ping", bot.address, "--count", "1"])
                #expect(ping.status == 1, "\(ping.lastWords)")
                #expect(ping.errors.split(separator: "\n").count == 1, "\(ping.errors)")
            }
        }
    }
}
