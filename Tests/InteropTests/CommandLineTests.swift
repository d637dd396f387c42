import Foundation
import Testing

extension Interop {
    /// The command line as the contract states it: exit codes, one-line errors, variables, signals.
    @Suite struct CommandLineTests {
        private static let quiet = [
            "--ephemeral", "--no-mdns", "--no-stun", "--listen", Participant.loopback,
        ]

        @Test(
            "--version and --help answer and leave",
            arguments: [["--version"], ["--help"], ["help", "bot"]])
        func answers(_ arguments: [String]) async throws {
            try await Stage.play { stage in
                let run = try await stage.run(arguments)
                #expect(run.status == 0, "\(run.lastWords)")
                #expect(!run.text.isEmpty && run.errors.isEmpty, "\(run.lastWords)")
            }
        }

        @Test(
            "A bad value is refused at once, in one line that names the flag and the value",
            arguments: [
                ("--port", "chat"), ("--port", "65536"), ("--port", "-1"), ("--listen", "nonsense"),
                ("--listen", "/ip4/300.0.0.1/tcp/1"),
                ("--connect", "hello"),
                ("--bootstrap", "hello"), ("--external-address", "x"), ("--stun", "http://a"),
                ("--turn", "turn:x"),
                ("--log-level", "loud"), ("--room", ""),
            ])
        func badValues(_ flag: String, _ value: String) async throws {
            try await Stage.play { stage in
                let run = try await stage.run(
                    ["bot", "--ephemeral", "--no-mdns", "\(flag)=\(value)"], within: .seconds(5))
                #expect(run.status == 64, "\(run.lastWords)")
                let lines = run.errors.split(separator: "\n")
                #expect(lines.count == 1, "\(run.errors)")
                let name = flag == "--bootstrap" ? "--connect" : flag
                #expect(run.errors.contains(name) || run.errors.contains(flag), "\(run.errors)")
                #expect(value.isEmpty || run.errors.contains(value), "\(run.errors)")
            }
        }

        @Test("So is a bad value in a variable")
        func badVariable() async throws {
            try await Stage.play { stage in
                let run = try await stage.run(
                    ["bot", "--ephemeral"], environment: ["SWIFT_PEER_PORT": "many"])
                #expect(run.status == 64, "\(run.lastWords)")
                #expect(
                    run.errors.contains("many") && run.errors.split(separator: "\n").count == 1,
                    "\(run.errors)")
            }
        }

        @Test("Variables set flags, lists by commas, and a flag wins over its variable")
        func variables() async throws {
            try await Stage.play { stage in
                let variables = [
                    "SWIFT_PEER_NICK": "ada", "SWIFT_PEER_ROOM": "tea,coffee", "SWIFT_PEER_NO_MDNS": "1",
                    "SWIFT_PEER_LISTEN": Participant.loopback, "SWIFT_PEER_JSON": "true",
                ]
                let program = try Installed.program()
                let bot = try stage.start("bot", program, ["bot", "--ephemeral"], environment: variables)
                let ready = try await bot.event("ready")
                #expect(ready.text("nick") == "ada")
                #expect(ready.texts("rooms") == ["tea", "coffee"])
                #expect(ready.texts("addresses").allSatisfy { $0.hasPrefix("/ip4/127.0.0.1/tcp/") })
                let arguments = ["bot", "--ephemeral", "--nick", "bob"]
                let other = try stage.start("other", program, arguments, environment: variables)
                #expect(try await other.event("ready").text("nick") == "bob")
            }
        }

        @Test("id makes an identity once, for its owner only, and the bot takes it")
        func identity() async throws {
            try await Stage.play { stage in
                let file = stage.folder.appending(path: "identity.key").path
                let first = try await stage.run(["id", "--identity", file])
                #expect(first.status == 0, "\(first.lastWords)")
                let peer = try #require(first.lines.first)
                #expect(peer.hasPrefix("12D3Koo"))
                let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
                #expect(mode == 0o600)
                #expect(try await stage.run(["id", "--identity", file]).lines == first.lines)
                let flags = [
                    "bot", "--json", "--no-mdns", "--listen", Participant.loopback, "--identity", file,
                ]
                let bot = try stage.start("bot", try Installed.program(), flags)
                #expect(try await bot.event("ready").text("peer") == peer)
            }
        }

        @Test("A file that is no identity is refused, and stays as it is")
        func badIdentity() async throws {
            try await Stage.play { stage in
                let file = stage.folder.appending(path: "notes.txt")
                try Data("not a key".utf8).write(to: file)
                let run = try await stage.run(["id", "--identity", file.path])
                #expect(run.status != 0)
                #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)")
                #expect(try String(contentsOf: file, encoding: .utf8) == "not a key")
            }
        }

