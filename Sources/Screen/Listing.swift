/// A line of a pane before it is wrapped: glyphs with styles, and how far further rows are indented.
struct StyledLine {
    private(set) var glyphs: [Glyph] = []
    private var runs: [(end: Int, style: Style)] = []
    var indent = 0

    mutating func add(_ text: String, _ style: Style = Style()) {
        glyphs += TextWidth.glyphs(text)
        runs.append((glyphs.count, style))
    }

    /// One row at `x`, in styles.
    func draw(_ range: Range<Int>, on frame: inout Frame, x: Int, y: Int, end: Int) {
        var (x, start) = (x, range.lowerBound)
        for run in runs where run.end > start && start < range.upperBound {
            let stop = min(run.end, range.upperBound)
            x = frame.put(glyphs[start..<stop], x: x, y: y, end: end, style: run.style)
            start = stop
        }
    }
}

/// What a pane lists: numbered lines, made and wrapped only when they are seen.
struct Listing {
    let range: Range<Int>
    let line: (Int) -> StyledLine

    func rows(of line: StyledLine, width: Int) -> [Range<Int>] {
        Wrapping.rows(line.glyphs, first: width, rest: width - line.indent)
    }

    func height(_ number: Int, _ width: Int) -> Int { rows(of: line(number), width: width).count }
}

/// Where a pane is scrolled to: the line at its bottom and how many rows of it are below the edge.
package struct Scroll: Equatable, Sendable {
    var line: Int
    var hidden: Int
}

extension Listing {
    private func clamped(_ scroll: Scroll?) -> Scroll {
        guard let scroll else { return Scroll(line: range.upperBound - 1, hidden: 0) }
        if scroll.line < range.lowerBound { return Scroll(line: range.lowerBound, hidden: 0) }
        return scroll.line < range.upperBound ? scroll : Scroll(line: range.upperBound - 1, hidden: 0)
    }

    /// The scroll with the first line at the top; nil when all fits.
    func top(width: Int, height: Int) -> Scroll? {
        var used = 0
        for number in range {
            let rows = self.height(number, width)
            used += rows
            if used >= height {
                let scroll = Scroll(line: number, hidden: used - height)
                return scroll == Scroll(line: range.upperBound - 1, hidden: 0) ? nil : scroll
            }
        }
        return nil
    }

    /// Moves up (negative) or down by rows; nil means that the end is followed.
    func moved(_ scroll: Scroll?, by step: Int, width: Int, height: Int) -> Scroll? {
        guard !range.isEmpty, width > 0, height > 0 else { return nil }
        var place = clamped(scroll)
        for _ in 0..<abs(step) {
            if step < 0 {
                place.hidden += 1
                guard place.hidden >= self.height(place.line, width) else { continue }
                guard place.line > range.lowerBound else { break }
                place = Scroll(line: place.line - 1, hidden: 0)
            } else if place.hidden > 0 {
                place.hidden -= 1
            } else if place.line < range.upperBound - 1 {
                let rows = self.height(place.line + 1, width)
                place = Scroll(line: place.line + 1, hidden: rows - 1)
            } else {
                return nil
            }
        }
        var above = -place.hidden
        var number = place.line
        while number >= range.lowerBound, above < height {
            above += self.height(number, width)
            number -= 1
        }
        if above < height { return top(width: width, height: height) }
        return place.line == range.upperBound - 1 && place.hidden == 0 ? nil : place
    }

    /// Draws what is seen; returns whether there is more below.
    func draw(on frame: inout Frame, in area: Area, scroll: Scroll?) -> Bool {
        guard !range.isEmpty, area.width > 0, area.height > 0 else { return false }
        let place = clamped(scroll)
        var seen: [(line: StyledLine, row: Range<Int>, isFirst: Bool)] = []
        var number = place.line
        while number >= range.lowerBound, seen.count < area.height {
            let line = self.line(number)
            let rows = self.rows(of: line, width: area.width)
            let shown = number == place.line ? max(1, rows.count - place.hidden) : rows.count
            for index in (0..<shown).reversed() where seen.count < area.height {
                seen.append((line, rows[index], index == 0))
            }
            number -= 1
        }
        for (index, row) in seen.reversed().enumerated() {
            let x = area.x + (row.isFirst ? 0 : row.line.indent)
            row.line.draw(row.row, on: &frame, x: x, y: area.y + index, end: area.x + area.width)
        }
        return place.line < range.upperBound - 1 || place.hidden > 0
    }
}
