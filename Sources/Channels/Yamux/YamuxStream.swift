import DequeModule
import NIOCore
import Wire

/// What a ``YamuxSession`` holds about one stream: two half-streams with a window each.
///
///     send half     open ──closeWrite──▶ closing ──queue empty, FIN out──▶ finished
///     receive half  open ──FIN in──▶ ended
///
/// Both done: the session forgets it. A reset forgets it at once.
struct YamuxStream {
    enum SendHalf { case open, closing, finished }

    let isInbound: Bool
    // Sending.
    var sendHalf = SendHalf.open
    var sendWindow = Limits.yamuxInitialWindow
    private(set) var queue: Deque<ByteBuffer> = []
    private(set) var queued = 0
    /// In the session's list of streams that have data and window.
    var isReady = false
    /// It went above the high water and has not been announced writable since.
    private var isFull = false
    // Control frames due.
    var synDue = false
    var ackDue = false
    var finDue = false
    var creditDue: UInt32 = 0
    /// In the session's list of streams with control frames due.
    var isControlDue = false
    // Receiving.
    var receiveEnded = false
    /// Credit the remote has left.
    private(set) var receiveWindow = Limits.yamuxInitialWindow
    /// Delivered and not consumed yet.
    private(set) var unconsumed: UInt32 = 0
    /// What the window is filled up to.
    private(set) var target = Limits.yamuxInitialWindow
    /// When the window was last filled up.
    private var filledAt: NIODeadline

    init(isInbound: Bool, now: NIODeadline) {
        self.isInbound = isInbound
        filledAt = now
    }

    var canSend: Bool { queued > 0 && sendWindow > 0 }
    var isOver: Bool { sendHalf == .finished && receiveEnded }
    /// By how much the receive window has grown beyond its start.
    var growth: UInt32 { target - Limits.yamuxInitialWindow }

    /// Queues bytes; small ones join the last buffer, so that many small writes are few frames.
    mutating func enqueue(_ bytes: ByteBuffer) {
        let count = bytes.readableBytes
        queued += count
        if queued > Limits.streamSendHighWater { isFull = true }
        if count <= Limits.joinedWrite, let last = queue.last, last.readableBytes + count <= Limits.yamuxPayload {
            queue[queue.count - 1].writeImmutableBuffer(bytes)
        } else {
            queue.append(bytes)
        }
    }

    /// The payload of the next DATA frame, within the window.
    mutating func takePayload() -> ByteBuffer? {
        guard !queue.isEmpty else { return nil }
        let count = min(queue[0].readableBytes, Limits.yamuxPayload, Int(sendWindow))
        guard count > 0, let payload = queue[0].readSlice(length: count) else { return nil }
        if queue[0].readableBytes == 0 { queue.removeFirst() }
        queued -= count
        sendWindow -= UInt32(count)
        return payload
    }

    /// Whether this is the moment to announce the stream writable again.
    mutating func becameWritable() -> Bool {
        guard isFull, queued < Limits.streamSendLowWater else { return false }
        isFull = false
        return true
    }

    /// Takes `count` bytes of credit from the remote; false when it has not that much.
    mutating func charge(_ count: UInt32) -> Bool {
        guard count <= receiveWindow else { return false }
        receiveWindow -= count
        return true
    }

    /// `count` bytes were handed to the consumer, who owes their credit.
    mutating func delivered(_ count: Int) { unconsumed += UInt32(clamping: count) }

    /// The consumer dealt with `count` bytes. Once half the window is free, what is due is granted; a remote that
    /// uses it up within four round trips gets twice the window, within `growthLeft` (as go-yamux and js do it).
    mutating func consumed(_ count: Int, now: NIODeadline, roundTrip: TimeAmount?, growthLeft: UInt32) {
        unconsumed -= min(unconsumed, UInt32(clamping: count))
        guard !receiveEnded, free >= target / 2 else { return }
        if let roundTrip, now - filledAt < roundTrip * 4 {
            let doubled = min(target.multipliedReportingOverflow(by: 2).partialValue, Limits.yamuxMaximumWindow)
            target += min(max(doubled, target) - target, growthLeft)
        }
        filledAt = now
        creditDue += free
        receiveWindow += free
    }

    /// What the window lacks of its target: the part neither granted nor still with the consumer.
    private var free: UInt32 {
        let held = receiveWindow + unconsumed
        return held < target ? target - held : 0
    }
}
