/// Swift source with comments and the contents of strings blanked out, so that rules match code alone.
///
/// Every line keeps its number and every column its place. Quotes stay, so that "is there a message?" can be asked.
/// Code inside an interpolation stays code. Regular-expression literals are not understood; none of ours needs to be.
struct SwiftText {
    private enum Mode {
        case code(parentheses: Int)
        case string(pounds: Int, multiline: Bool)
    }

    private let source: [UInt8]
    private var index = 0
    private var output: [UInt8] = []
    /// The innermost last: code inside an interpolation inside a string inside code.
    private var modes: [Mode] = [.code(parentheses: 0)]

    /// The code of `source`, all else spaces.
    static func code(of source: String) -> String {
        var text = SwiftText(source: Array(source.utf8))
        text.run()
        return String(decoding: text.output, as: UTF8.self)
    }

    private init(source: [UInt8]) {
        self.source = source
        output.reserveCapacity(source.count)
    }

    private mutating func run() {
        while index < source.count {
            switch modes[modes.count - 1] {
            case .code(let parentheses): stepCode(parentheses)
            case .string(let pounds, let multiline): stepString(pounds: pounds, multiline: multiline)
            }
        }
    }

    private mutating func stepCode(_ parentheses: Int) {
        if starts("//") {
            while index < source.count, source[index] != UInt8(ascii: "\n") { blank(1) }
        } else if starts("/*") {
            blankBlockComment()
        } else if let opening = stringOpening() {
            copy(opening.length)
            modes.append(.string(pounds: opening.pounds, multiline: opening.multiline))
        } else {
            let byte = source[index]
            copy(1)
            if byte == UInt8(ascii: "(") {
                modes[modes.count - 1] = .code(parentheses: parentheses + 1)
            } else if byte == UInt8(ascii: ")") {
                if parentheses == 1, modes.count > 1 {
                    modes.removeLast()
                } else {
                    modes[modes.count - 1] = .code(parentheses: parentheses - 1)
                }
            }
        }
    }

    private mutating func stepString(pounds: Int, multiline: Bool) {
        let fence = String(repeating: "#", count: pounds)
        let quote = (multiline ? "\"\"\"" : "\"") + fence
        if starts(quote) {
            copy(quote.utf8.count)
            modes.removeLast()
        } else if starts("\\" + fence + "(") {
            blank(1 + pounds)
            copy(1)
            modes.append(.code(parentheses: 1))
        } else if pounds == 0, starts("\\") {
            blank(2)
        } else if !multiline, source[index] == UInt8(ascii: "\n") {
            // Not valid Swift: recover, so that one slip does not hide the rest of a file.
            modes.removeLast()
        } else {
            blank(1)
        }
    }

    private mutating func blankBlockComment() {
        var depth = 0
        repeat {
            if starts("/*") {
                depth += 1
                blank(2)
            } else if starts("*/") {
                depth -= 1
                blank(2)
            } else {
                blank(1)
            }
        } while depth > 0 && index < source.count
    }

    private func stringOpening() -> (length: Int, pounds: Int, multiline: Bool)? {
        var pounds = 0
        while index + pounds < source.count, source[index + pounds] == UInt8(ascii: "#") { pounds += 1 }
        let start = index + pounds
        guard start < source.count, source[start] == UInt8(ascii: "\"") else { return nil }
        let multiline = starts("\"\"\"", at: start)
        return (pounds + (multiline ? 3 : 1), pounds, multiline)
    }

    private func starts(_ text: String, at place: Int? = nil) -> Bool {
        let place = place ?? index
        let bytes = text.utf8
        guard place + bytes.count <= source.count else { return false }
        return zip(bytes, source[place...]).allSatisfy { $0 == $1 }
    }

    private mutating func copy(_ count: Int) {
        output.append(contentsOf: source[index..<min(index + count, source.count)])
        index += count
    }

    private mutating func blank(_ count: Int) {
        for byte in source[index..<min(index + count, source.count)] {
            output.append(byte == UInt8(ascii: "\n") ? byte : UInt8(ascii: " "))
        }
        index += count
    }
}
