import DequeModule
import NIOCore
import Wire

/// One data channel: what it is, how far it is, and what waits to be sent.
///
///     pending ──stream assigned, OPEN queued──▶ opening ──ACK or data──▶ open
///        │                                          └──────┬──────────────┘
///        └──close──▶ gone          close, remote's reset ──┴─▶ closing ──both streams reset──▶ gone
///
/// A channel agreed on by other means, or opened by the remote, is open at once. Closing lets the queue leave first,
/// unless it was the remote that closed. A class, so that messages queue in place; reached only through its connection.
final class DataChannel {
    enum State: Equatable { case pending, opening, open, closing }

    let id: DataChannelID
    let options: DataChannelOptions
    let isRemote: Bool
    /// Its SCTP stream; nil until the DTLS role, which decides the parity, is known.
    var stream: UInt16?
    var state: State
    private(set) var queue: Deque<(payload: PayloadProtocol, bytes: ByteBuffer)> = []
    /// Bytes of the queue.
    private(set) var bufferedAmount = 0
    private var lowThreshold = 0
    private var isAboveLow = false
    /// It stands in the line of channels with something to send.
    var isReady = false
    /// Our reset of the stream was asked for, was carried out, and the remote did its own.
    var hasAskedReset = false
    var isReset = false
    var isRemoteReset = false
    /// The remote announced a channel of its own on the same stream: what it sends there is not of this one.
    var isCrossed = false

    init(_ id: DataChannelID, _ options: DataChannelOptions, isRemote: Bool, state: State) {
        (self.id, self.options, self.isRemote, self.state) = (id, options, isRemote, state)
    }

    var info: DataChannelInfo { DataChannelInfo(options: options, stream: stream ?? 0, isRemote: isRemote) }
    var isOver: Bool { isReset && isRemoteReset }

    func setLowThreshold(_ bytes: Int) {
        lowThreshold = bytes
        isAboveLow = bufferedAmount > bytes
    }

    func append(_ payload: PayloadProtocol, _ bytes: ByteBuffer) {
        queue.append((payload, bytes))
        // A zero byte that stands for nothing counts for nothing.
        bufferedAmount += Self.counted(payload, bytes)
        if bufferedAmount > lowThreshold { isAboveLow = true }
    }

    /// The first message was taken.
    ///
    /// - Returns: whether the queue fell to the low threshold.
    func popFirst() -> Bool {
        guard let first = queue.popFirst() else { return false }
        bufferedAmount -= Self.counted(first.payload, first.bytes)
        guard isAboveLow, bufferedAmount <= lowThreshold else { return false }
        isAboveLow = false
        return true
    }

    func dropQueue() {
        queue = []
        bufferedAmount = 0
    }

    private static func counted(_ payload: PayloadProtocol, _ bytes: ByteBuffer) -> Int {
        payload == .emptyText || payload == .emptyBinary || payload == .dcep ? 0 : bytes.readableBytes
    }

    /// The first message of the queue as SCTP is to carry it. The announcement is always reliable and ordered.
    func first(on stream: UInt16) -> SCTPMessage? {
        guard let first = queue.first else { return nil }
        if first.payload == .dcep { return SCTPMessage(stream: stream, .dcep, first.bytes) }
        // RFC 8832 §6: until the announcement is acknowledged, order is kept whatever the channel is.
        return SCTPMessage(
            stream: stream, first.payload, first.bytes, isUnordered: !options.isOrdered && state != .opening,
            reliability: options.reliability.sctp)
    }
}
