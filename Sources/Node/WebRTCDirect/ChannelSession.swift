package import Channels
import DequeModule
package import NIOCore
import Wire

/// The libp2p streams of one peer connection, each on a data channel of its own (libp2p/specs webrtc/README.md).
///
///     stream   open ──both halves over──▶ lingering ──channel empty, or 10 s──▶ channel closed
///                └──RESET either way─────────▲          remote closed the channel: gone at once
///
/// Reports of the channels go in, as methods; events come out of ``poll()``, and what is to be done with channels out
/// of ``nextCommand(now:buffered:)``: control first, then one frame of each ready stream in turn.
///
/// A channel that the remote closes without a FIN is a reset: what arrived must not pass for the whole.
///
/// SCTP gives credit to the association only. So when a consumer does not keep up, ``isReceiving`` says false: the owner
/// takes no more from SCTP, for any stream, until the consumer has caught up, or `Limits.channelPause` has passed and the
/// stream that holds most is reset.
///
/// Limits: inbound streams, few of them before ``established()``; `Limits.channelHeldHigh` per stream and
/// `Limits.channelHeldHighTotal` in all, what is under way then, and in any case `Limits.channelUnconsumed` and
/// `Limits.channelUnconsumedTotal`, beyond which a stream is reset;
/// `Limits.lingeringChannels`; a budget for streams that come to nothing. It does not negotiate protocols, and queues
/// what its owner writes without a limit.
package struct ChannelSession: StreamSession {
    package enum Output: Equatable, Sendable {
        case opened(StreamID)
        case received(StreamID, ByteBuffer)
        case endOfStream(StreamID)
        case closed(StreamID, StreamEnd)
        case writable(StreamID)
        /// Too many streams of the remote came to nothing.
        case flooded
    }

    /// What the owner does with channels, in this order.
    package enum Command: Hashable, Sendable {
        case open(StreamID)
        case send(StreamID, ByteBuffer)
        /// Tell by ``channelDrained(_:buffered:)`` when nothing is buffered on the channel any more.
        case awaitDrain(StreamID)
        /// Nothing is heard or said of this stream any more.
        case close(StreamID)
    }

    private struct Entry {
        var stream: ChannelStream
        /// The remote, or the channel's owner, has heard of it.
        var isAnnounced: Bool
        /// In the list of streams with frames due.
        var isReady = false
        /// What it counts for in `heldBytes`.
        var held = 0
    }

    /// Whether the remote is told that its FIN arrived; off once it is known not to understand that (rust-libp2p).
    package var acknowledgesFins = true
    /// Bytes of the remote that streams hold.
    package private(set) var heldBytes = 0
    /// Whether messages of the remote are to be taken.
    package private(set) var isReceiving = true
    /// Streams that hold more than the low mark.
    private var laden: Set<StreamID> = []
    private var pauseEnd = NIODeadline.distantFuture

    private let inboundLimit: Int
    private var isEarly = true
    private var isFlooded = false
    private var entries: [StreamID: Entry] = [:]
    private var inboundCount = 0
    private var outputs: Deque<Output> = []
    private var commands: Deque<Command> = []
    private var ready: Deque<StreamID> = []
    private var lingering: Set<StreamID> = []
    /// In the order of their times, because the wait is the same for all.
    private var lingerTimes: Deque<(id: StreamID, at: NIODeadline)> = []
    private var finAckTimes: Deque<(id: StreamID, at: NIODeadline)> = []
    private var streamBudget = TokenBucket(
        capacity: Limits.fruitlessStreamBurst, perSecond: Limits.fruitlessStreamsPerSecond)
    private var nextOwn: UInt32
    private var nextTheirs: UInt32

    /// `role` decides whose streams are odd.
    package init(role: Role, inboundLimit: Int) {
        self.inboundLimit = inboundLimit
        nextOwn = role == .dialer ? 1 : 2
        nextTheirs = role == .dialer ? 2 : 1
    }

    package var streamCount: Int { entries.count }
    package var lingeringCount: Int { lingering.count }
    package var deadline: NIODeadline {
        min(lingerTimes.first?.at ?? .distantFuture, finAckTimes.first?.at ?? .distantFuture, pauseEnd)
    }

    package mutating func poll() -> Output? { outputs.popFirst() }

    /// The connection is authenticated: the limits of early streams end.
    package mutating func established() { isEarly = false }

    // MARK: What the owner asks for

    package mutating func open(now: NIODeadline) throws(StreamError) -> StreamID {
        guard !isFlooded else { throw .notConnected }
        guard entries.count < Limits.streamsPerConnection, lingering.count < Limits.lingeringChannels else {
            throw .tooManyStreams
        }
        let (next, overflow) = nextOwn.addingReportingOverflow(2)
        guard !overflow else { throw .exhausted }
        let id = StreamID(nextOwn)
        nextOwn = next
        entries[id] = Entry(stream: ChannelStream(isInbound: false), isAnnounced: false)
        commands.append(.open(id))
        return id
    }

    package mutating func write(_ bytes: ByteBuffer, to id: StreamID) {
        entries[id]?.stream.write(bytes)
        schedule(id)
    }

    package func bufferedAmount(of id: StreamID) -> Int { entries[id]?.stream.queued ?? 0 }

    package mutating func closeWrite(_ id: StreamID) {
        entries[id]?.stream.closeWrite()
        schedule(id)
    }

    package mutating func reset(_ id: StreamID) {
        guard let entry = forget(id), entry.isAnnounced else { return }
        commands.append(.send(id, ChannelFrame(flag: .reset).encoded))
        linger(id)
    }

    package mutating func consumed(_ count: Int, of id: StreamID, now: NIODeadline) {
        guard entries[id]?.stream.consumed(count) != nil else { return }
        updateHeld(id)
    }

    package mutating func cameToNothing(now: NIODeadline) {
        guard !streamBudget.take(now: now), !isFlooded else { return }
        isFlooded = true
        outputs.append(.flooded)
    }

    // MARK: What happens to channels

    /// The remote opened a channel: the stream it carries, or nil: close the channel.
    package mutating func channelOpened(now: NIODeadline) -> StreamID? {
        let limit = isEarly ? Limits.earlyChannels : inboundLimit
        let (next, overflow) = nextTheirs.addingReportingOverflow(2)
        guard !isFlooded, inboundCount < limit, lingering.count < Limits.lingeringChannels, !overflow else {
            cameToNothing(now: now)
            return nil
        }
        let id = StreamID(nextTheirs)
        nextTheirs = next
        inboundCount += 1
        entries[id] = Entry(stream: ChannelStream(isInbound: true), isAnnounced: true)
        outputs.append(.opened(id))
        return id
    }

    /// A message arrived on a stream's channel.
    package mutating func received(_ message: ByteBuffer, on id: StreamID, now: NIODeadline) {
        guard entries[id] != nil else { return }
        entries[id]?.stream.received(message)
        reading: while let action = entries[id]?.stream.next(now: now) {
            switch action {
            case .none: break reading
            case .received(let bytes):
                let isSmall = bytes.readableBytes < bytes.storageCapacity / 4
                outputs.append(.received(id, isSmall ? ByteBuffer(bytes: bytes.readableBytesView) : bytes))
            case .endOfStream:
                outputs.append(.endOfStream(id))
                if finAckTimes.count >= 2 * Limits.streamsPerConnection {
                    finAckTimes.removeAll { entries[$0.id] == nil }
                }
                finAckTimes.append((id, now + Limits.finAckDelay))
            case .reset:
                forget(id)
                outputs.append(.closed(id, .reset))
                linger(id)
            case .violation: fail(id, .violation)
            }
        }
        schedule(id)
        finishIfOver(id)
        updateHeld(id)
        checkHeld(id, now: now)
    }

    /// A channel has few bytes buffered, or none.
    package mutating func channelDrained(_ id: StreamID, buffered: Int) {
        if lingering.contains(id) {
            guard buffered == 0 else { return }
            lingering.remove(id)
            while let first = lingerTimes.first, !lingering.contains(first.id) { lingerTimes.removeFirst() }
            commands.append(.close(id))
        } else {
            schedule(id)
        }
    }

    /// The channel is gone: the remote closed it, or it could not be opened.
    package mutating func channelClosed(_ id: StreamID) {
        guard lingering.remove(id) == nil, let entry = forget(id) else { return }
        let isComplete = entry.stream.sendHalf == .finished && entry.stream.receiveHalf != .open
        outputs.append(.closed(id, isComplete && !entry.stream.wasStopped ? .finished : .reset))
    }

    /// The deadline has come.
    package mutating func timedOut(now: NIODeadline) {
        if now >= pauseEnd {
            failHeaviest()
            resumeIfLight()
            // Those that are left have another chance.
            if !isReceiving { pauseEnd = now + Limits.channelPause }
        }
        while let first = finAckTimes.first, first.at <= now {
            finAckTimes.removeFirst()
            guard let entry = entries[first.id], case .ended = entry.stream.receiveHalf else { continue }
            makeReady(first.id)
        }
        while let first = lingerTimes.first, first.at <= now {
            lingerTimes.removeFirst()
            if lingering.remove(first.id) != nil { commands.append(.close(first.id)) }
        }
    }

    /// What to do next; nil: nothing. `buffered` says how many bytes wait on a stream's channel.
    package mutating func nextCommand(now: NIODeadline, buffered: (StreamID) -> Int) -> Command? {
        while let command = commands.popFirst() {
            switch command {
            case .open(let id):
                // It may have been reset meanwhile.
                guard entries[id] != nil else { continue }
                entries[id]?.isAnnounced = true
                schedule(id)
            case .awaitDrain(let id):
                if lingerTimes.count >= 2 * Limits.lingeringChannels {
                    lingerTimes.removeAll { !lingering.contains($0.id) }
                }
                lingerTimes.append((id, now + Limits.channelCloseTimeout))
            case .send, .close: break
            }
            return command
        }
        while let id = ready.popFirst() {
            guard let entry = entries[id] else { continue }
            entries[id]?.isReady = false
            let withRoom = entry.stream.queued == 0 || buffered(id) < Limits.channelBuffered
            let frame = entries[id]?.stream.nextFrame(
                withRoom: withRoom, acknowledgesFins: acknowledgesFins, now: now)
            if entries[id]?.stream.becameWritable() == true { outputs.append(.writable(id)) }
            // Without room, ``channelDrained(_:buffered:)`` brings the stream back.
            if withRoom { schedule(id) }
            finishIfOver(id)
            if let frame { return .send(id, frame) }
            // What ended without a last frame may have left a command.
            if let command = commands.popFirst() { return command }
        }
        return nil
    }

    // MARK: Inside

    private mutating func schedule(_ id: StreamID) {
        guard let entry = entries[id], entry.isAnnounced, entry.stream.hasFrameDue else { return }
        makeReady(id)
    }

    private mutating func makeReady(_ id: StreamID) {
        guard entries[id]?.isReady == false else { return }
        entries[id]?.isReady = true
        ready.append(id)
    }

    @discardableResult
    private mutating func forget(_ id: StreamID) -> Entry? {
        guard let entry = entries.removeValue(forKey: id) else { return nil }
        if entry.stream.isInbound { inboundCount -= 1 }
        heldBytes -= entry.held
        laden.remove(id)
        resumeIfLight()
        while let first = finAckTimes.first, entries[first.id] == nil { finAckTimes.removeFirst() }
        return entry
    }

    private mutating func finishIfOver(_ id: StreamID) {
        guard let entry = entries[id], entry.stream.isOver else { return }
        forget(id)
        outputs.append(.closed(id, entry.stream.wasStopped ? .reset : .finished))
        linger(id)
    }

    /// The remote is told, and so is the owner.
    private mutating func fail(_ id: StreamID, _ end: StreamEnd) {
        reset(id)
        outputs.append(.closed(id, end))
    }

    /// The stream is over: its channel is closed when what is on it has left.
    private mutating func linger(_ id: StreamID) {
        guard lingering.count < Limits.lingeringChannels else {
            commands.append(.close(id))
            return
        }
        lingering.insert(id)
        commands.append(.awaitDrain(id))
    }

    // MARK: What is held

    private mutating func updateHeld(_ id: StreamID) {
        guard let entry = entries[id] else { return }
        let held = entry.stream.heldBytes
        heldBytes += held - entry.held
        entries[id]?.held = held
        if held > Limits.channelHeldLow { laden.insert(id) } else { laden.remove(id) }
        resumeIfLight()
    }

    private mutating func resumeIfLight() {
        guard !isReceiving, laden.isEmpty, heldBytes <= Limits.channelHeldHighTotal / 2 else { return }
        isReceiving = true
        pauseEnd = .distantFuture
    }

    private mutating func failHeaviest() {
        let worst = entries.max { ($0.value.held, $1.key) < ($1.value.held, $0.key) }
        if let worst { fail(worst.key, .resetLocally) }
    }

    /// Resets a stream whose consumer leaves too much lying, or the one that holds most.
    private mutating func checkHeld(_ id: StreamID, now: NIODeadline) {
        let held = entries[id]?.held ?? 0
        if !isEarly, isReceiving, held > Limits.channelHeldHigh || heldBytes > Limits.channelHeldHighTotal {
            isReceiving = false
            pauseEnd = now + Limits.channelPause
        }
        let limit = isEarly ? Limits.earlyChannelBytes : Limits.channelUnconsumed
        if held > limit { fail(id, .resetLocally) }
        let total = isEarly ? Limits.earlyChannelBytesTotal : Limits.channelUnconsumedTotal
        while heldBytes > total, !entries.isEmpty { failHeaviest() }
    }
}
