import Glibc

/// A file read whole or written whole: small, and never seen half written.
struct SmallFile {
    /// Where it is.
    let path: String

    /// Its bytes, or nil when there is no such file.
    ///
    /// A file longer than `limit`, and anything that is no plain file, is refused before it is read.
    func read(limit: Int) throws(Failure) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw .system(.io, path)
        }
        defer { close(descriptor) }
        return try Self.read(descriptor, path: path, limit: limit)
    }

    /// The bytes of an open file.
    static func read(_ descriptor: Int32, path: String, limit: Int) throws(Failure) -> [UInt8] {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system(.io, path) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw Failure(.configuration, "\(path): not a plain file") }
        guard status.st_size <= limit else {
            throw Failure(.configuration, "\(path): \(status.st_size) bytes, more than \(limit)")
        }
        var bytes = [UInt8](repeating: 0, count: limit + 1)
        var filled = 0
        while filled < bytes.count {
            let room = bytes.count - filled
            let start = filled
            let count = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress.map { $0 + start }, room) }
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw .system(.io, path) }
            if count == 0 { break }
            filled += count
        }
        guard filled <= limit else { throw Failure(.configuration, "\(path): more than \(limit) bytes") }
        return Array(bytes[..<filled])
    }

    /// Writes a new file, readable by its owner only; false when there is one already, which stays as it is.
    ///
    /// The bytes go to a file beside it first and are on the disk before the name is: a crash leaves the whole file
    /// or none.
    func create(_ bytes: [UInt8]) throws(Failure) -> Bool {
        let temporary = "\(path).\(getpid()).new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .system(.io, path) }
        defer { unlink(temporary) }
        try write(bytes, to: descriptor)
        // A link, unlike a rename, does not replace what another process may have put there in between.
        if link(temporary, path) == 0 { return true }
        if errno == EEXIST { return false }
        guard errno == EPERM || errno == ENOTSUP || errno == ENOSYS else { throw .system(.io, path) }
        guard access(path, F_OK) != 0 else { return false }
        guard rename(temporary, path) == 0 else { throw .system(.io, path) }
        return true
    }

    /// Writes the file anew, readable by its owner only: a crash leaves the old one or the new one, whole.
    func replace(_ bytes: [UInt8]) throws(Failure) {
        let temporary = "\(path).\(getpid()).new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .system(.io, path) }
        defer { unlink(temporary) }
        try write(bytes, to: descriptor)
        guard rename(temporary, path) == 0 else { throw .system(.io, path) }
    }

    /// Writes all of `bytes` and sees them on the disk; closes the descriptor in any case.
    private func write(_ bytes: [UInt8], to descriptor: Int32) throws(Failure) {
        defer { close(descriptor) }
        var written = 0
        while written < bytes.count {
            let start = written
            let count = bytes.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress.map { $0 + start }, $0.count - start)
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw .system(.io, path) }
            written += count
        }
        guard fsync(descriptor) == 0 else { throw .system(.io, path) }
    }

    /// Makes a directory that only its owner can enter, and those above it that are missing.
    static func makeDirectory(_ path: String) throws(Failure) {
        var built = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            built += part + "/"
            if mkdir(built, 0o700) != 0 && errno != EEXIST && errno != EROFS && errno != EACCES {
                throw .system(.io, path)
            }
        }
        var status = stat()
        guard stat(path, &status) == 0 else { throw .system(.io, path) }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw .system(.io, path, errno: ENOTDIR) }
    }
}
