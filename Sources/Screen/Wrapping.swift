/// Cuts glyphs into rows: at spaces where there are any, else anywhere. Rows after the first are narrower.
package enum Wrapping {
    /// Ranges of `glyphs`, one per row, never empty. Widths below 2 count as 2; a run of spaces at a cut is dropped.
    package static func rows(_ glyphs: [Glyph], first: Int, rest: Int) -> [Range<Int>] {
        var rows: [Range<Int>] = []
        var start = 0
        var room = max(2, first)
        repeat {
            var end = start
            var used = 0
            var cut: Int?
            while end < glyphs.count, used + glyphs[end].width <= room {
                used += glyphs[end].width
                if glyphs[end].text == " ", end > start { cut = end }
                end += 1
            }
            guard end < glyphs.count else {
                rows.append(start..<end)
                break
            }
            if glyphs[end].text == " " { cut = end }
            let stop = cut ?? end
            rows.append(start..<stop)
            start = stop
            while cut != nil, start < glyphs.count, glyphs[start].text == " " { start += 1 }
            room = max(2, rest)
        } while start < glyphs.count
        return rows
    }
}
