import Foundation
import Synchronization

/// Why an interop test stopped, with the last words of every program that took part.
struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// A program that runs beside the test: its input is ours, all it says is kept.
final class Child: Sendable {
    private struct Output {
        var lines: [String] = []
        var events: [JSON] = []
        var partial: [UInt8] = []
        var errors: [UInt8] = []
        /// Pipes whose end was not seen yet.
        var open = 2
    }

    /// What was read, shared with the threads that read.
    private final class Kept: Sendable {
        let output = Mutex(Output())

        func read(_ bytes: [UInt8], isError: Bool) {
            output.withLock { output in
                if bytes.isEmpty { output.open -= 1 }
                guard !isError else {
                    output.errors += bytes
                    return
                }
                output.partial += bytes
                guard bytes.contains(UInt8(ascii: "\n")) else { return }
                var lines = output.partial.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
                output.partial = Array(lines.removeLast())
                for line in lines.map({ String(decoding: $0, as: UTF8.self) }) {
                    output.lines.append(line)
                    if let event = JSON(line: line) { output.events.append(event) }
                }
            }
        }
    }

    let name: String
    private let process: Spawned
    private let kept: Kept

    /// The process's id.
    var pid: Int32 { process.pid }
    var isRunning: Bool { process.status == nil }
    /// Valid once it does not run any more; negative: ended by that signal.
    var status: Int32 { process.status ?? Int32.min }
    /// Whole lines of standard output that were JSON, in their order.
    var events: [JSON] { kept.output.withLock { $0.events } }
    /// Whole lines of standard output.
    var lines: [String] { kept.output.withLock { $0.lines } }
    /// Everything on standard error.
    var errors: String { kept.output.withLock { String(decoding: $0.errors, as: UTF8.self) } }
    /// Everything on standard output, an unfinished last line included.
    var text: String {
        kept.output.withLock {
            ($0.lines + [String(decoding: $0.partial, as: UTF8.self)]).joined(separator: "\n")
        }
    }

    /// Starts `program` with `arguments` and these variables in addition to a clean environment.
    init(
        _ name: String, _ program: String, _ arguments: [String], environment: [String: String] = [:]
    ) throws {
        // A child that is gone must be an error at `send`, not the end of the test.
        signal(SIGPIPE, SIG_IGN)
        self.name = name
        let kept = Kept()
        self.kept = kept
        process = try Spawned(program, arguments, environment: Self.environment.merging(environment) { $1 }) {
            kept.read($0, isError: $1)
        }
    }

    /// Nothing of ours leaks into a child: no flags by variable, no time zone, no locale but UTF-8.
    private static let environment: [String: String] = {
        var environment = ProcessInfo.processInfo.environment.filter {
            !$0.key.hasPrefix("SWIFT_PEER_")
        }
        environment["SWIFT_BACKTRACE"] = "enable=no"
        environment["LANG"] = "C.UTF-8"
        environment["LC_ALL"] = "C.UTF-8"
        environment["TZ"] = "UTC"
        environment["PYTHONUNBUFFERED"] = "1"
        return environment
    }()

    /// Writes one line to its standard input.
    func send(_ line: String) throws {
        do {
            try process.write(Array((line + "\n").utf8))
        } catch {
            throw Failure("\(name) takes no more input: \(error)")
        }
    }

    /// Ends its standard input.
    func closeInput() { process.closeInput() }

    /// Sends a signal to this process, and to no other.
    func signalled(_ number: Int32) { if isRunning { kill(pid, number) } }

    /// The first event that `matches`, already seen or still to come; the search begins behind the first `skipping`.
    @discardableResult
    func event(
        _ what: String, within limit: Duration = .seconds(20), skipping: Int = 0,
        where matches: (JSON) -> Bool
    ) async throws -> JSON {
        var next = skipping
        var found: JSON?
        try await until("\(name): \(what)", within: limit) {
            let events = self.events
            while next < events.count, found == nil {
                if matches(events[next]) { found = events[next] }
                next += 1
            }
            if found == nil, !self.isRunning, kept.output.withLock({ $0.open == 0 }) {
                throw Failure("\(self.name) ended with \(self.status) before: \(what)")
            }
            return found != nil
        }
        guard let found else { throw Failure("\(name): \(what)") }
        return found
    }

    /// The first event of `kind` whose members are these.
    @discardableResult
    func event(
        _ kind: String, _ members: [String: String] = [:], within limit: Duration = .seconds(20),
        skipping: Int = 0
    ) async throws -> JSON {
        try await event("\(kind) \(members)", within: limit, skipping: skipping) { event in
            event.event == kind && members.allSatisfy { event.text($0.key) == $0.value }
        }
    }

    /// Waits until it ended and all it said was read; returns its status.
    @discardableResult
    func ended(within limit: Duration) async throws -> Int32 {
        try await until("\(name) ends", within: limit) { !self.isRunning }
        // A grandchild may hold the pipes open: do not wait for their end for ever.
        try? await until("all output", within: .seconds(2)) { kept.output.withLock { $0.open == 0 } }
        return status
    }

    /// Asks it to leave, and after a while does not ask any more.
    func stop() async {
        guard isRunning else { return }
        signalled(SIGTERM)
        try? await until("\(name) ends", within: .seconds(6)) { !self.isRunning }
        signalled(SIGKILL)
    }

    /// The last lines it said, shortened, for a person who reads a failure.
    var lastWords: String {
        let (lines, errors) = kept.output.withLock {
            ($0.lines.suffix(25), String(decoding: $0.errors, as: UTF8.self))
        }
        let shown = lines.map { $0.count > 400 ? String($0.prefix(400)) + "…" : $0 }
        let complaints = errors.split(separator: "\n").suffix(25)
        let state = isRunning ? "runs" : "ended with \(status)"
        return "── \(name) (\(state))\n"
            + (shown + complaints.map { "! " + $0 }).joined(separator: "\n")
    }
}

/// Looks again and again, ten milliseconds apart, until `condition` holds; fails when that takes too long.
func until(_ what: String, within limit: Duration, _ condition: () async throws -> Bool)
    async throws
{
    let deadline = ContinuousClock.now + limit
    while true {
        if try await condition() { return }
        guard ContinuousClock.now < deadline else { throw Failure("not within \(limit): \(what)") }
        try await Task.sleep(for: .milliseconds(10))
    }
}
