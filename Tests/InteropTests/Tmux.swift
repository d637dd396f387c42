import Foundation
import Testing

/// A terminal that a test types into and reads: a tmux server of its own, with one window for each program.
struct Tmux: Sendable {
    private let stage: Stage
    private let socket: String
    private let tmux: String

    /// Starts a server on `stage`; with `network`, in a network of its own where multicast reaches nobody else.
    init(on stage: Stage, columns: Int, rows: Int, alone network: Bool = false) async throws {
        self.stage = stage
        tmux = try Installed.tool("tmux")
        socket = stage.folder.appending(path: "tmux").path
        let size = ["-x", String(columns), "-y", String(rows)]
        let start =
            ["-u", "-S", socket, "-f", "/dev/null", "new-session", "-d", "-s", "stage"] + size + ["cat"]
        if network {
            let alone = try await LonelyNetwork.prefix()
            try await Self.succeed(stage, alone[0], Array(alone.dropFirst()) + [tmux] + start)
        } else {
            try await Self.succeed(stage, tmux, start)
        }
        let (tmux, socket) = (tmux, socket)
        stage.atEnd {
            guard let child = try? Child("tmux", tmux, ["-S", socket, "kill-server"]) else { return }
            _ = try? await child.ended(within: .seconds(5))
        }
        try await command(["set-option", "-g", "default-terminal", "screen-256color"])
        try await command(["set-option", "-g", "remain-on-exit", "on"])
    }

    /// Opens a window that runs a shell command.
    func window(_ name: String, columns: Int, rows: Int, _ words: [String]) async throws -> Window {
        let quoted = words.map { "'" + $0.replacing("'", with: "'\\''") + "'" }.joined(separator: " ")
        try await command(["new-window", "-d", "-n", name, "-t", "stage:", quoted])
        let window = Window(tmux: self, name: name)
        try await window.resize(columns: columns, rows: rows)
        return window
    }

    @discardableResult
    fileprivate func command(_ arguments: [String]) async throws -> String {
        try await Self.succeed(stage, tmux, ["-u", "-S", socket] + arguments)
    }

    @discardableResult
    private static func succeed(_ stage: Stage, _ program: String, _ arguments: [String]) async throws
        -> String
    {
        // Not one of the stage's: its words would bury those of the program under test.
        let home = ["HOME": stage.folder.path, "XDG_DATA_HOME": stage.folder.path]
        let child = try Child("tmux", program, arguments, environment: home)
        guard try await child.ended(within: .seconds(10)) == 0 else {
            throw Failure("\(program) \(arguments.joined(separator: " ")): \(child.errors)")
        }
        return child.text
    }

    /// One program in its window.
    struct Window: Sendable {
        fileprivate let tmux: Tmux
        let name: String

        private var target: String { "stage:" + name }

        /// What stands on the screen, a string for each row.
        func screen() async throws -> [String] {
            let text = try await tmux.command(["capture-pane", "-p", "-t", target])
            return text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        }

        /// Waits until `condition` holds for the screen; a failure shows it.
        func shows(
            _ what: String, within limit: Duration = .seconds(20), _ condition: ([String]) -> Bool,
            meanwhile: () async throws -> Void = {}
        ) async throws {
            var last: [String] = []
            do {
                try await until("\(name) shows \(what)", within: limit) {
                    try await meanwhile()
                    last = try await screen()
                    return condition(last)
                }
            } catch {
                throw Failure("\(error)\nThe screen of \(name):\n" + last.joined(separator: "\n"))
            }
        }

        /// Waits until `text` stands on one row.
        func shows(_ text: String, within limit: Duration = .seconds(20)) async throws {
            try await shows(text, within: limit) { $0.contains { $0.contains(text) } }
        }

        /// Types text as it is.
        func type(_ text: String) async throws {
            try await tmux.command(["send-keys", "-t", target, "-l", text])
        }

        /// Presses keys by tmux's names: Enter, Tab, PPage, C-c.
        func press(_ keys: String...) async throws {
            try await tmux.command(["send-keys", "-t", target] + keys)
        }

        /// Types a line and Enter.
        func enter(_ line: String) async throws {
            try await type(line)
            try await press("Enter")
        }

        func resize(columns: Int, rows: Int) async throws {
            let size = ["-x", String(columns), "-y", String(rows)]
            try await tmux.command(["resize-window", "-t", target] + size)
        }
    }
}

/// This machine does not let its users make a network namespace; root may, or kernel.unprivileged_userns_clone=1.
struct Refused: Error {}

/// A network where only this test's programs are, so that discovery neither meets strangers nor needs a route.
enum LonelyNetwork {
    private static let setUp = """
        ip link set lo up
        { ip link add talk0 type dummy || ip link add talk0 type veth peer name talk1; } 2>/dev/null
        if ip link show talk0 >/dev/null 2>&1; then
            ip address add 10.77.0.1/24 dev talk0; ip link set talk0 up multicast on
            ip link set talk1 up 2>/dev/null; ip route add 224.0.0.0/4 dev talk0
        else
            ip link set lo multicast on; ip route add 224.0.0.0/4 dev lo
        fi
        exec "$@"
        """

    /// What to put before a command to run it there.
    ///
    /// Where the machine does not let us make one the test fails: on the machine's own network it would talk to
    /// strangers.
    static func prefix() async throws -> [String] {
        let shell = ["sh", "-c", setUp, "sh"]
        for flags in [["--net"], ["--net", "--map-root-user"]] {
            let prefix = [try Installed.tool("unshare")] + flags + shell
            let probe = try Child("unshare", prefix[0], Array(prefix.dropFirst()) + ["true"])
            if try await probe.ended(within: .seconds(10)) == 0 { return prefix }
        }
        throw Refused()
    }
}
