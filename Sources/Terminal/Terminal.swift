import CNcurses
import Glibc
import Screen

/// The screen that ncurses drives, for as long as it lives.
struct Terminal {
    private var previous: Frame?
    private var palette = Palette()
    private var pasted: String?

    /// Takes the terminal over; fails where there is none that can be drawn on.
    init() throws(TerminalApp.Refusal) {
        guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1 else {
            throw .init(description: "the chat needs a terminal; without one use `swift-peer bot`")
        }
        let name = getenv("TERM").map { String(cString: $0) } ?? ""
        guard !name.isEmpty, name != "dumb" else {
            throw .init(description: "TERM=\(name) cannot show a screen; use `swift-peer bot` for a chat by lines")
        }
        _ = shim_setlocale()
        shim_remember()
        guard shim_start() == 0 else {
            throw .init(description: "the terminal `\(name)` is not known here; try TERM=xterm-256color")
        }
        palette.start()
        shim_guard_signals()
    }

    /// Gives the terminal back.
    func restore() { shim_stop() }

    /// How large it is now.
    var size: Size { Size(width: Int(shim_COLS()), height: Int(shim_LINES())) }

    /// Hands the rows that changed to ncurses, which sends the cells that changed.
    mutating func draw(_ frame: Frame) {
        for y in 0..<frame.size.height {
            let row = frame.row(y)
            if let previous, previous.size == frame.size, previous.row(y) == row { continue }
            draw(row, y: y)
        }
        if let cursor = frame.cursor {
            _ = wmove(shim_stdscr(), Int32(cursor.y), Int32(cursor.x))
        }
        _ = wrefresh(shim_stdscr())
        previous = frame
    }

    private func draw(_ row: ArraySlice<Cell>, y: Int) {
        var start = row.startIndex
        while start < row.endIndex {
            let style = row[start].style
            var (end, text) = (start, "")
            while end < row.endIndex, row[end].style == style {
                text += row[end].text
                end += 1
            }
            let (attributes, pair) = palette.look(style)
            _ = shim_put(shim_stdscr(), Int32(y), Int32(start - row.startIndex), text, -1, attributes, pair)
            start = end
        }
    }

    /// The keys that are waiting, at most 4096; nil stands for a change of size.
    mutating func keys() -> [Key?] {
        var keys: [Key?] = []
        while keys.count < 4096 {
            var code = wint_t(0)
            let result = wget_wch(shim_stdscr(), &code)
            if result == ERR { break }
            if result == KEY_CODE_YES {
                if Int32(code) == KEY_RESIZE {
                    previous = nil
                    _ = werase(shim_stdscr())
                    keys.append(nil)
                } else if Int32(code) == SHIM_KEY_PASTE_BEGIN {
                    pasted = ""
                } else if Int32(code) == SHIM_KEY_PASTE_END {
                    if let pasted { keys.append(.paste(pasted)) }
                    pasted = nil
                } else if pasted == nil, let key = KeyCodes.special(Int32(code)) {
                    keys.append(key)
                }
            } else if let scalar = Unicode.Scalar(UInt32(code)) {
                if pasted != nil {
                    if pasted?.utf8.count ?? 0 < 65_536 { pasted?.unicodeScalars.append(scalar) }
                } else if scalar == "\u{1B}" {
                    keys.append(KeyCodes.afterEscape())
                } else if let key = KeyCodes.plain(scalar) {
                    keys.append(key)
                }
            }
        }
        return keys
    }
}

/// What ncurses calls a key, and what this program calls it.
enum KeyCodes {
    static func special(_ code: Int32) -> Key? {
        switch code {
        case KEY_LEFT: .left
        case KEY_RIGHT: .right
        case KEY_UP: .up
        case KEY_DOWN: .down
        case KEY_HOME: .home
        case KEY_END: .end
        case KEY_PPAGE: .pageUp
        case KEY_NPAGE: .pageDown
        case KEY_BACKSPACE: .backspace
        case KEY_DC: .delete
        case KEY_ENTER: .enter
        case KEY_BTAB: .backTab
        case shim_KEY_F(1): .help
        case SHIM_KEY_WORD_LEFT: .wordLeft
        case SHIM_KEY_WORD_RIGHT: .wordRight
        case KEY_MOUSE: mouse()
        default: nil
        }
    }

    static func plain(_ scalar: Unicode.Scalar) -> Key? {
        switch scalar.value {
        case 0x0A, 0x0D: .enter
        case 0x09: .tab
        case 0x08, 0x7F: .backspace
        case 1...26: Unicode.Scalar(scalar.value + 0x60).map { .control(Character($0)) }
        case 0..<0x20: nil
        default: .text(String(Character(scalar)))
        }
    }

    /// What comes right behind an escape belongs to it: Alt with a letter or digit.
    static func afterEscape() -> Key? {
        var code = wint_t(0)
        guard wget_wch(shim_stdscr(), &code) == OK, let scalar = Unicode.Scalar(UInt32(code)) else { return .escape }
        switch scalar {
        case "1"..."9": return .room(Int(scalar.value) - 0x31)
        case "b": return .wordLeft
        case "f": return .wordRight
        case "\u{7F}", "\u{8}": return .control("w")
        default: return nil
        }
    }

    private static func mouse() -> Key? {
        var event = MEVENT()
        guard getmouse(&event) == OK else { return nil }
        if event.bstate & SHIM_BUTTON4_PRESSED != 0 { return .wheelUp }
        return event.bstate & SHIM_BUTTON5_PRESSED != 0 ? .wheelDown : nil
    }
}

/// Colours as far as the terminal has them.
struct Palette {
    private var count: Int32 = 0

    mutating func start() {
        guard has_colors() else { return }
        _ = start_color()
        _ = use_default_colors()
        count = shim_COLORS()
        guard count >= 8 else { return }
        let rich: [Int16] = [244, 45, 71, 203, 39, 208, 113, 170, 220, 80, 147, 204, 150, 180, 75, 216]
        let poor: [Int16] = [7, 6, 2, 1, 4, 3, 2, 5, 3, 6, 4, 1, 2, 3, 6, 5]
        for (index, colour) in (count >= 256 ? rich : poor).enumerated() {
            _ = init_pair(Int16(index + 1), colour, -1)
        }
    }

    func look(_ style: Style) -> (attr_t, Int16) {
        var attributes = SHIM_A_NORMAL
        if style.isBold { attributes |= SHIM_A_BOLD }
        if style.isReversed { attributes |= SHIM_A_REVERSE }
        guard count >= 8 else { return (attributes, 0) }
        switch style.colour {
        case .plain: return (attributes, 0)
        case .faint: return (attributes, 1)
        case .accent: return (attributes, 2)
        case .good: return (attributes, 3)
        case .bad: return (attributes, 4)
        case .peer(let index): return (attributes, Int16(index % 12) + 5)
        }
    }
}
