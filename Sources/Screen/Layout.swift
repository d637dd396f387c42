/// Where the panes stand. As space shrinks, the system log folds away first (below 24 rows), then the connections
/// (below 16 rows), then the peers (below 60 columns); messages and input always stay, down to 40 × 10.
package struct Layout: Equatable, Sendable {
    /// The smallest screen that is drawn.
    package static let smallest = Size(width: 40, height: 10)

    package let messages: Area
    package let peers: Area?
    package let connections: Area?
    package let log: Area?
    package let input: Area

    /// The panes of a screen; nil when it is too small.
    package init?(_ size: Size) {
        guard size.width >= Self.smallest.width, size.height >= Self.smallest.height else { return nil }
        let (width, height) = (size.width, size.height)
        var bottom = height - 2
        input = Area(x: 0, y: height - 1, width: width, height: 1)
        if height >= 24 {
            let rows = min(10, height / 5)
            log = Area(x: 0, y: bottom - rows, width: width, height: rows)
            bottom -= rows + 1
        } else {
            log = nil
        }
        if height >= 16 {
            let rows = min(8, height / 6 + 1)
            connections = Area(x: 0, y: bottom - rows, width: width, height: rows)
            bottom -= rows + 1
        } else {
            connections = nil
        }
        let side = width >= 60 ? 18 : 0
        peers = side > 0 ? Area(x: width - side, y: 2, width: side, height: bottom - 2) : nil
        messages = Area(x: 0, y: 1, width: side > 0 ? width - side - 1 : width, height: bottom - 1)
    }
}

/// What can have the focus.
package enum Pane: Int, Sendable, CaseIterable { case input, messages, peers, connections, log }
