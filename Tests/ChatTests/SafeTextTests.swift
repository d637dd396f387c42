import Chat
import Testing

@Suite("Remote text is safe to show")
struct SafeTextTests {
    @Test(
        "Nasty bytes come out harmless",
        arguments: [
            ("plain", "plain", false),
            ("\u{1B}[2J\u{1B}[31mred", "\u{FFFD}[2J\u{FFFD}[31mred", true),
            ("\u{9B}31m", "\u{FFFD}31m", true),
            ("a\u{202E}b", "a\u{FFFD}b", true),
            ("\u{2066}x\u{2069}", "\u{FFFD}x\u{FFFD}", true),
            ("a\u{200E}b\u{200F}", "a\u{FFFD}b\u{FFFD}", true),
            ("bell\u{7}", "bell\u{FFFD}", true),
            ("two\nlines\r\nmore\n", "two⏎ lines⏎ more", false),
            ("a\tb", "a    b", false),
            ("日本 🎉", "日本 🎉", false),
            ("e\u{301}", "e\u{301}", false),
            ("\u{0}\u{7F}", "\u{FFFD}\u{FFFD}", true),
        ] as [(String, String, Bool)])
    func table(input: String, shown: String, damaged: Bool) {
        let safe = SafeText(input)
        #expect(safe.text == shown)
        #expect(safe.isDamaged == damaged)
    }

    @Test("What is not UTF-8 is replaced and marked")
    func invalid() {
        let safe = SafeText(bytes: [0x61, 0xFF, 0x62])
        #expect(safe.text == "a\u{FFFD}b")
        #expect(safe.isDamaged)
    }

    @Test("A tower of marks is cut")
    func marks() {
        let safe = SafeText("a" + String(repeating: "\u{301}", count: 1000))
        #expect(safe.text.unicodeScalars.count <= 9)
        #expect(safe.isDamaged)
    }

    @Test("No forbidden scalar comes through")
    func every() {
        for value in UInt32(0)...0x3FFF {
            guard let scalar = Unicode.Scalar(value) else { continue }
            for shown in SafeText("x\(Character(scalar))").text.unicodeScalars {
                #expect(shown.properties.generalCategory != .control)
                #expect(shown.value == 0x200D || shown.properties.generalCategory != .format)
            }
        }
    }

    @Test("A nickname is one short word")
    func nicks() {
        #expect(SafeText.nick("al ice") == "al_ice")
        #expect(SafeText.nick("  ") == nil)
        #expect(SafeText.nick(String(repeating: "x", count: 500))?.count == 32)
    }
}
