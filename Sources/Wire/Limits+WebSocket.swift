package import NIOCore

/// What WebSocket pipes may hold or wait for.
extension Limits {
    // MARK: WebSocket

    /// Bytes of an HTTP head, request or response, request line included: go allows 1 MB, browsers need under 2 kB.
    package static let webSocketHead = 8 << 10
    /// Bytes of a frame: it is held until it is whole. rust-libp2p writes up to 192 KiB in one, all others 64.
    package static let webSocketFrame = 512 << 10
    /// Bytes of a frame that is sent: larger writes become several messages.
    package static let webSocketFrameSent = 64 << 10
    /// From accepting a socket whose protocol is not known yet, or from connecting one that must become a WebSocket,
    /// to the end of TLS and upgrade.
    package static let webSocketUpgradeTimeout = TimeAmount.seconds(10)
    /// How long a remote may take to answer the end of TLS.
    package static let tlsCloseTimeout = TimeAmount.seconds(1)
    /// Between two looks at the files of our certificate.
    package static let tlsFilePause = TimeAmount.seconds(1)
    /// Sockets accepted whose protocol is not known yet.
    package static let arrivals = 128
    /// Pings answered in a second; others go unanswered, which RFC 6455 section 5.5.3 allows.
    package static let webSocketPongsPerSecond = 10
}
