import ArgumentParser
import Testing

@testable import SwiftPeer

@Suite struct CommandTests {
    @Test(
        "The words on the command line name the command",
        arguments: [
            ([], "ChatSubcommand"), (["--nick", "x"], "ChatSubcommand"), (["chat"], "ChatSubcommand"),
            (["--headless"], "ChatSubcommand"),
            (["bot", "--json"], "BotCommand"), (["relay"], "RelayCommand"), (["id"], "IDCommand"),
            (["ping", "/ip4/1.2.3.4/tcp/1"], "PingCommand"), (["identify", "x", "--json"], "IdentifyCommand"),
            (["perf", "x", "--upload", "1", "--download", "2"], "PerfCommand"),
        ])
    func command(arguments: [String], name: String) throws {
        #expect(String(describing: type(of: try RootCommand.parseAsRoot(arguments))) == name)
    }

    @Test(
        "Flags nobody knows end with status 64",
        arguments: [
            ["--nonsense"], ["bot", "--nonsense"], ["relay", "--exit-on-eof"], ["ping"], ["bot", "extra"], ["--port"],
            ["--port", "70000"], ["relay", "--port", "70000"], ["ping", "nowhere"],
            ["ping", "/ip4/1.2.3.4/tcp/1", "--count", "0"],
            ["perf", "/ip4/1.2.3.4/tcp/1"], ["perf", "/ip4/1.2.3.4/tcp/1", "--upload", "-1"], ["--json"],
            ["--exit-on-eof"],
            ["identify", "x"],
        ])
    func usage(arguments: [String]) {
        #expect(Main.run(arguments, Environment([:])) == .usage)
    }

    @Test("A relay's flags are judged before it starts")
    func relay() {
        #expect(Main.run(["relay", "--log-level", "x"], Environment([:])) == .usage)
        #expect(Main.run(["relay", "--relay-server", "--no-relay-server"], Environment([:])) == .usage)
        #expect(Main.run(["relay", "--relay-reservations", "0"], Environment([:])) == .usage)
    }

    @Test(
        "Help and version end well",
        arguments: [["--help"], ["--version"], ["help", "bot"], ["bot", "--help"], ["help"]])
    func help(arguments: [String]) {
        #expect(Main.run(arguments, Environment([:])) == .success)
    }

    @Test("The parser's message becomes one line")
    func oneLine() {
        #expect(Main.usageLine("Unknown option\n\n  See --help\u{1B}") == "Unknown option See --help ")
    }
}
