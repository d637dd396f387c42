import Wire

/// The line being typed: its characters, its cursor, what was killed, and lines typed before.
package struct InputLine: Sendable {
    private var characters: [Character] = []
    /// Characters before the cursor.
    package private(set) var cursor = 0
    private var bytes = 0
    private var killed: [Character] = []
    private var history: [String] = []
    private var recalled: Int?
    private var draft = ""

    /// An empty line.
    package init() {}

    /// What is typed so far.
    package var text: String { String(characters) }
    /// What stands before the cursor.
    package var textBeforeCursor: String { String(characters[..<cursor]) }
    /// Nothing is typed.
    package var isEmpty: Bool { characters.isEmpty }

    /// Puts text at the cursor: line ends become spaces, other controls go, what does not fit is cut.
    package mutating func insert(_ text: String) {
        var typed = textBeforeCursor
        let before = typed.utf8.count
        var room = Limits.typedText - bytes
        for scalar in text.unicodeScalars {
            let isSpace = scalar == "\n" || scalar == "\t" || scalar == "\r"
            guard isSpace || (scalar.value >= 0x20 && scalar.properties.generalCategory != .control) else { continue }
            let next: Unicode.Scalar = isSpace ? " " : scalar
            room -= next.utf8.count
            guard room >= 0 else { break }
            typed.unicodeScalars.append(next)
        }
        bytes += typed.utf8.count - before
        let start = Array(typed)
        characters = start + characters[cursor...]
        cursor = start.count
    }

    /// Replaces everything.
    package mutating func replace(with text: String) {
        (characters, cursor, bytes) = ([], 0, 0)
        insert(text)
    }

    /// Takes the line away and remembers it.
    package mutating func submit() -> String {
        let line = text
        if !line.isEmpty, history.last != line {
            history.append(line)
            if history.count > Limits.inputHistory { history.removeFirst() }
        }
        recalled = nil
        draft = ""
        replace(with: "")
        return line
    }

    /// Goes to the line typed before (-1) or after (1); the draft comes back at the end.
    package mutating func recall(_ step: Int) {
        guard !history.isEmpty else { return }
        let place = (recalled ?? history.count) + step
        guard place >= 0, place <= history.count else { return }
        if recalled == nil { draft = text }
        recalled = place == history.count ? nil : place
        replace(with: place == history.count ? draft : history[place])
    }

    /// Moves by characters.
    package mutating func move(_ step: Int) { cursor = min(max(cursor + step, 0), characters.count) }
    /// Moves to the start.
    package mutating func moveToStart() { cursor = 0 }
    /// Moves to the end.
    package mutating func moveToEnd() { cursor = characters.count }
    /// Moves to the start of this word or the one before.
    package mutating func moveWordLeft() { cursor = wordStart }
    /// Moves behind this word or the next.
    package mutating func moveWordRight() {
        while cursor < characters.count, characters[cursor] == " " { cursor += 1 }
        while cursor < characters.count, characters[cursor] != " " { cursor += 1 }
    }

    /// Removes the character before the cursor.
    package mutating func backspace() { if cursor > 0 { remove(cursor - 1..<cursor) } }
    /// Removes the character at the cursor.
    package mutating func delete() { if cursor < characters.count { remove(cursor..<cursor + 1) } }
    /// Kills all before the cursor.
    package mutating func killToStart() { kill(0..<cursor) }
    /// Kills all behind the cursor.
    package mutating func killToEnd() { kill(cursor..<characters.count) }
    /// Kills the word before the cursor.
    package mutating func killWord() { kill(wordStart..<cursor) }
    /// Puts what was killed last.
    package mutating func yank() { insert(String(killed)) }

    private var wordStart: Int {
        var place = cursor
        while place > 0, characters[place - 1] == " " { place -= 1 }
        while place > 0, characters[place - 1] != " " { place -= 1 }
        return place
    }

    private mutating func kill(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        killed = Array(characters[range])
        remove(range)
    }

    private mutating func remove(_ range: Range<Int>) {
        characters.removeSubrange(range)
        cursor = range.lowerBound
        // Neighbours may have become one character.
        let (text, before) = (String(characters), String(characters[..<cursor]))
        bytes = text.utf8.count
        characters = Array(text)
        cursor = min(Array(before).count, characters.count)
    }
}
