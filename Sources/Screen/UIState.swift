package import Chat

/// What belongs to the screen alone: the focus, the scrolling, the line being typed.
package struct UIState: Sendable {
    /// The pane that keys go to; text goes to the input line always.
    package private(set) var focus = Pane.input
    /// The line being typed.
    package private(set) var input = InputLine()
    var scrolls: [Pane: Scroll] = [:]
    /// Wall time in unix milliseconds, for how long connections last; set before drawing.
    package var now: Int64 = 0
    /// Seconds to add to universal time for the time of day.
    package var utcOffset: Int64 = 0

    /// Nothing typed, the input focused.
    package init() {}

    /// Takes a key; what it returns goes to the reducer.
    package mutating func handle(_ key: Key, _ state: ChatState, _ size: Size) -> [ChatAction] {
        switch key {
        case .text(let text), .paste(let text):
            focus = .input
            input.insert(text)
        case .enter:
            scrolls[.messages] = nil
            focus = .input
            return [.submit(input.submit(), time: now)]
        case .tab:
            if focus == .input, let line = ChatCommand.completion(of: input.text) {
                input.replace(with: line)
            } else if focus != .input || !input.text.hasPrefix("/") {
                cycle(1, size)
            }
        case .backTab: cycle(-1, size)
        case .escape: focus = .input
        case .backspace: input.backspace()
        case .delete: input.delete()
        case .left: input.move(-1)
        case .right: input.move(1)
        case .wordLeft: input.moveWordLeft()
        case .wordRight: input.moveWordRight()
        case .up: if focus == .input { input.recall(-1) } else { scroll(-1, state, size) }
        case .down: if focus == .input { input.recall(1) } else { scroll(1, state, size) }
        case .home: if focus == .input { input.moveToStart() } else { scrollToTop(state, size) }
        case .end: if focus == .input { input.moveToEnd() } else { scrolls[focus] = nil }
        case .pageUp: scroll(-page(size), state, size)
        case .pageDown: scroll(page(size), state, size)
        case .wheelUp: scroll(-3, state, size)
        case .wheelDown: scroll(3, state, size)
        case .room(let index): return turned(.show(index))
        case .help: return [.submit("/help", time: now)]
        case .control(let letter): return control(letter)
        }
        return []
    }

    private mutating func control(_ letter: Character) -> [ChatAction] {
        switch letter {
        case "a": input.moveToStart()
        case "e": input.moveToEnd()
        case "b": input.move(-1)
        case "f": input.move(1)
        case "d": input.delete()
        case "k": input.killToEnd()
        case "u": input.killToStart()
        case "w": input.killWord()
        case "y": input.yank()
        case "n": return turned(.turn(1))
        case "p": return turned(.turn(-1))
        case "c": return [.submit("/quit", time: now)]
        default: break
        }
        return []
    }

    private mutating func turned(_ action: ChatAction) -> [ChatAction] {
        scrolls[.messages] = nil
        scrolls[.peers] = nil
        return [action]
    }

    private mutating func cycle(_ step: Int, _ size: Size) {
        let panes = Pane.allCases.filter { area($0, size) != nil }
        let place = panes.firstIndex(of: focus) ?? 0
        if !panes.isEmpty { focus = panes[(place + step + panes.count) % panes.count] }
    }

    /// The pane that scrolling moves: messages while the input has the focus.
    private var scrolled: Pane { focus == .input ? .messages : focus }

    private func page(_ size: Size) -> Int { max(1, (area(scrolled, size)?.height ?? 1) - 1) }

    private func area(_ pane: Pane, _ size: Size) -> Area? {
        guard let layout = Layout(size) else { return nil }
        switch pane {
        case .input: return layout.input
        case .messages: return layout.messages
        case .peers: return layout.peers
        case .connections: return layout.connections
        case .log: return layout.log
        }
    }

    private mutating func scroll(_ step: Int, _ state: ChatState, _ size: Size) {
        guard let area = area(scrolled, size) else { return }
        let listing = Listings(state, self).of(scrolled)
        scrolls[scrolled] = listing.moved(scrolls[scrolled], by: step, width: area.width, height: area.height)
    }

    private mutating func scrollToTop(_ state: ChatState, _ size: Size) {
        guard let area = area(scrolled, size) else { return }
        scrolls[scrolled] = Listings(state, self).of(scrolled).top(width: area.width, height: area.height)
    }
}
