/// How a remote broke Yamux. Each ends the session with a go-away of code 1.
package enum YamuxError: Error, Equatable {
    case unknownVersion(UInt8)
    case unknownType(UInt8)
    /// A stream frame on stream 0.
    case sessionStream
    /// A SYN whose number belongs to our side.
    case wrongParity(UInt32)
    /// A SYN for a stream that is open or was closed moments ago.
    case duplicateStream(UInt32)
    /// More data than the window we granted.
    case receiveWindowExceeded(UInt32)
    /// A window update that lifts a window above 2^32 - 1.
    case sendWindowOverflow(UInt32)
    /// More pings than `Limits.pingBurst` allows.
    case pingFlood
    /// More streams that came to nothing than `Limits.fruitlessStreamBurst` allows.
    case streamFlood
    /// More answers due than `Limits.queuedReplies` while the pipe takes none.
    case unreadReplies
}
