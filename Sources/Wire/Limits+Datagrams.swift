extension Limits {
    /// Bytes of a ``Datagrams`` train: below what one UDP send can carry.
    package static let datagramTrain = 60_000
    /// Datagrams of one train: the kernel's UDP_MAX_SEGMENTS was 64 for long.
    package static let datagramTrainCount = 64
    /// The payload of a UDP datagram we send for WebRTC: fits every path that carries IPv6.
    package static let datagramPayload = 1200
}
