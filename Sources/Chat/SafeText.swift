import Wire

/// Remote text made safe for a screen, once, at the border of the chat (CWE-150).
///
/// No control character, escape sequence, bidi override or invisible character comes through, nor does a tower of
/// combining marks. Line ends become `⏎ `, tabs become spaces, what is not UTF-8 becomes `U+FFFD`.
package struct SafeText: Equatable, Sendable {
    /// What may be shown.
    package let text: String
    /// Something was not UTF-8, forbidden, or too long.
    package let isDamaged: Bool

    /// Reads at most `limit` bytes.
    package init(bytes: some Collection<UInt8>, limit: Int = Limits.shownText) {
        let head = Array(bytes.prefix(limit))
        let isValid = head.count < bytes.count || String(validating: head, as: UTF8.self) != nil
        var cleaner = Cleaner()
        cleaner.take(String(decoding: head, as: UTF8.self))
        text = cleaner.text
        isDamaged = !isValid || head.count < bytes.count || cleaner.isDamaged
    }

    /// Reads text, at most `limit` bytes of it.
    package init(_ string: String, limit: Int = Limits.shownText) {
        self.init(bytes: string.utf8, limit: limit)
    }

    /// A nickname: one short word, nil when nothing of it can be shown.
    package static func nick(_ string: String) -> String? {
        let safe = SafeText(string, limit: Limits.shownNick * Limits.scalarsPerCharacter * 4).text
        let word = String(safe.map { $0 == " " ? "_" : $0 }.prefix(Limits.shownNick))
        return word.contains { $0 != "_" } ? word : nil
    }
}

extension SafeText {
    /// Builds the text scalar by scalar.
    private struct Cleaner {
        var text = ""
        var isDamaged = false
        private var marks = 0
        private var afterReturn = false

        mutating func take(_ string: String) {
            for scalar in string.unicodeScalars { take(scalar) }
            while text.hasSuffix("⏎ ") { text.removeLast(2) }
        }

        private mutating func take(_ scalar: Unicode.Scalar) {
            let followsReturn = afterReturn
            afterReturn = scalar == "\r"
            switch scalar.value {
            case 0x20..<0x7F:
                marks = 0
                text.unicodeScalars.append(scalar)
            case 0x09:
                marks = 0
                text += "    "
            case 0x0A where followsReturn: break
            case 0x0A, 0x0D, 0x85, 0x2028, 0x2029:
                marks = 0
                text += "⏎ "
            case 0..<0x20, 0x7F..<0xA0: replace()
            case 0xA0, 0x2000...0x200A, 0x202F, 0x205F:
                marks = 0
                text += " "
            case 0xFE0E, 0xFE0F, 0x200D: join(scalar)
            case 0xE0000...0xE0FFF, 0xFE00...0xFE0D, 0x180B...0x180F, 0x034F, 0x115F, 0x1160, 0x3164, 0xFFA0, 0x2800:
                isDamaged = true
            default: takeOther(scalar)
            }
        }

        private mutating func takeOther(_ scalar: Unicode.Scalar) {
            switch scalar.properties.generalCategory {
            case .control, .format, .surrogate, .privateUse, .unassigned: replace()
            case .nonspacingMark, .enclosingMark: join(scalar)
            default:
                marks = 0
                text.unicodeScalars.append(scalar)
            }
        }

        private mutating func join(_ scalar: Unicode.Scalar) {
            marks += 1
            guard marks < Limits.scalarsPerCharacter, !text.isEmpty else {
                isDamaged = true
                return
            }
            text.unicodeScalars.append(scalar)
        }

        private mutating func replace() {
            isDamaged = true
            marks = 0
            text.unicodeScalars.append("\u{FFFD}")
        }
    }
}
