import Glibc

/// A moment of the wall clock, in nanoseconds since 1970 in UTC.
struct WallClock: Equatable, Comparable, Sendable {
    /// Nanoseconds since 1970.
    let nanoseconds: Int64

    /// The present.
    static var now: WallClock {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallClock(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    static func < (left: WallClock, right: WallClock) -> Bool { left.nanoseconds < right.nanoseconds }

    /// `2026-01-31T12:34:56.789Z` (RFC 3339, UTC, milliseconds).
    var rfc3339: String {
        let parts = calendar(utc: true)
        let milliseconds = Int(nanoseconds / 1_000_000 % 1000)
        return Self.padded(parts.tm_year + 1900, 4) + "-" + Self.padded(parts.tm_mon + 1, 2) + "-"
            + Self.padded(parts.tm_mday, 2) + "T" + Self.time(parts) + "." + Self.padded(Int32(milliseconds), 3) + "Z"
    }

    /// `12:34:56` where the user is.
    var localTime: String { Self.time(calendar(utc: false)) }

    private func calendar(utc: Bool) -> tm {
        var seconds = time_t(nanoseconds / 1_000_000_000)
        var parts = tm()
        if utc { gmtime_r(&seconds, &parts) } else { localtime_r(&seconds, &parts) }
        return parts
    }

    private static func time(_ parts: tm) -> String {
        padded(parts.tm_hour, 2) + ":" + padded(parts.tm_min, 2) + ":" + padded(parts.tm_sec, 2)
    }

    private static func padded(_ value: Int32, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}
