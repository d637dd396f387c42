/// Finds functions, initializers and subscripts with bodies by counting braces.
enum FunctionScanner {
    /// A function as it stands in a file.
    struct Found: Equatable {
        var name: String
        /// Of its first line, from 1.
        var line: Int
        /// From the line of its name to that of its last brace.
        var length: Int
    }

    /// The functions of `code`, whose comments and strings are blanked out already.
    static func functions(in code: String) -> [Found] {
        let bytes = Array(code.utf8)
        var found: [Found] = []
        var line = 1
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "\n") { line += 1 }
            guard isWord(bytes[index]) else {
                index += 1
                continue
            }
            let start = index
            while index < bytes.count, isWord(bytes[index]) { index += 1 }
            let word = String(decoding: bytes[start..<index], as: UTF8.self)
            guard ["func", "init", "deinit", "subscript"].contains(word), startsDeclaration(bytes, start) else {
                continue
            }
            guard let body = body(in: bytes, from: index) else { continue }
            let above = bytes[start..<body.upperBound].count { $0 == UInt8(ascii: "\n") }
            found.append(Found(name: name(in: bytes, word: word, from: index), line: line, length: above + 1))
        }
        return found
    }

    /// `x.init(…)` and `#selector`-like uses are calls; a label `init:` cannot come first on its line.
    private static func startsDeclaration(_ bytes: [UInt8], _ start: Int) -> Bool {
        guard start > 0 else { return true }
        return bytes[start - 1] == UInt8(ascii: " ") || bytes[start - 1] == UInt8(ascii: "\n")
    }

    /// The braces of the declaration whose head goes on at `start`; nil for a requirement of a protocol.
    private static func body(in bytes: [UInt8], from start: Int) -> Range<Int>? {
        var depth = 0
        var index = start
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "("), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: ")"), UInt8(ascii: "]"): depth -= 1
            case UInt8(ascii: "{") where depth == 0: return block(in: bytes, from: index)
            case UInt8(ascii: "}") where depth == 0: return nil
            case UInt8(ascii: "\n") where depth == 0 && !goesOn(bytes, after: index): return nil
            default: break
            }
            if depth < 0 { return nil }
            index += 1
        }
        return nil
    }

    /// Whether the line after `newline` still belongs to the head: an arrow, a `where`, a brace, an effect.
    private static func goesOn(_ bytes: [UInt8], after newline: Int) -> Bool {
        var index = newline + 1
        while index < bytes.count, bytes[index] == UInt8(ascii: " ") || bytes[index] == UInt8(ascii: "\n") {
            index += 1
        }
        let rest = String(decoding: bytes[index..<min(index + 8, bytes.count)], as: UTF8.self)
        return ["{", "->", "where", "throws", "async", "(", ">"].contains { rest.hasPrefix($0) }
    }

    private static func block(in bytes: [UInt8], from start: Int) -> Range<Int>? {
        var depth = 0
        for index in start..<bytes.count {
            if bytes[index] == UInt8(ascii: "{") { depth += 1 }
            if bytes[index] == UInt8(ascii: "}") { depth -= 1 }
            if depth == 0 { return start..<(index + 1) }
        }
        return nil
    }

    private static func name(in bytes: [UInt8], word: String, from start: Int) -> String {
        guard word == "func" else { return word }
        let rest = bytes[start...].drop { $0 == UInt8(ascii: " ") }
        return String(decoding: rest.prefix { $0 != UInt8(ascii: "(") && $0 != UInt8(ascii: "<") }, as: UTF8.self)
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
            || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
