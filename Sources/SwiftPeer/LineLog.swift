import Glibc
import Logging
import Node

/// Log lines on stderr or in a file: `2026-01-31T12:34:56.789Z info text`.
struct LineLog: LogHandler {
    var metadata = Logger.Metadata()
    var metadataProvider: Logger.MetadataProvider?
    var logLevel: Logger.Level
    private let descriptor: Int32

    /// A logger as the settings ask for; the file is appended to, and made for its owner only.
    static func logger(_ settings: Settings) throws(Failure) -> Logger {
        var descriptor = STDERR_FILENO
        if let path = settings.logFile {
            descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { throw .system(.io, path) }
        }
        let level = settings.logLevel
        return Logger(label: "swift-peer") { _ in LineLog(logLevel: level, descriptor: descriptor) }
    }

    private init(logLevel: Logger.Level, descriptor: Int32) {
        self.logLevel = logLevel
        self.descriptor = descriptor
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        StandardError.writeLine("\(WallClock.now.rfc3339) \(event.level) \(event.message)", to: descriptor)
    }
}

extension LogLevel {
    /// The node's level for one of swift-log's.
    init(_ level: Logger.Level) {
        switch level {
        case .trace: self = .trace
        case .debug: self = .debug
        case .info: self = .info
        case .notice: self = .notice
        case .warning: self = .warning
        case .error, .critical: self = .error
        }
    }

    /// swift-log's level for one of the node's.
    var loggerLevel: Logger.Level {
        switch self {
        case .trace: .trace
        case .debug: .debug
        case .info: .info
        case .notice: .notice
        case .warning: .warning
        case .error: .error
        }
    }
}
