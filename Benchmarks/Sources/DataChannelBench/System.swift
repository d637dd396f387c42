import Glibc
import NIOCore

// What Foundation would do, without its 10 MB: memory is among what is measured.

/// One line of the result, at once: a pipe would keep what is printed.
func say(_ line: String) {
    print(line)
    fflush(nil)
}

/// A number with so many digits behind the point.
func text(_ value: Double, _ digits: Int = 4) -> String {
    var buffer = [CChar](repeating: 0, count: 64)
    _ = withVaList([Int32(digits), value]) { vsnprintf(&buffer, buffer.count, "%.*f", $0) }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// Microseconds of the monotonic clock.
func microseconds() -> Double { Double(NIODeadline.now().uptimeNanoseconds) / 1000 }

/// What this process has used: CPU seconds, and kB of memory now and at most.
func usage() -> (cpu: Double, resident: Int, peak: Int) {
    var usage = rusage()
    getrusage(RUSAGE_SELF.rawValue, &usage)
    let seconds = Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
    let micros = Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)
    let status = contents(of: "/proc/self/status")
    func field(_ name: String) -> Int {
        let line = status.split(separator: "\n").first { $0.hasPrefix(name) }
        return line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) } ?? 0
    }
    return (seconds + micros / 1e6, field("VmRSS"), field("VmHWM"))
}

private func contents(of path: String) -> String {
    let descriptor = open(path, O_RDONLY)
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 8192)
    let count = read(descriptor, &bytes, bytes.count)
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
}

/// RFC 4648 §4.
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ text: String) -> String {
        var result: [UInt8] = []
        var (value, bits) = (0, 0)
        for byte in text.utf8 {
            (value, bits) = ((value << 8 | Int(byte)) & 0xFFFFFF, bits + 8)
            while bits >= 6 {
                bits -= 6
                result.append(alphabet[value >> bits & 63])
            }
        }
        if bits > 0 { result.append(alphabet[value << (6 - bits) & 63]) }
        while !result.count.isMultiple(of: 4) { result.append(UInt8(ascii: "=")) }
        return String(decoding: result, as: UTF8.self)
    }

    static func decode(_ text: some StringProtocol) -> String {
        var result: [UInt8] = []
        var (value, bits) = (0, 0)
        for letter in text.utf8 {
            guard let digit = alphabet.firstIndex(of: letter) else { continue }
            (value, bits) = ((value << 6 | digit) & 0xFFFFFF, bits + 6)
            if bits >= 8 {
                bits -= 8
                result.append(UInt8(truncatingIfNeeded: value >> bits))
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
