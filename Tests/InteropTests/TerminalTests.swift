import Foundation
import Testing

extension Interop {
    /// The real program in a real terminal: what a person types and sees.
    @Suite struct TerminalTests {
        private static func chat(_ flags: String...) throws -> [String] {
            [
                try Installed.program(), "chat", "--ephemeral", "--no-stun", "--listen",
                "/ip4/0.0.0.0/tcp/0",
            ] + flags
        }

        @Test("A line typed here stands here; the terminal is left as it was", .timeLimit(.minutes(2)))
        func typing() async throws {
            try await Stage.play { stage in
                let tmux = try await Tmux(on: stage, columns: 100, rows: 30)
                let chat = try Self.chat("--nick", "ada", "--no-mdns")
                let after = "\"$@\"; echo left with $?; stty -a; cat"
                let window = try await tmux.window(
                    "ada", columns: 100, rows: 30, ["sh", "-c", after, "sh"] + chat)
                try await window.shows("ada")
                try await window.enter("an echo of my own: žluťoučký 日本語 👋🏽")
                try await window.shows("an echo of my own: žluťoučký 日本語")
                try await window.enter("/help")
                try await window.shows("/connect")
                try await window.enter("/quit")
                try await window.shows("left with 0", within: .seconds(5))
                try await window.shows("icanon")
                let modes = try await window.screen().joined(separator: " ")
                #expect(
                    modes.contains(" icanon") && modes.contains(" echo ") && modes.contains(" isig"),
                    "\(modes)")
            }
        }

        @Test("Editing, history and scrolling", .timeLimit(.minutes(2)))
        func editing() async throws {
            try await Stage.play { stage in
                let tmux = try await Tmux(on: stage, columns: 100, rows: 24)
                let chat = try Self.chat("--nick", "ada", "--no-mdns")
                let window = try await tmux.window("ada", columns: 100, rows: 24, chat)
                try await window.shows("ada")
                try await window.type("helo")
                try await window.press("Left", "Left")
                try await window.type("l")
                try await window.press("Enter")
                try await window.shows("hello")
                for number in 1...60 { try await window.enter("line number \(number).") }
                try await window.shows("line number 60.")
                try await window.press("PPage")
                try await window.shows("earlier lines") { screen in
                    screen.contains { $0.contains("line number 4") }
                        && !screen.contains { $0.contains("number 60.") }
                }
                try await window.press("NPage")
                try await window.shows("line number 60.")
                try await window.press("Up", "Up")
                try await window.press("Enter")
                try await window.shows("the line before the last, again") { screen in
                    screen.count { $0.contains("line number 59.") } >= 2
                }
            }
        }

        @Test("Down to 40×10 and back, it stays usable", .timeLimit(.minutes(2)))
        func resizing() async throws {
            try await Stage.play { stage in
                let tmux = try await Tmux(on: stage, columns: 120, rows: 40)
                let chat = try Self.chat("--nick", "ada", "--no-mdns")
                let window = try await tmux.window("ada", columns: 120, rows: 40, chat)
                try await window.shows("ada")
                for (number, size) in [(80, 24), (40, 10), (60, 15), (20, 5), (120, 40)].enumerated() {
                    try await window.resize(columns: size.0, rows: size.1)
                    guard size.0 >= 40 else { continue }
                    try await window.enter("size \(number)")
                    try await window.shows("size \(number) in \(size.0)×\(size.1)") { screen in
                        screen.contains { $0.contains("size \(number)") }
                            && screen.count { !$0.allSatisfy(\.isWhitespace) } <= size.1
                    }
                }
            }
        }

        @Test("Two starts without a flag find each other by mDNS, and a line typed in one appears in the other")
        func discovery() async throws {
            try await Stage.play { stage in
                let tmux = try await Tmux(on: stage, columns: 110, rows: 30, alone: true)
                var windows: [Tmux.Window] = []
                for name in ["first", "second"] {
                    windows.append(
                        try await tmux.window(name, columns: 110, rows: 30, [try Installed.program()]))
                    try await windows[windows.count - 1].shows(Participant.chat)
                }
                try await talk(windows[0], windows[1], "hello from the first")
                try await talk(windows[1], windows[0], "hello from the second")
                for window in windows { try await window.enter("/quit") }
            }
        }

        /// Says a line again and again, with a number, until it stands on the other screen: they may not have met yet.
        private func talk(_ speaker: Tmux.Window, _ listener: Tmux.Window, _ line: String) async throws {
            var round = 0
            var next = ContinuousClock.now
            try await listener.shows(line, within: .seconds(40)) { screen in
                screen.contains { $0.contains(line) }
            } meanwhile: {
                guard ContinuousClock.now >= next else { return }
                round += 1
                next = .now + .seconds(2)
                try await speaker.enter("\(line) \(round)")
            }
        }
    }

    /// Discovery on the local network together with other people's peers.
    @Suite struct DiscoveryTests {
        @Test("We and py-libp2p find each other by mDNS", .timeLimit(.minutes(2)))
        func mdns() async throws {
            try await Stage.play { stage in
                let alone = try await LonelyNetwork.prefix()
                // One network for both: a shell in it starts them, each with its own output in a file.
                let script = """
                    "$1" bot --json --ephemeral --no-stun --listen /ip4/0.0.0.0/tcp/0 </dev/zero &
                    ours=$!
                    trap 'kill $ours $theirs' TERM EXIT
                    "$2" "$3" --no-webrtc --mdns --listen /ip4/0.0.0.0/tcp/0 </dev/null &
                    theirs=$!
                    wait
                    """
                let arguments = [
                    "-c", script, "sh", try Installed.program(), try Installed.python(),
                    Installed.script("py_chat_peer.py"),
                ]
                let command = alone + [try Installed.tool("sh")] + arguments
                let both = try stage.start("both", command[0], Array(command.dropFirst()))
                let theirs = try await both.event("listening", within: .seconds(40))
                let ours = try await both.event("ready", within: .seconds(40))
                let peer = try #require(theirs.text("peer"))
                try await both.event("connection", ["peer": peer, "state": "open"], within: .seconds(40))
                try await both.event(
                    "discovered", ["peer": try #require(ours.text("peer"))], within: .seconds(40))
            }
        }
    }
}
