/// One JSON object, written as one line with its members in the order they are added (RFC 8259).
///
/// Text is UTF-8; control characters, quotes, backslashes and the two line separators of JavaScript are escaped, so a
/// line is a line for every reader.
struct JSONObject {
    private(set) var text = "{"

    /// Begins an event: its kind comes first.
    init(event: String) { add("event", event) }

    /// An object without an event's kind.
    init() {}

    /// The finished object.
    var line: String { text + "}" }

    /// A string member, absent when nil.
    mutating func add(_ key: String, _ value: String?) {
        guard let value else { return }
        begin(key)
        Self.append(value, to: &text)
    }

    /// A member that is true or false.
    mutating func add(_ key: String, _ value: Bool) {
        begin(key)
        text += value ? "true" : "false"
    }

    /// A number member.
    mutating func add(_ key: String, _ value: some FixedWidthInteger) {
        begin(key)
        text += String(value)
    }

    /// A number member with at most so many decimals; numbers that JSON does not have become null.
    mutating func add(_ key: String, _ value: Double, decimals: Int = 3) {
        begin(key)
        text += Self.number(value, decimals: decimals)
    }

    /// A member that is a list of strings.
    mutating func add(_ key: String, _ values: [String]) {
        begin(key)
        text += "["
        for (index, value) in values.enumerated() {
            if index > 0 { text += "," }
            Self.append(value, to: &text)
        }
        text += "]"
    }

    /// A member that is a list of objects.
    mutating func add(_ key: String, _ objects: [JSONObject]) {
        begin(key)
        text += "[" + objects.map(\.line).joined(separator: ",") + "]"
    }

    private mutating func begin(_ key: String) {
        if text.utf8.count > 1 { text += "," }
        Self.append(key, to: &text)
        text += ":"
    }

    /// `value` rounded to so many decimals (at most 6), without needless zeros.
    static func number(_ value: Double, decimals: Int = 3) -> String {
        guard value.isFinite else { return "null" }
        let scale = (0..<min(decimals, 6)).reduce(Int64(1)) { power, _ in power * 10 }
        let scaled = (value * Double(scale)).rounded()
        guard abs(scaled) < 9e15 else { return String(value) }
        let whole = Int64(scaled)
        guard whole % scale != 0 else { return String(whole / scale) }
        // The leading one keeps the zeros behind the point.
        var digits = String(scale + abs(whole) % scale).dropFirst()
        while digits.last == "0" { digits.removeLast() }
        return (whole < 0 ? "-" : "") + String(abs(whole) / scale) + "." + digits
    }

    private static func append(_ value: String, to text: inout String) {
        text += "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}":
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}
