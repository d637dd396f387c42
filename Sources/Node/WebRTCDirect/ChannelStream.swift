import DequeModule
package import NIOCore
import Wire

/// One libp2p stream over one data channel (libp2p/specs webrtc/README.md; sections 4.5 and 4.6 of the wire reference).
///
///     send half     open ──closeWrite──▶ closing ──queue empty: FIN──▶ finished
///                     └────────────────────── STOP_SENDING in ────────────▲
///     receive half  open ──FIN in──▶ ended ──our own FIN, or 500 ms: FIN_ACK──▶ acknowledged
///
/// Over when the send half is finished and the receive half acknowledged; a RESET either way ends both at once. We do
/// not wait for the remote's FIN_ACK: SCTP says that our FIN arrived, and rust-libp2p never sends one. STOP_SENDING
/// ends the send half without a FIN, as go-libp2p has it, and is never sent by us. Flags that come late or twice are
/// ignored; data behind the remote's own FIN is a violation.
///
/// Limits: one unfinished frame in; frames of `Limits.channelFrameSent` out. What the owner writes is not limited.
package struct ChannelStream {
    /// What we may still send.
    package enum SendHalf: Hashable, Sendable { case open, closing, finished }
    /// What the remote may still send.
    package enum ReceiveHalf: Hashable, Sendable {
        case open
        /// FIN_ACK goes out behind our own FIN, or at this time.
        case ended(acknowledgeAt: NIODeadline)
        case acknowledged
    }

    /// What a message of the channel means; ask until it is `.none`.
    package enum Action: Hashable, Sendable {
        case none
        case received(ByteBuffer)
        case endOfStream
        /// The remote reset the stream.
        case reset
        /// The remote broke the rules; the owner resets.
        case violation
    }

    package let isInbound: Bool
    package private(set) var sendHalf = SendHalf.open
    package private(set) var receiveHalf = ReceiveHalf.open
    /// The remote reads no more, and what was queued then is lost.
    package private(set) var wasStopped = false
    private var decoder = ChannelFrameDecoder()
    /// A flag that came with data and waits until that is delivered.
    private var pendingFlag: ChannelFrame.Flag?
    private var queue: Deque<ByteBuffer> = []
    /// Bytes queued.
    package private(set) var queued = 0
    /// It went above the high water and has not been announced writable since.
    private var isFull = false
    /// Bytes delivered and not consumed.
    private(set) var unconsumed = 0

    package init(isInbound: Bool) { self.isInbound = isInbound }

    /// Bytes that the stream holds of the remote's: delivered and not consumed, or an unfinished frame.
    package var heldBytes: Int { unconsumed + decoder.heldBytes }
    package var isOver: Bool { sendHalf == .finished && receiveHalf == .acknowledged }
    /// A frame may leave without waiting for a time.
    package var hasFrameDue: Bool { queued > 0 || sendHalf == .closing || isFinAckDue }
    private var isFinAckDue: Bool {
        if case .ended = receiveHalf { sendHalf == .finished } else { false }
    }

    // MARK: In

    /// A message of the channel arrived; ask ``next(now:)`` what it means.
    package mutating func received(_ message: ByteBuffer) { decoder.append(message) }

    package mutating func next(now: NIODeadline) -> Action {
        while true {
            if let flag = pendingFlag.take() {
                let action = flagged(flag, now: now)
                if action != .none { return action }
            }
            let frame: ChannelFrame?
            do { frame = try decoder.next() } catch { return .violation }
            guard let frame else { return .none }
            pendingFlag = frame.flag
            let count = frame.data.readableBytes
            guard count > 0 else { continue }
            guard receiveHalf == .open else { return .violation }
            unconsumed += count
            return .received(frame.data)
        }
    }

    private mutating func flagged(_ flag: ChannelFrame.Flag, now: NIODeadline) -> Action {
        switch flag {
        case .fin:
            guard receiveHalf == .open else { return .none }
            receiveHalf = .ended(acknowledgeAt: now + Limits.finAckDelay)
            return .endOfStream
        case .stopSending:
            guard sendHalf != .finished else { return .none }
            wasStopped = queued > 0 || sendHalf == .open
            sendHalf = .finished
            dropQueue()
            return .none
        case .reset: return .reset
        case .finAck: return .none
        }
    }

    /// The consumer dealt with `count` bytes; returns how many were really outstanding.
    package mutating func consumed(_ count: Int) -> Int {
        let taken = min(max(0, count), unconsumed)
        unconsumed -= taken
        return taken
    }

    // MARK: Out

    /// Queues bytes; small ones join the last buffer, so that many small writes are few frames.
    package mutating func write(_ bytes: ByteBuffer) {
        let count = bytes.readableBytes
        guard sendHalf == .open, count > 0 else { return }
        queued += count
        if queued > Limits.streamSendHighWater { isFull = true }
        if count <= Limits.joinedWrite, let last = queue.last,
            last.readableBytes + count <= Limits.channelFrameData
        {
            queue[queue.count - 1].writeImmutableBuffer(bytes)
        } else {
            queue.append(bytes)
        }
    }

    /// FIN, after everything queued.
    package mutating func closeWrite() {
        if sendHalf == .open { sendHalf = .closing }
    }

    /// The next frame to be sent, encoded; nil when there is none. Data leaves only when the channel has room.
    package mutating func nextFrame(withRoom: Bool, acknowledgesFins: Bool, now: NIODeadline) -> ByteBuffer? {
        if case .ended(let acknowledgeAt) = receiveHalf, sendHalf == .finished || now >= acknowledgeAt {
            if acknowledgesFins || sendHalf == .finished { receiveHalf = .acknowledged }
            if acknowledgesFins { return ChannelFrame(flag: .finAck).encoded }
        }
        if queued > 0 { return withRoom ? nextData() : nil }
        guard sendHalf == .closing else { return nil }
        sendHalf = .finished
        return ChannelFrame(flag: .fin).encoded
    }

    private mutating func nextData() -> ByteBuffer? {
        guard !queue.isEmpty else { return nil }
        let count = min(queue[0].readableBytes, Limits.channelFrameData)
        guard count > 0, let data = queue[0].readSlice(length: count) else { return nil }
        if queue[0].readableBytes == 0 { queue.removeFirst() }
        queued -= count
        return ChannelFrame(data: data).encoded
    }

    /// Whether this is the moment to announce the stream writable again.
    package mutating func becameWritable() -> Bool {
        guard isFull, queued < Limits.streamSendLowWater else { return false }
        isFull = false
        return true
    }

    private mutating func dropQueue() {
        queue = []
        queued = 0
        isFull = false
    }
}
