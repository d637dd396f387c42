import Testing

@testable import SwiftPeer

@Suite struct JSONValueTests {
    @Test(
        "A well-formed line becomes a value",
        arguments: [
            ("null", .null), (" true ", .bool(true)), ("\"\"", .string("")), ("[]", .array([])), ("{}", .object([:])),
            ("-0.5e+10", .number("-0.5e+10")), ("1e999999999", .number("1e999999999")),
            ("\"\\u00e9\\n\\/\\\"\"", .string("é\n/\"")), ("\"\\ud83d\\ude00\"", .string("😀")),
            ("\"😀\"", .string("😀")), ("\"\\u0000\"", .string("\0")),
            (#"{"a":[1,{"b":null}],"a":2}"#, .object(["a": .number("2")])),
            ("[1 , 2\t]", .array([.number("1"), .number("2")])),
        ] as [(String, JSONValue)])
    func wellFormed(text: String, expected: JSONValue) throws {
        #expect(try JSONValue(Array(text.utf8)) == expected)
    }

    @Test(
        "A malformed line is refused in plain words",
        arguments: [
            "", " ", "{", "}", "[1,]", "{\"a\"}", "{\"a\":}", "{a:1}", "{\"a\":1,}", "tru", "nul", "01", "-", "1.",
            "1e", ".5", "+1", "\"", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\udc00\"",
            "\"\\ud800\\u0041\"", "\"\\ud800x\"", "\"\u{1}\"", "\"\n\"", "{} {}", "[] x", "NaN", "'a'", "\u{FEFF}{}",
        ])
    func malformed(text: String) throws {
        let refused = #expect(throws: JSONValue.Malformed.self) { try JSONValue(Array(text.utf8)) }
        #expect(try #require(refused).reason.isEmpty == false)
    }

    @Test("Bytes that are not UTF-8 are refused", arguments: [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80]] as [[UInt8]])
    func notUTF8(bytes: [UInt8]) {
        #expect(throws: JSONValue.Malformed.self) { try JSONValue([0x22] + bytes + [0x22]) }
    }

    @Test("Nesting is bounded, however deep the text is", arguments: [32, 33, 100_000])
    func nesting(depth: Int) throws {
        let text = Array(String(repeating: "[", count: depth).utf8) + Array(String(repeating: "]", count: depth).utf8)
        if depth <= 32 {
            #expect(throws: Never.self) { try JSONValue(text) }
        } else {
            #expect(throws: JSONValue.Malformed(reason: "JSON nested too deeply")) { try JSONValue(text) }
        }
    }

    @Test("Every prefix of a good line ends in an answer, never a trap")
    func prefixes() throws {
        let text = Array(#"{"say":"a\u00e9\ud83d\ude00","x":[1.5e3,{"y":null}],"z":true}"#.utf8)
        for count in 0..<text.count {
            #expect(throws: JSONValue.Malformed.self) { try JSONValue(Array(text[..<count])) }
        }
        #expect(throws: Never.self) { try JSONValue(text) }
    }
}
