/// What fills one or two cells: a scalar with a width and the marks on it.
package struct Glyph: Equatable, Sendable {
    package var text: String
    package let width: Int
}

/// How wide text is on a terminal, as the C library and ncurses count it: scalar by scalar.
///
/// Terminals disagree about characters joined from several wide ones (families, flags, skin tones), so these are
/// never emitted joined: each part stands in its own cells. Ambiguous widths are 1.
package enum TextWidth {
    /// The cells a text takes.
    package static func of(_ text: String) -> Int { glyphs(text).reduce(0) { $0 + $1.width } }

    /// Text cut into what fills cells; nothing in it can move a cursor.
    package static func glyphs(_ text: String) -> [Glyph] {
        var glyphs: [Glyph] = []
        glyphs.reserveCapacity(text.utf8.count)
        var marks = 0
        for scalar in text.unicodeScalars {
            if scalar.value >= 0x20 && scalar.value < 0x7F {
                glyphs.append(Glyph(text: String(Character(scalar)), width: 1))
                marks = 0
                continue
            }
            switch kind(scalar) {
            case .mark:
                marks += 1
                if marks <= 4, let last = glyphs.indices.last { glyphs[last].text.unicodeScalars.append(scalar) }
            case .nothing: break
            case .cells(let width):
                glyphs.append(Glyph(text: String(Character(scalar)), width: width))
                marks = 0
            case .unsure:
                glyphs.append(Glyph(text: "\u{FFFD}", width: 1))
                marks = 0
            }
        }
        return glyphs
    }

    private enum Kind { case mark, nothing, cells(Int), unsure }

    private static func kind(_ scalar: Unicode.Scalar) -> Kind {
        let value = scalar.value
        switch value {
        case 0x1F3FB...0x1F3FF, 0x20E3, 0xFE00...0xFE0F, 0x200D: return .nothing
        case 0x1F1E6...0x1F1FF: return .cells(1)
        case 0x1160...0x11FF, 0xD7B0...0xD7FF: return .unsure
        default: break
        }
        if value >= 0x1100, wide.contains(where: { $0.contains(value) }) { return .cells(2) }
        guard value >= 0xA1 else { return .unsure }
        if value < 0x300 { return value == 0xAD ? .nothing : .cells(1) }
        let properties = scalar.properties
        switch properties.generalCategory {
        case .nonspacingMark, .enclosingMark: return .mark
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator:
            return .unsure
        default: break
        }
        // What is younger than the C library of a stable distribution has no width there.
        guard let age = properties.age, age.major <= 15 else { return .unsure }
        return .cells(1)
    }

    /// East Asian Width W and F, Unicode 15 (EastAsianWidth.txt), gaps of unassigned code points included in blocks
    /// that are wide by default.
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x231A...0x231B, 0x2329...0x232A, 0x23E9...0x23EC, 0x23F0...0x23F0, 0x23F3...0x23F3,
        0x25FD...0x25FE, 0x2614...0x2615, 0x2648...0x2653, 0x267F...0x267F, 0x2693...0x2693, 0x26A1...0x26A1,
        0x26AA...0x26AB, 0x26BD...0x26BE, 0x26C4...0x26C5, 0x26CE...0x26CE, 0x26D4...0x26D4, 0x26EA...0x26EA,
        0x26F2...0x26F3, 0x26F5...0x26F5, 0x26FA...0x26FA, 0x26FD...0x26FD, 0x2705...0x2705, 0x270A...0x270B,
        0x2728...0x2728, 0x274C...0x274C, 0x274E...0x274E, 0x2753...0x2755, 0x2757...0x2757, 0x2795...0x2797,
        0x27B0...0x27B0, 0x27BF...0x27BF, 0x2B1B...0x2B1C, 0x2B50...0x2B50, 0x2B55...0x2B55, 0x2E80...0x2E99,
        0x2E9B...0x2EF3, 0x2F00...0x2FD5, 0x2FF0...0x2FFB, 0x3000...0x3029, 0x302E...0x303E, 0x3041...0x3096,
        0x309B...0x30FF, 0x3105...0x312F, 0x3131...0x318E, 0x3190...0x31E3, 0x31F0...0x321E, 0x3220...0x3247,
        0x3250...0x4DBF, 0x4E00...0xA48C, 0xA490...0xA4C6, 0xA960...0xA97C, 0xAC00...0xD7A3, 0xF900...0xFAFF,
        0xFE10...0xFE19, 0xFE30...0xFE52, 0xFE54...0xFE66, 0xFE68...0xFE6B, 0xFF01...0xFF60, 0xFFE0...0xFFE6,
        0x17000...0x187F7, 0x18800...0x18CD5, 0x1B000...0x1B122, 0x1F004...0x1F004, 0x1F0CF...0x1F0CF,
        0x1F18E...0x1F18E, 0x1F191...0x1F19A, 0x1F200...0x1F202, 0x1F210...0x1F23B, 0x1F240...0x1F248,
        0x1F250...0x1F251, 0x1F260...0x1F265, 0x1F300...0x1F320, 0x1F32D...0x1F335, 0x1F337...0x1F37C,
        0x1F37E...0x1F393, 0x1F3A0...0x1F3CA, 0x1F3CF...0x1F3D3, 0x1F3E0...0x1F3F0, 0x1F3F4...0x1F3F4,
        0x1F3F8...0x1F43E, 0x1F440...0x1F440, 0x1F442...0x1F4FC, 0x1F4FF...0x1F53D, 0x1F54B...0x1F54E,
        0x1F550...0x1F567, 0x1F57A...0x1F57A, 0x1F595...0x1F596, 0x1F5A4...0x1F5A4, 0x1F5FB...0x1F64F,
        0x1F680...0x1F6C5, 0x1F6CC...0x1F6CC, 0x1F6D0...0x1F6D2, 0x1F6D5...0x1F6D7, 0x1F6DC...0x1F6DF,
        0x1F6EB...0x1F6EC, 0x1F6F4...0x1F6FC, 0x1F7E0...0x1F7EB, 0x1F7F0...0x1F7F0, 0x1F90C...0x1F93A,
        0x1F93C...0x1F945, 0x1F947...0x1F9FF, 0x1FA70...0x1FA7C, 0x1FA80...0x1FA88, 0x1FA90...0x1FABD,
        0x1FABF...0x1FAC5, 0x1FACE...0x1FADB, 0x1FAE0...0x1FAE8, 0x1FAF0...0x1FAF8, 0x20000...0x2FFFD,
        0x30000...0x3FFFD,
    ]
}
