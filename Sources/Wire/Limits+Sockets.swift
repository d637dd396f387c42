package import NIOCore

extension Limits {
    /// Bytes of one datagram from a socket without receive offload; a longer one is dropped. Four times what a browser
    /// sends would need a network of jumbo frames.
    package static let datagramReceived = 2048
    /// Bytes read from a UDP socket before its loop sees to other things.
    package static let datagramBytesPerTurn = 1 << 19
    /// Bytes that wait for room in a socket's send buffer; what comes when they are full is dropped, as networks do.
    package static let datagramSendQueue = 1 << 20
    /// When a socket whose send buffer was full is tried again.
    package static let datagramRetry = TimeAmount.milliseconds(1)
    /// Bytes asked of the kernel for each direction of a UDP socket.
    package static let datagramSocketBuffer = 4 << 20
}
