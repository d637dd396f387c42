/// How a cell looks; colours are indices that a terminal maps to what it has.
package struct Style: Equatable, Sendable {
    /// A colour by its meaning.
    package enum Colour: Equatable, Sendable {
        case plain, faint, accent, good, bad
        /// One of twelve for peers.
        case peer(UInt8)
    }
    package var colour = Colour.plain
    package var isBold = false
    package var isReversed = false

    /// A style.
    package init(_ colour: Colour = .plain, bold: Bool = false, reversed: Bool = false) {
        self.colour = colour
        isBold = bold
        isReversed = reversed
    }
}

/// One character of the screen. A wide one is followed by a cell of width 0 with no text.
package struct Cell: Equatable, Sendable {
    package var text = " "
    package var width: UInt8 = 1
    package var style = Style()
}

/// A whole screen as cells; drawing outside of it does nothing.
package struct Frame: Equatable, Sendable {
    package let size: Size
    /// Row by row.
    package private(set) var cells: [Cell]
    /// Where the cursor stands, nil when it is hidden.
    package var cursor: (x: Int, y: Int)?

    /// An empty frame.
    package init(size: Size) {
        self.size = size
        cells = Array(repeating: Cell(), count: size.width * size.height)
    }

    /// The cells of a row.
    package func row(_ y: Int) -> ArraySlice<Cell> { cells[y * size.width..<(y + 1) * size.width] }

    /// The screen as text, without spaces at the ends of lines.
    package var lines: [String] {
        (0..<size.height).map { y in
            var line = row(y).reduce(into: "") { $0 += $1.text }
            while line.last == " " { line.removeLast() }
            return line
        }
    }

    /// Draws glyphs from `x` on, at most up to column `end`; returns where it stopped.
    @discardableResult
    package mutating func put(_ glyphs: some Sequence<Glyph>, x: Int, y: Int, end: Int, style: Style) -> Int {
        guard y >= 0, y < size.height, x >= 0 else { return x }
        let end = min(end, size.width)
        var x = x
        for glyph in glyphs {
            guard x + glyph.width <= end else { break }
            let place = y * size.width + x
            cells[place] = Cell(text: glyph.text, width: UInt8(glyph.width), style: style)
            if glyph.width == 2 { cells[place + 1] = Cell(text: "", width: 0, style: style) }
            x += glyph.width
        }
        return x
    }

    /// Draws text.
    @discardableResult
    package mutating func put(_ text: String, x: Int, y: Int, end: Int, style: Style = Style()) -> Int {
        put(TextWidth.glyphs(text), x: x, y: y, end: end, style: style)
    }

    /// Paints spaces.
    package mutating func fill(_ area: Area, _ style: Style) {
        for y in max(0, area.y)..<max(0, min(area.y + area.height, size.height)) {
            for x in max(0, area.x)..<max(0, min(area.x + area.width, size.width)) {
                cells[y * size.width + x] = Cell(style: style)
            }
        }
    }

    /// Frames are equal when they look alike.
    package static func == (left: Frame, right: Frame) -> Bool {
        left.size == right.size && left.cells == right.cells && left.cursor?.x == right.cursor?.x
            && left.cursor?.y == right.cursor?.y
    }
}

/// Columns and rows, at least 1 and at most 1000 each.
package struct Size: Equatable, Sendable {
    package let width: Int
    package let height: Int
    /// A size; brought within its bounds.
    package init(width: Int, height: Int) {
        self.width = min(max(width, 1), 1000)
        self.height = min(max(height, 1), 1000)
    }
}

/// A rectangle of a screen.
package struct Area: Equatable, Sendable {
    package var x: Int
    package var y: Int
    package var width: Int
    package var height: Int
}
