/// What a user pressed, whatever terminal it came from.
package enum Key: Equatable, Sendable {
    case text(String)
    /// Text from the clipboard, all at once.
    case paste(String)
    case enter, tab, backTab, backspace, delete, escape
    case left, right, up, down, home, end, pageUp, pageDown
    case wordLeft, wordRight
    /// Control and a small letter.
    case control(Character)
    /// Alt and a digit.
    case room(Int)
    case wheelUp, wheelDown
    /// The first F key.
    case help
}
