package import NIOCore

/// What a user, a file or a pipe can make the program itself hold.
extension Limits {
    /// An identity file; go-peer's is 68 bytes, an RSA key of 8192 bits would be 4.7 kB.
    package static let identityFile = 8192
    /// One line of a bot's standard input, newline excluded.
    package static let inputLine = 1 << 20
    /// How much of a refused input line is repeated in the error that says so.
    package static let inputEcho = 512
    /// Nested arrays and objects in a line of JSON.
    package static let jsonDepth = 32
    /// Input lines of a bot that are not carried out yet; no more are read before one is.
    package static let pendingInput = 64
    /// Output of a bot that nobody has read yet; no more events are taken before some is.
    package static let pendingOutput = 1 << 20
    /// Rooms a user can name.
    package static let rooms = 64
    /// A room's name.
    package static let roomName = 256
    /// A user's own nickname.
    package static let ownNick = 64
    /// Addresses a user can give with one flag.
    package static let addressesPerFlag = 64
    /// Pings of one `swift-peer ping`.
    package static let pingCount = 1_000_000
    /// Bytes of texts that go out before the neighbours have to show that they keep up.
    package static let unconfirmedTexts = 256 << 10
    /// How long they may take to show it.
    package static let confirmTimeout = TimeAmount.seconds(5)
    /// From the wish to leave to the end of the process.
    package static let leaveTimeout = TimeAmount.seconds(2)
    /// How long a bot that leaves at the end of its input waits for somebody to take what it read.
    package static let audienceTimeout = TimeAmount.seconds(30)
}
