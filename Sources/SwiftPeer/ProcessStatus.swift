import Glibc

/// How the program ends: 0 when it did what was asked, otherwise one of `sysexits.h`.
struct ProcessStatus: Error, Equatable, Sendable {
    /// What the shell sees.
    let code: Int32

    /// Done, or left by the wish of its user.
    static let success = ProcessStatus(code: 0)
    /// The peer asked for did not answer.
    static let failure = ProcessStatus(code: 1)
    /// A flag, its value, or a variable is wrong (EX_USAGE).
    static let usage = ProcessStatus(code: 64)
    /// Asked for something that this version cannot do (EX_UNAVAILABLE).
    static let unavailable = ProcessStatus(code: 69)
    /// The operating system refused: no such address to listen on, no descriptors (EX_OSERR).
    static let system = ProcessStatus(code: 71)
    /// A file could not be read or written (EX_IOERR).
    static let io = ProcessStatus(code: 74)
    /// In use by another process right now (EX_TEMPFAIL).
    static let busy = ProcessStatus(code: 75)
    /// A file holds something else than it should (EX_CONFIG).
    static let configuration = ProcessStatus(code: 78)
}

/// Why the program stops before it did what was asked: a status for scripts and one sentence for people.
struct Failure: Error, Equatable, Sendable {
    /// What the shell sees.
    let status: ProcessStatus
    /// One line, without the program's name.
    let message: String

    /// A failure with its sentence; line breaks in it become spaces, so that it stays one line.
    init(_ status: ProcessStatus, _ message: String) {
        self.status = status
        self.message = message.printableLine
    }

    /// Refuses a flag: names it, its value and what is wrong.
    static func badValue(_ name: String, _ value: String, _ reason: String) -> Failure {
        let shown = value.count > 120 ? value.prefix(120) + "…" : value[...]
        return Failure(.usage, "\(name) \(shown.isEmpty ? "''" : shown): \(reason)")
    }

    /// What `errno` says, as a sentence about `subject`.
    static func system(_ status: ProcessStatus, _ subject: String, errno number: Int32 = errno) -> Failure {
        Failure(status, "\(subject): \(String(cString: strerror(number)))")
    }
}

extension String {
    /// The text with every character that could break a line, move a cursor or turn the direction of writing replaced
    /// by a space.
    var printableLine: String {
        guard unicodeScalars.contains(where: \.isLineNoise) else { return self }
        return String(String.UnicodeScalarView(unicodeScalars.map { $0.isLineNoise ? " " : $0 }))
    }
}

extension Unicode.Scalar {
    /// Control characters, separators of lines and paragraphs, and Unicode's bidirectional controls.
    fileprivate var isLineNoise: Bool {
        switch self {
        case "\u{202A}"..."\u{202E}", "\u{2066}"..."\u{2069}", "\u{200E}", "\u{200F}", "\u{61C}": true
        default: [.control, .lineSeparator, .paragraphSeparator].contains(properties.generalCategory)
        }
    }
}
