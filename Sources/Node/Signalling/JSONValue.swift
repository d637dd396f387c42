import NIOCore
import Wire

/// Why a text is no JSON, or too deep.
enum JSONError: Error, Equatable {
    case malformed
    case tooDeep
}

/// A value of JSON (RFC 8259), as far as browsers' candidates need it: numbers stay text, of a repeated member the last
/// counts, a lone surrogate becomes U+FFFD.
///
/// Limits: `Limits.signallingDepth`. The length is the caller's to limit; what is read takes a small multiple of it. It reads
/// strictly otherwise: nothing may follow the value but white space.
enum JSONValue: Equatable, Sendable {
    case null
    case bool(Bool)
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    /// Reads all of `bytes`.
    init(_ bytes: ByteBuffer) throws(JSONError) {
        var reader = JSONReader(bytes: bytes)
        self = try reader.whole()
    }

    /// A member of an object; nil when there is none, or this is no object.
    subscript(name: String) -> JSONValue? {
        if case .object(let members) = self { members[name] } else { nil }
    }

    /// The text of a string.
    var text: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// `text` as JSON has it, in quotes.
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

/// Reads one value from bytes.
private struct JSONReader {
    var bytes: ByteBuffer

    mutating func whole() throws(JSONError) -> JSONValue {
        let value = try value(depth: 0)
        skipSpace()
        guard bytes.readableBytes == 0 else { throw .malformed }
        return value
    }

    private var next: UInt8? { bytes.getInteger(at: bytes.readerIndex) }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || (0x09...0x0A).contains(byte) || byte == 0x0D {
            bytes.moveReaderIndex(forwardBy: 1)
        }
    }

    /// Takes `letter` if it comes next.
    private mutating func take(_ letter: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: letter) else { return false }
        bytes.moveReaderIndex(forwardBy: 1)
        return true
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        guard depth < Limits.signallingDepth else { throw .tooDeep }
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): return .object(try members(depth: depth))
        case UInt8(ascii: "["): return .array(try elements(depth: depth))
        case UInt8(ascii: "\""): return .string(try string())
        default: return try word()
        }
    }

    private mutating func members(depth: Int) throws(JSONError) -> [String: JSONValue] {
        var members: [String: JSONValue] = [:]
        bytes.moveReaderIndex(forwardBy: 1)
        skipSpace()
        if take("}") { return members }
        while true {
            skipSpace()
            let name = try string()
            skipSpace()
            guard take(":") else { throw .malformed }
            members[name] = try value(depth: depth + 1)
            skipSpace()
            if take("}") { return members }
            guard take(",") else { throw .malformed }
        }
    }

    private mutating func elements(depth: Int) throws(JSONError) -> [JSONValue] {
        var elements: [JSONValue] = []
        bytes.moveReaderIndex(forwardBy: 1)
        skipSpace()
        if take("]") { return elements }
        while true {
            elements.append(try value(depth: depth + 1))
            skipSpace()
            if take("]") { return elements }
            guard take(",") else { throw .malformed }
        }
    }

    /// `null`, `true`, `false` or a number.
    private mutating func word() throws(JSONError) -> JSONValue {
        let view = bytes.readableBytesView
        let letters = view.prefix {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "E"):
                true
            default: false
            }
        }
        bytes.moveReaderIndex(forwardBy: letters.count)
        switch String(decoding: letters, as: UTF8.self) {
        case "null": return .null
        case "true": return .bool(true)
        case "false": return .bool(false)
        case let text:
            guard let first = letters.first, first == UInt8(ascii: "-") || (0x30...0x39).contains(first),
                Double(text) != nil
            else { throw .malformed }
            return .number(text)
        }
    }

    private mutating func string() throws(JSONError) -> String {
        guard take("\"") else { throw .malformed }
        var result: [UInt8] = []
        while let byte: UInt8 = bytes.readInteger() {
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: result, as: UTF8.self)
            case UInt8(ascii: "\\"): result += Array(String(try escape()).utf8)
            case 0..<0x20: throw .malformed
            default: result.append(byte)
            }
        }
        throw .malformed
    }

    /// What stands behind a backslash.
    private mutating func escape() throws(JSONError) -> Character {
        let letter: UInt8? = bytes.readInteger()
        switch letter {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return Character(try unicode())
        default: throw .malformed
        }
    }

    private mutating func unicode() throws(JSONError) -> Unicode.Scalar {
        let high = try digits()
        if let scalar = Unicode.Scalar(high) { return scalar }
        // A pair of surrogates is one scalar; half a pair is none.
        let start = bytes.readerIndex
        if (0xD800...0xDBFF).contains(high), take("\\"), take("u") {
            let low = try digits()
            if (0xDC00...0xDFFF).contains(low),
                let scalar = Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
            {
                return scalar
            }
        }
        bytes.moveReaderIndex(to: start)
        return "\u{FFFD}"
    }

    private mutating func digits() throws(JSONError) -> UInt32 {
        guard let four = bytes.readBytes(length: 4), four.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
            let value = UInt32(String(decoding: four, as: UTF8.self), radix: 16)
        else { throw .malformed }
        return value
    }
}