        @Test(
            "SIGINT, SIGTERM and quit leave within two seconds with status 0",
            arguments: ["INT", "TERM", "quit", "/quit"])
        func leaving(_ way: String) async throws {
            try await Stage.play { stage in
                let json = way == "/quit" ? [] : ["--json"]
                let other = try await Participant.start(.ours, on: stage, name: "other")
                let bot = try stage.start(
                    "bot", try Installed.program(),
                    ["bot"] + Self.quiet + json + ["--connect", other.address])
                try await other.child.event("connection", ["state": "open", "direction": "in"])
                switch way {
                case "INT": bot.signalled(SIGINT)
                case "TERM": bot.signalled(SIGTERM)
                case "quit": try bot.send(#"{"quit":true}"#)
                default: try bot.send("/quit")
                }
                let begin = ContinuousClock.now
                #expect(try await bot.ended(within: .seconds(10)) == 0)
                #expect(ContinuousClock.now - begin < .milliseconds(2500))
                // It said goodbye: nobody has to find out by a deadline.
                try await other.child.event("connection", ["state": "closed"], within: .seconds(5))
            }
        }

        @Test("--exit-on-eof publishes all of its input, then leaves")
        func exitOnEnd() async throws {
            try await Stage.play { stage in
                let listener = try await Participant.start(.ours, on: stage, name: "listener")
                let flags = ["bot"] + Self.quiet + ["--exit-on-eof", "--connect", listener.address]
                let input = (1...20).map { "line \($0)" }
                let run = try await stage.run(
                    flags, input: input.joined(separator: "\n"), within: .seconds(30))
                #expect(run.status == 0, "\(run.lastWords)")
                try await until("all lines arrive", within: .seconds(5)) {
                    listener.child.events.compactMap(listener.heard).map(\.text) == input
                }
            }
        }

        @Test("The plain bot shows the conversation as the contract says")
        func plain() async throws {
            try await Stage.play { stage in
                let ada = try await Participant.start(.ours, on: stage, name: "ada")
                let flags = ["bot"] + Self.quiet + ["--nick", "bob", "--connect", ada.address]
                let bob = try stage.start("bob", try Installed.program(), flags)
                try await until("bob says what happens to connections", within: .seconds(20)) {
                    bob.lines.contains { $0.hasPrefix("--") && $0.contains(ada.peer.suffix(8)) }
                }
                try await ada.child.event("peer", ["state": "joined"])
                try ada.say("good morning")
                try await until("bob shows the line", within: .seconds(20)) {
                    bob.lines.contains { $0.contains("good morning") }
                }
                let line = try #require(bob.lines.first { $0.contains("good morning") })
                #expect(line.wholeMatch(of: /\d\d:\d\d:\d\d <(.*·)?\w{8}> good morning/) != nil, "\(line)")
                #expect(line.contains("\(ada.peer.suffix(8))>"))
                try bob.send("and to you")
                try await ada.child.event("message", ["text": "and to you"])
            }
        }

        @Test("Commands of the bot that cannot be carried out answer with an error event")
        func errors() async throws {
            try await Stage.play { stage in
                let bot = try await Participant.start(.ours, on: stage)
                let commands = [
                    #"{"say":"#, #"[1,2]"#, #"{"dance":true}"#, #"{"connect":"nowhere"}"#,
                    #"{"disconnect":"x"}"#,
                    #"{"say":"text","room":"a room we are not in"}"#,
                    #"{"direct-message":"x","to":"\#(bot.peer)"}"#,
                ]
                for command in commands {
                    let seen = bot.child.events.count
                    try bot.child.send(command)
                    let error = try await bot.child.event("error", skipping: seen)
                    #expect(error.text("message")?.isEmpty == false)
                    #expect(error.text("input") == command)
                }
                try bot.child.send(#"{"join":"tea"}"#)
                try bot.child.send(#"{"quit":true}"#)
                #expect(try await bot.child.ended(within: .seconds(5)) == 0)
            }
        }

        @Test("Invalid UTF-8 and escape sequences reach nobody's terminal as they are")
        func unclean() async throws {
            try await Stage.play { stage in
                let bob = try await Participant.start(.ours, on: stage, name: "bob")
                let python = try await Participant.start(.python, on: stage)
                try await python.connect(to: bob)
                try await waitForMesh([bob, python])
                try python.say("a\u{1B}[31mred\u{202E}b")
                try await bob.child.event("a message", within: .seconds(20)) {
                    $0.text("text")?.contains("red") == true
                }
                #expect(!bob.child.text.contains("\u{1B}"))
            }
        }
    }
}
