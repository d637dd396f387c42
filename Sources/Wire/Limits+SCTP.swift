package import NIOCore

extension Limits {
    // MARK: SCTP

    /// Bytes of an SCTP packet we look at: more than any DTLS record path carries.
    package static let sctpPacketReceived = 8192
    /// Bytes that wait in an association to be sent or acknowledged; never less than two of its largest messages.
    package static let sctpSendBuffer = 1 << 20
    /// Bytes the remote may have sent that are not a whole, ordered message yet; never less than four of the largest
    /// messages, so that none is given out in parts.
    package static let sctpReceiveBuffer = 2 << 20
    /// Chunks that wait in an association, each way: what small messages cost is counted by these.
    package static let sctpQueuedChunks = 8192
    /// Streams a remote may have towards us: 40 bytes each as soon as it says it wants them.
    package static let sctpInboundStreams = 2048
    /// Streams we may have towards a remote, whoever asks for more: about 70 bytes each.
    package static let sctpOutboundStreams = 16_384
    /// Bytes of packets that wait for their association's owner; more are dropped, as a network may.
    package static let sctpOutbox = 4 << 20
    /// Packets that arrive together from which on not every second one is acknowledged, but only the last and every so
    /// many before it. The remote opens its window by the number of acknowledgements (RFC 9260 §7.2.1), so there are some.
    package static let sctpThriftyRun = 4
    package static let sctpRunAcknowledgement: UInt32 = 16
    /// How exactly SCTP's clock runs while an association waits for something, and while it does not.
    package static let sctpTick = TimeAmount.milliseconds(10)
    package static let sctpIdleTick = TimeAmount.seconds(1)
    /// From a packet to the time when no acknowledgement of it can be owed any more.
    package static let sctpQuiet = TimeAmount.milliseconds(50)
}
