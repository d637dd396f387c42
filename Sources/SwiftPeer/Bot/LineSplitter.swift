import Wire

/// Cuts a stream of bytes into lines: LF or CR LF ends one, the last may lack it.
///
/// A line longer than its limit is reported once, by its beginning, and skipped up to its end; it never takes more
/// memory than the limit.
struct LineSplitter {
    /// One line, or the beginning of one that was too long.
    enum Line: Equatable {
        case whole([UInt8])
        case tooLong(beginning: [UInt8])
    }

    private enum State {
        case collecting([UInt8])
        case skipping
    }
    private var state = State.collecting([])
    private let limit: Int

    /// Lines of at most `limit` bytes.
    init(limit: Int = Limits.inputLine) { self.limit = limit }

    /// Takes the next bytes and returns the lines that they complete.
    mutating func received(_ bytes: some Sequence<UInt8>) -> [Line] {
        var lines: [Line] = []
        var collected: [UInt8] = []
        var isSkipping = false
        switch state {
        case .collecting(let bytes): collected = bytes
        case .skipping: isSkipping = true
        }
        state = .skipping  // gives the array's only reference to `collected`
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                if !isSkipping { lines.append(.whole(Self.withoutReturn(collected))) }
                collected = []
                isSkipping = false
            } else if !isSkipping {
                if collected.count == limit {
                    lines.append(.tooLong(beginning: Array(collected.prefix(Limits.inputEcho))))
                    collected = []
                    isSkipping = true
                } else {
                    collected.append(byte)
                }
            }
        }
        state = isSkipping ? .skipping : .collecting(collected)
        return lines
    }

    /// The stream ended: the line that lacks its end, if there is one.
    mutating func closed() -> Line? {
        defer { state = .collecting([]) }
        guard case .collecting(let bytes) = state, !bytes.isEmpty else { return nil }
        return .whole(Self.withoutReturn(bytes))
    }

    private static func withoutReturn(_ bytes: [UInt8]) -> [UInt8] {
        bytes.last == UInt8(ascii: "\r") ? bytes.dropLast() : bytes
    }
}
