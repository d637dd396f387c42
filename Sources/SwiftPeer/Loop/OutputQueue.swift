import Glibc
import Wire

/// Lines on their way to a descriptor that may be slow: nothing is lost, nothing blocks.
///
/// Its owner asks ``isFull`` before it makes more of them. Writes go out in pieces that a pipe which `poll` called
/// writable takes without blocking (pipe(7): PIPE_BUF), because the descriptor's flags are shared with other
/// processes and stay untouched.
struct OutputQueue {
    private var bytes: [UInt8] = []
    private var written = 0
    private let descriptor: Int32
    /// The reader has gone.
    private(set) var isBroken = false

    /// Lines for `descriptor`.
    init(descriptor: Int32) { self.descriptor = descriptor }

    /// Nothing is waiting.
    var isEmpty: Bool { written == bytes.count }
    /// So much is waiting that no more should be made.
    var isFull: Bool { bytes.count - written >= Limits.pendingOutput }

    /// Adds a line and its end.
    mutating func append(_ line: String) {
        guard !isBroken else { return }
        bytes.append(contentsOf: line.utf8)
        bytes.append(UInt8(ascii: "\n"))
    }

    /// Writes what the descriptor takes now: call it when `poll` says that it is writable.
    mutating func flush() {
        while !isEmpty && !isBroken {
            var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&entry, 1, 0) > 0 else { return }
            guard entry.revents & Int16(POLLOUT) != 0 else { return fail() }
            let start = written
            let count = bytes.withUnsafeBytes {
                write(descriptor, $0.baseAddress.map { $0 + start }, min($0.count - start, Int(PIPE_BUF)))
            }
            if count > 0 { written += count } else if errno != EINTR && errno != EAGAIN { return fail() }
        }
        if isEmpty || written > Limits.pendingOutput { compact() }
    }

    private mutating func fail() {
        isBroken = true
        compact()
        bytes = []
    }

    private mutating func compact() {
        bytes.removeFirst(written)
        written = 0
    }
}
