package import Chat

/// A chat with its screen: what a terminal's loop drives and draws. Times are unix milliseconds.
package struct ChatScreen: Sendable {
    /// The chat.
    package private(set) var state: ChatState
    /// What belongs to the screen alone.
    package private(set) var ui = UIState()

    /// A screen for a chat.
    package init(_ state: ChatState) { self.state = state }

    /// Applies what happened.
    package mutating func apply(_ actions: some Sequence<ChatAction>) -> [ChatEffect] {
        actions.flatMap { reduce(into: &state, $0) }
    }

    /// Applies a key.
    package mutating func handle(_ key: Key, _ size: Size, time: Int64) -> [ChatEffect] {
        ui.now = time
        return apply(ui.handle(key, state, size))
    }

    /// Draws; `utcOffset` is what to add to universal time, in seconds.
    package mutating func frame(_ size: Size, time: Int64, utcOffset: Int64) -> Frame {
        ui.now = time
        ui.utcOffset = utcOffset
        return view(state, size, ui)
    }
}
