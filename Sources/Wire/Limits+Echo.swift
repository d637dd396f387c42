package import NIOCore

/// What `swift-peer echo` holds for others.
extension Limits {
    /// Connections that are echoed to at once; a further one is dropped as if nobody listened.
    package static let echoConnections = 256
    /// Data channels of one of them.
    package static let echoChannels = 64
    /// Bytes of a message that could not be echoed that its refusal repeats, so that its sender knows which it was.
    package static let echoedHead = 8
    /// Places to listen.
    package static let echoListeners = 16

    /// Requests for the page at once.
    package static let pageRequests = 64
    /// From a connection's first byte to the end of its answer.
    package static let pageTimeout = TimeAmount.seconds(5)
}
