import Glibc

/// How the program ends: 0 when it did what was asked, otherwise one of `sysexits.h`.
struct ExitStatus: Error, Equatable, Sendable {
    /// What the shell sees.
    let code: Int32

    /// Done, or left by the wish of its user.
    static let success = ExitStatus(code: 0)
    /// The peer asked for did not answer.
    static let failure = ExitStatus(code: 1)
    /// A flag, its value, or a variable is wrong (EX_USAGE).
    static let usage = ExitStatus(code: 64)
    /// Asked for something that this version cannot do (EX_UNAVAILABLE).
    static let unavailable = ExitStatus(code: 69)
    /// The operating system refused: no such address to listen on, no descriptors (EX_OSERR).
    static let system = ExitStatus(code: 71)
    /// A file could not be read or written (EX_IOERR).
    static let io = ExitStatus(code: 74)
    /// In use by another process right now (EX_TEMPFAIL).
    static let busy = ExitStatus(code: 75)
    /// A file holds something else than it should (EX_CONFIG).
    static let configuration = ExitStatus(code: 78)
}

/// Why the program stops before it did what was asked: a status for scripts and one sentence for people.
struct Failure: Error, Equatable, Sendable {
    /// What the shell sees.
    let status: ExitStatus
    /// One line, without the program's name.
    let message: String

    /// A failure with its sentence; line breaks in it become spaces, so that it stays one line.
    init(_ status: ExitStatus, _ message: String) {
        self.status = status
        self.message = message.printableLine
    }

    /// Refuses a flag: names it, its value and what is wrong.
    static func badValue(_ name: String, _ value: String, _ reason: String) -> Failure {
        let shown = value.count > 120 ? value.prefix(120) + "…" : value[...]
        return Failure(.usage, "\(name) \(shown.isEmpty ? "''" : shown): \(reason)")
    }

    /// What `errno` says, as a sentence about `subject`.
    static func system(_ status: ExitStatus, _ subject: String, errno number: Int32 = errno) -> Failure {
        Failure(status, "\(subject): \(String(cString: strerror(number)))")
    }
}

extension String {
    /// The text with every control character, line breaks included, replaced by a space.
    var printableLine: String {
        String(
            String.UnicodeScalarView(
                unicodeScalars.map { $0.properties.generalCategory.isLineNoise ? " " : $0 }))
    }
}

extension Unicode.GeneralCategory {
    /// Characters that can break a line or a terminal.
    fileprivate var isLineNoise: Bool {
        self == .control || self == .lineSeparator || self == .paragraphSeparator
    }
}
