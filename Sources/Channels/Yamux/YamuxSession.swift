import DequeModule
package import NIOCore
import Wire

/// The streams of one connection over one ordered pipe (hashicorp/yamux spec.md; libp2p/specs yamux/README.md;
/// section 2.4 of the wire reference).
///
///     running ──GO_AWAY in / error of the remote / closed──▶ ended
///
/// Bytes of the pipe go in; events come out of `poll`, frames out of ``nextFrame(data:)``, which the owner calls
/// when the pipe takes bytes: control frames first, then one DATA frame of each ready stream in turn.
///
/// Limits: windows (credit returns on consumption only, grows to `Limits.yamuxMaximumWindow` per stream and by
/// `Limits.yamuxWindowGrowth` in all), inbound streams, budgets for pings and for streams that come to nothing,
/// queued answers, tombstones. A payload that is a small part of the buffer it came in is copied out of it, so that
/// a consumer's 100 bytes never hold 64 KiB. It does not negotiate protocols, and queues what its owner writes
/// without a limit: the owner looks at ``bufferedAmount(of:)``.
package struct YamuxSession: Machine {
    package enum Input {
        /// The session is up: the first ping goes out.
        case started
        case bytes(ByteBuffer)
        case tick
    }

    package enum Output {
        /// The remote opened a stream, which is accepted unless it is reset before the next frame is taken.
        case opened(StreamID)
        case received(StreamID, ByteBuffer)
        case endOfStream(StreamID)
        case closed(StreamID, StreamEnd)
        case writable(StreamID)
        case roundTrip(TimeAmount)
        /// The session is over: the remote said so.
        case remoteGoAway(UInt32)
        /// The session is over: the remote broke the protocol; a go-away is the last frame.
        case failed(YamuxError)
        /// The session is over: nothing came in reply to a ping.
        case silent
    }

    /// What the next bytes are.
    enum Reading {
        case header
        /// The rest of a DATA frame; nil for a stream nobody waits for.
        case payload(StreamID?, remaining: UInt32, ends: Bool)
    }

    let role: Role
    let inboundLimit: Int
    var streams: [StreamID: YamuxStream] = [:]
    var inboundCount = 0
    var windowGrowth: UInt32 = 0
    /// Bytes queued on all streams.
    package internal(set) var queuedBytes = 0
    var isOver = false

    var inbox = ByteBuffer()
    var reading = Reading.header
    var outputs: Deque<Output> = []

    var ready: Deque<StreamID> = []
    var controls: Deque<StreamID> = []
    var resets: Deque<StreamID> = []
    var pongs: Deque<UInt32> = []
    var goAwayDue: UInt32?

    var tombstones: Deque<StreamID> = []
    var pingBudget = TokenBucket(capacity: Limits.pingBurst, perSecond: Limits.pingsPerSecond)
    var streamBudget = TokenBucket(
        capacity: Limits.fruitlessStreamBurst, perSecond: Limits.fruitlessStreamsPerSecond)
    var keepAlive: KeepAlive
    private var nextNumber: UInt32

    package init(role: Role, inboundLimit: Int, keepAliveInterval: TimeAmount) {
        self.role = role
        self.inboundLimit = inboundLimit
        nextNumber = role == .dialer ? 1 : 2
        keepAlive = KeepAlive(interval: keepAliveInterval)
    }

    package var deadline: NIODeadline { isOver ? .distantFuture : keepAlive.deadline }
    package var roundTrip: TimeAmount? { keepAlive.roundTrip }
    package var streamCount: Int { streams.count }

    package mutating func handle(_ input: consuming Input, now: NIODeadline) {
        guard !isOver else { return }
        switch consume input {
        case .started: keepAlive.started(now: now)
        case .bytes(let bytes):
            keepAlive.received(now: now)
            if inbox.readableBytes == 0 { inbox = bytes } else { inbox.writeImmutableBuffer(bytes) }
            do { try read(now: now) } catch { fail(error) }
        case .tick:
            if keepAlive.timedOut(now: now) {
                isOver = true
                outputs.append(.silent)
            }
        }
    }

    package mutating func poll() -> Output? { outputs.popFirst() }

    // MARK: What the owner asks for

    /// Opens a stream. Frames may follow at once; nobody waits for an acknowledgement.
    package mutating func open(now: NIODeadline) throws(StreamError) -> StreamID {
        guard !isOver else { throw .notConnected }
        guard streams.count < Limits.streamsPerConnection else { throw .tooManyStreams }
        let (next, overflow) = nextNumber.addingReportingOverflow(2)
        guard !overflow else { throw .exhausted }
        let id = StreamID(nextNumber)
        nextNumber = next
        var stream = YamuxStream(isInbound: false, now: now)
        stream.synDue = true
        streams[id] = stream
        scheduleControl(id)
        return id
    }

    /// Queues bytes; ignored when the stream is gone or its writing side closed.
    package mutating func write(_ bytes: ByteBuffer, to id: StreamID) {
        guard bytes.readableBytes > 0, streams[id]?.sendHalf == .open else { return }
        streams[id]?.enqueue(bytes)
        queuedBytes += bytes.readableBytes
        scheduleData(id)
    }

    package func bufferedAmount(of id: StreamID) -> Int { streams[id]?.queued ?? 0 }

    /// FIN, after everything queued.
    package mutating func closeWrite(_ id: StreamID) {
        guard let stream = streams[id], stream.sendHalf == .open else { return }
        streams[id]?.sendHalf = .closing
        guard stream.queued == 0 else { return }
        streams[id]?.finDue = true
        scheduleControl(id)
    }

    /// RST, and the stream is gone; no output follows. A stream the remote never heard of just vanishes.
    package mutating func reset(_ id: StreamID) {
        guard let stream = forget(id), !stream.synDue else { return }
        resets.append(id)
        checkReplies()
    }

    /// Gives credit back.
    package mutating func consumed(_ count: Int, of id: StreamID, now: NIODeadline) {
        guard let before = streams[id]?.growth else { return }
        let roundTrip = roundTrip
        let growthLeft = Limits.yamuxWindowGrowth - windowGrowth
        streams[id]?.consumed(count, now: now, roundTrip: roundTrip, growthLeft: growthLeft)
        guard let stream = streams[id] else { return }
        windowGrowth += stream.growth - before
        if stream.creditDue > 0 { scheduleControl(id) }
    }

    /// A stream the remote opened came to nothing: it costs part of a budget.
    package mutating func cameToNothing(now: NIODeadline) {
        if !streamBudget.take(now: now) { fail(.streamFlood) }
    }

    /// Ends the session in order: after what is queued and fits the windows, a go-away is the last frame.
    package mutating func close() {
        guard !isOver else { return }
        isOver = true
        goAwayDue = YamuxHeader.GoAway.normal
    }

    // MARK: Inside

    mutating func fail(_ error: YamuxError) {
        guard !isOver else { return }
        isOver = true
        goAwayDue = YamuxHeader.GoAway.protocolError
        ready = []
        controls = []
        resets = []
        pongs = []
        outputs.append(.failed(error))
    }

    /// Removes a stream and keeps its number as a tombstone.
    @discardableResult
    mutating func forget(_ id: StreamID) -> YamuxStream? {
        guard let stream = streams.removeValue(forKey: id) else { return nil }
        if stream.isInbound { inboundCount -= 1 }
        queuedBytes -= stream.queued
        windowGrowth -= stream.growth
        if tombstones.count >= Limits.yamuxTombstones { tombstones.removeFirst() }
        tombstones.append(id)
        return stream
    }

    /// The stream ended both ways: nothing more will be said about it.
    mutating func finishIfOver(_ id: StreamID) {
        guard let stream = streams[id], stream.isOver else { return }
        forget(id)
        outputs.append(.closed(id, .finished))
    }

    mutating func scheduleControl(_ id: StreamID) {
        guard streams[id]?.isControlDue == false else { return }
        streams[id]?.isControlDue = true
        // Streams that came and went while the pipe took nothing leave their numbers behind.
        if controls.count >= 2 * Limits.streamsPerConnection { controls.removeAll { streams[$0] == nil } }
        controls.append(id)
    }

    mutating func scheduleData(_ id: StreamID) {
        guard let stream = streams[id], stream.canSend, !stream.isReady else { return }
        streams[id]?.isReady = true
        if ready.count >= 2 * Limits.streamsPerConnection { ready.removeAll { streams[$0] == nil } }
        ready.append(id)
    }

    mutating func checkReplies() {
        if pongs.count + resets.count > Limits.queuedReplies { fail(.unreadReplies) }
    }
}
