import Foundation
import Synchronization

/// A process with pipes on all three ends, started by posix_spawn.
///
/// Foundation's `Process` hands its children the signals that the test's threads have blocked, so that they would never
/// hear SIGTERM; and its pipes to every later child, so that their end would never be seen.
final class Spawned: Sendable {
    let pid: pid_t
    private let input: Mutex<Int32?>
    /// What waitpid said, once it did.
    private let ending = Mutex<Int32?>(nil)

    /// Starts `program`; `read` is called with what it says (true: on standard error), with nothing at each end.
    init(
        _ program: String, _ arguments: [String], environment: [String: String],
        read: @escaping @Sendable ([UInt8], _ isError: Bool) -> Void
    ) throws {
        let (stdin, stdout, stderr) = (try Self.pipe(), try Self.pipe(), try Self.pipe())
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, stdin.read, 0)
        posix_spawn_file_actions_adddup2(&actions, stdout.write, 1)
        posix_spawn_file_actions_adddup2(&actions, stderr.write, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var (none, all) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        var argv = ([program] + arguments).map { strdup($0) } + [nil]
        var variables =
            environment.sorted { $0.key < $1.key }.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in argv + variables { free(text) } }
        var pid = pid_t()
        let failure = posix_spawn(&pid, program, &actions, &attributes, &argv, &variables)
        for descriptor in [stdin.read, stdout.write, stderr.write] { close(descriptor) }
        guard failure == 0 else {
            for descriptor in [stdin.write, stdout.read, stderr.read] { close(descriptor) }
            throw Failure("cannot start \(program): \(String(cString: strerror(failure)))")
        }
        self.pid = pid
        input = Mutex(stdin.write)
        Self.pump(stdout.read) { read($0, false) }
        Self.pump(stderr.read) { read($0, true) }
    }

    deinit { closeInput() }

    /// Its exit status, or the negative number of the signal that ended it; nil while it runs.
    var status: Int32? {
        ending.withLock { ending in
            if let ending { return ending }
            var word: Int32 = 0
            guard waitpid(pid, &word, WNOHANG) == pid else { return nil }
            let signal = word & 0x7F
            ending = signal == 0 ? (word >> 8) & 0xFF : -signal
            return ending
        }
    }

    /// Writes all of `bytes`, however long the reader takes.
    func write(_ bytes: [UInt8]) throws {
        try input.withLock { input in
            guard let input else { throw Failure("its input was closed already") }
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { Foundation.write(input, $0.baseAddress, $0.count) }
                guard count > 0 else { throw Failure(String(cString: strerror(errno))) }
                rest = rest.dropFirst(count)
            }
        }
    }

    func closeInput() {
        input.withLock { input in
            if let input { close(input) }
            input = nil
        }
    }

    private static func pipe() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        guard Foundation.pipe(&ends) == 0 else {
            throw Failure("no pipe: \(String(cString: strerror(errno)))")
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    private static func pump(_ descriptor: Int32, _ read: @escaping @Sendable ([UInt8]) -> Void) {
        Thread.detachNewThread {
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while true {
                let count = Foundation.read(descriptor, &buffer, buffer.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { break }
                read(Array(buffer[..<count]))
            }
            close(descriptor)
            read([])
        }
    }
}
