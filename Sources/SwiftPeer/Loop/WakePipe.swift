import Glibc

/// The two ends of a pipe by which a thread or a signal handler ends the `poll` of another.
struct WakePipe: Sendable {
    /// Readable after a byte was written.
    let readable: Int32
    /// Takes the byte; when it is full, the other end is readable already.
    let writable: Int32

    /// Ends that never block and that no child process inherits.
    init() throws(Failure) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw .system(.system, "cannot start") }
        for end in ends {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        (readable, writable) = (ends[0], ends[1])
    }
}
