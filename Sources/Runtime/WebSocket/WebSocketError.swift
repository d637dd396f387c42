import NIOHTTP1

/// Why there is no WebSocket, or why it ended, in words a person can act on.
enum WebSocketError: Error, Equatable, CustomStringConvertible {
    /// The server's answer is no upgrade.
    case refused(HTTPResponseStatus)
    /// The request or the answer is longer than ``Limits/webSocketHead``.
    case headTooLong
    /// TLS or the upgrade took longer than ``Limits/webSocketUpgradeTimeout``.
    case timedOut
    /// The socket ended before the upgrade was through.
    case closed
    /// The remote breaks RFC 6455, or sends what libp2p does not: text.
    case misbehaved(String)

    var description: String {
        switch self {
        case .refused(let status): "no WebSocket is served there: HTTP \(status.code)"
        case .headTooLong: "its HTTP head is too long"
        case .timedOut: "no answer within the time limit"
        case .closed: "the connection was closed before it became a WebSocket"
        case .misbehaved(let words): "the WebSocket broke: \(words)"
        }
    }
}
