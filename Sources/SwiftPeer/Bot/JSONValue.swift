import Wire

/// A JSON text (RFC 8259) as a value: what a bot's input line says.
///
/// Reading is strict: one value a line, UTF-8, no lone surrogates, at most ``Limits/jsonDepth`` levels. Numbers stay
/// text, because no command has one and every size must be harmless.
enum JSONValue: Equatable {
    case null
    case bool(Bool)
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    /// Why a text is no JSON, in plain words.
    struct Malformed: Error, Equatable {
        let reason: String
    }

    /// Reads one value and nothing behind it.
    init(_ text: [UInt8]) throws(Malformed) {
        var reader = JSONReader(text: text)
        reader.skipSpace()
        self = try reader.value(depth: 0)
        reader.skipSpace()
        guard reader.isAtEnd else { throw Malformed(reason: "something behind the JSON value") }
    }
}

/// A cursor in a JSON text.
private struct JSONReader {
    let text: [UInt8]
    var index = 0

    init(text: [UInt8]) { self.text = text }

    var isAtEnd: Bool { index >= text.count }
    var next: UInt8? { index < text.count ? text[index] : nil }

    mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { index += 1 }
    }

    mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        index += 1
        return true
    }

    mutating func value(depth: Int) throws(JSONValue.Malformed) -> JSONValue {
        guard depth < Limits.jsonDepth else { throw JSONValue.Malformed(reason: "JSON nested too deeply") }
        switch next {
        case UInt8(ascii: "{"): return .object(try object(depth: depth))
        case UInt8(ascii: "["): return .array(try array(depth: depth))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case nil: throw JSONValue.Malformed(reason: "JSON ends too early")
        default: return .number(try number())
        }
    }

    mutating func word(_ word: StaticString, _ value: JSONValue) throws(JSONValue.Malformed) -> JSONValue {
        for byte in Array(word.description.utf8) {
            guard take(byte) else { throw JSONValue.Malformed(reason: "not JSON") }
        }
        return value
    }

    mutating func object(depth: Int) throws(JSONValue.Malformed) -> [String: JSONValue] {
        index += 1
        var members: [String: JSONValue] = [:]
        skipSpace()
        if take(UInt8(ascii: "}")) { return members }
        repeat {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw JSONValue.Malformed(reason: "not JSON: a key is missing") }
            let key = try string()
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw JSONValue.Malformed(reason: "not JSON: ':' is missing") }
            skipSpace()
            members[key] = try value(depth: depth + 1)
            skipSpace()
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "}")) else { throw JSONValue.Malformed(reason: "not JSON: '}' is missing") }
        return members
    }

    mutating func array(depth: Int) throws(JSONValue.Malformed) -> [JSONValue] {
        index += 1
        var elements: [JSONValue] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return elements }
        repeat {
            skipSpace()
            elements.append(try value(depth: depth + 1))
            skipSpace()
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "]")) else { throw JSONValue.Malformed(reason: "not JSON: ']' is missing") }
        return elements
    }

    mutating func number() throws(JSONValue.Malformed) -> String {
        let start = index
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try digits() }
        if take(UInt8(ascii: ".")) { try digits() }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits()
        }
        return String(decoding: text[start..<index], as: UTF8.self)
    }

    mutating func digits() throws(JSONValue.Malformed) {
        let start = index
        while let byte = next, (0x30...0x39).contains(byte) { index += 1 }
        guard index > start else { throw JSONValue.Malformed(reason: "not JSON") }
    }

    mutating func string() throws(JSONValue.Malformed) -> String {
        index += 1
        var bytes: [UInt8] = []
        while let byte = next {
            index += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: bytes, as: UTF8.self) else {
                    throw JSONValue.Malformed(reason: "a string that is not UTF-8")
                }
                return string
            case UInt8(ascii: "\\"): bytes += Array(String(try escape()).utf8)
            case 0..<0x20: throw JSONValue.Malformed(reason: "a control character in a string")
            default: bytes.append(byte)
            }
        }
        throw JSONValue.Malformed(reason: "a string without end")
    }

    mutating func escape() throws(JSONValue.Malformed) -> Unicode.Scalar {
        let letter = next ?? 0
        index += 1
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(letter)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): break
        default: throw JSONValue.Malformed(reason: "an unknown escape in a string")
        }
        let first = try unit()
        if let scalar = Unicode.Scalar(first) { return scalar }
        // A surrogate: only a high one with its low one behind it is a character.
        guard (0xD800...0xDBFF).contains(first), take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else {
            throw JSONValue.Malformed(reason: "half a surrogate pair in a string")
        }
        let second = try unit()
        guard (0xDC00...0xDFFF).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { throw JSONValue.Malformed(reason: "half a surrogate pair in a string") }
        return scalar
    }

    mutating func unit() throws(JSONValue.Malformed) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw JSONValue.Malformed(reason: "an unknown escape in a string")
            }
            value = value << 4 | UInt32(digit)
            index += 1
        }
        return value
    }
}
