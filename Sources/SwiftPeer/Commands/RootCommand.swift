import ArgumentParser

/// `swift-peer`: a terminal chat, a bot and some tools on one libp2p node.
struct RootCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "swift-peer",
        abstract: "A chat in the terminal on a libp2p node of its own.",
        discussion: """
            Every flag can also be set by an environment variable: SWIFT_PEER_ and its name in capitals, '-' as '_', \
            lists separated by commas. The command line wins.

            Exit status: 0 done; 1 no answer; 64 a bad flag or value; 69 not available in this version, or no \
            terminal; 71 the system refused; 74 a file could not be read or written; 75 the identity is in use; \
            78 a file holds something else than it should.
            """,
        version: "swift-peer \(Version.text)",
        subcommands: [
            ChatSubcommand.self, BotCommand.self, RelayCommand.self, PingCommand.self, IdentifyCommand.self,
            PerfCommand.self, EchoCommand.self, IDCommand.self,
        ],
        defaultSubcommand: ChatSubcommand.self)
}

/// What this program calls itself.
enum Version {
    /// By semver.org; the release commit changes it.
    static let text = "0.1.0"
    /// What identify tells other peers.
    static let agent = "swift-peer/\(text)"
    /// What it dials and listens on.
    static let transports = "TCP, WebSocket, WebRTC and circuits through relays only"
}

/// A command that is carried out on the main thread; ArgumentParser's own `run` would decide how errors look.
protocol Executable: ParsableCommand {
    /// Does the work; the result is the process's exit status.
    func execute(_ environment: Environment) throws(Failure) -> ProcessStatus
}
