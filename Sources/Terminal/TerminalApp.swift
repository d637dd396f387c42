import CNcurses
import Glibc
package import Screen

/// A screen on a terminal: one synchronous loop on the main thread.
///
/// It waits in `poll(2)` for keys and for `wakeFD` and draws at most 60 times a second, and once a second when nothing
/// happens. The terminal is given back on every way out, fatal signals included.
package enum TerminalApp {
    /// Why there is no screen, in plain words.
    package struct Refusal: Error, Sendable, CustomStringConvertible {
        package let description: String
    }

    /// Runs until `wake` or `key` returns false, or the terminal is gone. Closures are called on this thread and must
    /// not block.
    ///
    /// - Parameters:
    ///   - wakeFD: becomes readable when there is news; `wake` reads it empty.
    ///   - wake: takes the news in.
    ///   - key: takes a key, with the size of the screen and unix milliseconds.
    ///   - frame: draws for a size, unix milliseconds, and the seconds to add to universal time.
    package static func run(
        wakeFD: Int32, wake: () -> Bool, key: (Key, Size, Int64) -> Bool, frame: (Size, Int64, Int64) -> Frame
    ) throws(Refusal) {
        var terminal = try Terminal()
        defer { terminal.restore() }
        var isDirty = true
        var nextFrame: Int64 = 0
        while true {
            let now = WallTime.milliseconds
            // A clock that was set back must not stop the screen.
            if isDirty && (now >= nextFrame || nextFrame - now > 16) {
                terminal.draw(frame(terminal.size, now, WallTime.utcOffset(at: now)))
                (isDirty, nextFrame) = (false, now + 16)
            }
            let wait = isDirty ? max(1, nextFrame - now) : 1000
            var entries = [
                pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0),
                pollfd(fd: wakeFD, events: Int16(POLLIN), revents: 0),
            ]
            let count = poll(&entries, 2, Int32(wait))
            if count <= 0 { isDirty = true }
            if count > 0 && entries[0].revents & Int16(POLLHUP | POLLERR | POLLNVAL) != 0 { return }
            if count > 0 && entries[1].revents != 0 {
                isDirty = true
                guard wake() else { return }
            }
            for pressed in terminal.keys() {
                isDirty = true
                if let pressed, !key(pressed, terminal.size, WallTime.milliseconds) { return }
            }
        }
    }
}

/// The clock on the wall: only for showing.
enum WallTime {
    /// Unix milliseconds.
    static var milliseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    /// Seconds that the time here is ahead of universal time.
    static func utcOffset(at milliseconds: Int64) -> Int64 {
        var seconds = time_t(milliseconds / 1000)
        var local = tm()
        localtime_r(&seconds, &local)
        return Int64(local.tm_gmtoff)
    }
}
