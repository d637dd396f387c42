import ArgumentParser
import CMalloc
import Glibc

/// Where the process begins and ends.
@main enum Main {
    static func main() {
        keepFreedPages()
        let status = Self.run(Array(CommandLine.arguments.dropFirst()), Self.environment)
        // `exit` and not a return: a second thread may still be writing a last log line.
        exit(status.code)
    }

    /// Lets the allocator keep a few megabytes that are free at the moment. By default glibc gives back the top of the
    /// heap as soon as 128 KiB of it are free, and bulk traffic, whose buffers come and go by the hundred a
    /// millisecond, then spends a fifth of its time on fresh pages.
    private static func keepFreedPages() {
        mallopt(M_TRIM_THRESHOLD, 8 << 20)
        mallopt(M_MMAP_THRESHOLD, 2 << 20)
    }

    /// Parses, executes, and says in one line on stderr why not.
    static func run(_ arguments: [String], _ environment: Environment) -> ProcessStatus {
        let command: any ParsableCommand
        do { command = try RootCommand.parseAsRoot(arguments) } catch { return explain(error) }
        guard let executable = command as? any Executable else {
            // `swift-peer help`: ArgumentParser's own command, which prints.
            var command = command
            do { try command.run() } catch { return explain(error) }
            return .success
        }
        do { return try executable.execute(environment) } catch {
            StandardError.write(error.message)
            return error.status
        }
    }

    /// Help and version go to stdout; everything else is a usage error of one line.
    private static func explain(_ error: any Error) -> ProcessStatus {
        guard RootCommand.exitCode(for: error) != .success else {
            let text = RootCommand.fullMessage(for: error)
            print(text)
            return .success
        }
        StandardError.write(usageLine(RootCommand.message(for: error)))
        return .usage
    }

    /// ArgumentParser's message as one line.
    static func usageLine(_ message: String) -> String {
        message.split(separator: "\n").map { $0.drop { $0 == " " } }.filter { !$0.isEmpty }.joined(separator: " ")
            .printableLine
    }

    private static var environment: Environment {
        let names = [
            "CONNECT", "BOOTSTRAP", "LISTEN", "PORT", "EXTERNAL_ADDRESS", "NICK", "ROOM", "IDENTITY", "DATA_DIR",
            "EPHEMERAL", "STUN", "NO_STUN", "TURN", "RELAY_SERVER", "NO_RELAY_SERVER", "NO_MDNS", "LOG_LEVEL",
            "LOG_FILE", "JSON", "EXIT_ON_EOF", "PERF", "HEADLESS", "COUNT", "UPLOAD", "DOWNLOAD",
            "WEBRTC_DIRECT_VERSION", "HTTP",
        ].map { "SWIFT_PEER_" + $0 }
        var variables: [String: String] = [:]
        for name in names + ["HOME", "USER", "XDG_DATA_HOME"] {
            if let value = getenv(name) { variables[name] = String(cString: value) }
        }
        return Environment(variables)
    }
}
