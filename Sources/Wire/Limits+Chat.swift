/// What the chat and its screen hold.
extension Limits {
    /// Lines of one room, or of the log, kept for scrolling back.
    package static let historyLines = 10_000
    /// A text somebody types, in bytes; with its envelope it must fit ``gossipSent``.
    package static let typedText = 61_440
    /// A text shown of one message, in bytes; what is longer is cut.
    package static let shownText = 65_536
    /// A nickname shown, in characters.
    package static let shownNick = 32
    /// Scalars of one character as seen on the screen: what follows is dropped.
    package static let scalarsPerCharacter = 8
    /// Messages remembered by (author, sequence number), so that none is shown twice.
    package static let seenChatMessages = 16_384
    /// Peers of one room that are listed.
    package static let listedPeers = 4096
    /// Connections that are listed.
    package static let listedConnections = 1024
    /// Steps on the way to a connection that are shown of it.
    package static let shownSteps = 16
    /// Own texts that nobody answered for yet.
    package static let unansweredTexts = 1024
    /// Names of peers kept in text.
    package static let cachedNames = 4096
    /// Lines of the input box kept for recalling.
    package static let inputHistory = 500
}
