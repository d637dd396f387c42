import Foundation
import Testing

@testable import SwiftPeer

@Suite struct JSONObjectTests {
    @Test("Members keep their order, the event's kind first")
    func order() {
        var object = JSONObject(event: "sent")
        object.add("room", "z")
        object.add("absent", nil)
        object.add("peers", 4)
        object.add("ms", 0.42)
        object.add("addresses", ["b", "a"])
        #expect(object.line == #"{"event":"sent","room":"z","peers":4,"ms":0.42,"addresses":["b","a"]}"#)
    }

    @Test(
        "Nasty text stays one line and comes back as it was",
        arguments: [
            "", "\"", "\\", "\\u0041", "\n\r\t\u{8}\u{C}", "\0\u{1}\u{1F}\u{7F}\u{9B}", "\u{2028}\u{2029}", "é😀👩‍👩‍👧",
            "\u{202E}bidi", "{\"event\":\"x\"}", "</script>",
        ])
    func text(_ text: String) throws {
        var object = JSONObject()
        object.add("text", text)
        object.add(text, "key")
        let line = object.line
        #expect(!line.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x2028 })
        let ours = try JSONValue(Array(line.utf8))
        #expect(ours == .object(["text": .string(text == "text" ? "key" : text), text: .string("key")]))
        let theirs = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String]
        #expect(theirs?["text"] == text)
    }

    @Test(
        "Numbers have at most three decimals",
        arguments: [
            (0, "0"), (0.42, "0.42"), (1.5, "1.5"), (-0.25, "-0.25"), (1234.5678, "1234.568"), (2, "2"),
            (0.0004, "0"), (.nan, "null"), (.infinity, "null"), (0.001, "0.001"), (12.05, "12.05"),
        ] as [(Double, String)])
    func numbers(value: Double, text: String) {
        #expect(JSONObject.number(value) == text)
    }
}
