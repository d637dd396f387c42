import Glibc

/// Where the program speaks to the person who started it, one line at a time.
enum StandardError {
    /// Writes one line, the program's name in front. A closed stderr is nobody's loss.
    static func write(_ line: String) { writeLine("swift-peer: " + line, to: STDERR_FILENO) }

    /// Writes a line in one call, so that lines of several writers do not mix.
    static func writeLine(_ line: String, to descriptor: Int32) {
        var text = line.printableLine + "\n"
        text.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)
            while !rest.isEmpty {
                let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return }
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
            }
        }
    }
}
