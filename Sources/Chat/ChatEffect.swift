package import Wire

/// What the chat wants done; what fails is answered by ``ChatAction/problem(_:time:)``.
package enum ChatEffect: Equatable, Sendable {
    /// Send a text; answered by ``ChatAction/sent(token:peers:)`` or ``ChatAction/notSent(token:reason:)``.
    case publish(room: String, text: String, token: Int)
    /// Dial.
    case connect(Multiaddr)
    /// Close all connections to a peer.
    case disconnect(PeerID)
    /// Measure a round trip; answered by ``ChatAction/pong(_:milliseconds:time:)``.
    case ping(PeerID)
    /// Dial first.
    case pingAddress(Multiaddr)
    /// Join a room; answered by ``ChatAction/joined(room:)``.
    case join(String)
    /// Leave a room; answered by ``ChatAction/left(room:)``.
    case leave(String)
    /// Leave the program.
    case quit
}
