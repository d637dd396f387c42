import DequeModule

/// The last lines of something: the oldest goes when a new one does not fit. A line keeps its number for life.
package struct LineRing<Line: Sendable>: Sendable {
    private var lines: Deque<Line> = []
    private let limit: Int
    /// The number of the oldest line held.
    package private(set) var first = 0

    /// Holds at most `limit` lines.
    package init(limit: Int) { self.limit = max(1, limit) }

    /// The numbers of the lines held.
    package var range: Range<Int> { first..<first + lines.count }
    /// Nothing is held.
    package var isEmpty: Bool { lines.isEmpty }

    /// The line with a number, nil when it is not held.
    package subscript(number: Int) -> Line? {
        get { range.contains(number) ? lines[number - first] : nil }
        set {
            guard range.contains(number), let newValue else { return }
            lines[number - first] = newValue
        }
    }

    /// Adds a line and returns its number.
    @discardableResult
    package mutating func append(_ line: Line) -> Int {
        if lines.count == limit {
            lines.removeFirst()
            first += 1
        }
        lines.append(line)
        return first + lines.count - 1
    }

    /// Forgets all lines; numbers go on.
    package mutating func clear() {
        first += lines.count
        lines.removeAll()
    }
}
