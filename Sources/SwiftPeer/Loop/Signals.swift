import Glibc
import Synchronization

/// SIGINT, SIGTERM and SIGHUP as something `poll` can wait for.
///
/// The first one makes ``descriptor`` readable, and it stays so; a second SIGINT ends the process at once, whatever
/// it is doing.
enum Signals {
    private static let writable = Atomic<Int32>(-1)
    private static let readable = Atomic<Int32>(-1)
    private static let count = Atomic<Int32>(0)

    /// Readable once the process was asked to leave.
    static var descriptor: Int32 { readable.load(ordering: .relaxed) }

    /// The process was asked to leave.
    static var wasReceived: Bool { count.load(ordering: .relaxed) > 0 }

    /// Begins to catch them; writing to a pipe nobody reads becomes an error instead of a death.
    static func install() throws(Failure) {
        guard descriptor < 0 else { return }
        let pipe = try WakePipe()
        readable.store(pipe.readable, ordering: .relaxed)
        writable.store(pipe.writable, ordering: .relaxed)
        // Touched here, because a handler may not be the first to touch a global.
        count.store(0, ordering: .relaxed)
        signal(SIGPIPE, SIG_IGN)
        for number in [SIGINT, SIGTERM, SIGHUP] {
            var action = sigaction()
            action.__sigaction_handler.sa_handler = received
            action.sa_flags = SA_RESTART
            sigaction(number, &action, nil)
        }
    }

    /// Runs in a signal handler: only `write` and `_exit`, and no allocation.
    private static let received: @convention(c) (Int32) -> Void = { number in
        let saved = errno
        let earlier = Signals.count.add(1, ordering: .relaxed).oldValue
        if earlier > 0 && number == SIGINT { _exit(130) }
        var byte: UInt8 = 1
        _ = write(Signals.writable.load(ordering: .relaxed), &byte, 1)
        errno = saved
    }
}
