import DequeModule
package import NIOCore
import OrderedCollections
package import WebRTC
import Wire

/// A stand-in for SCTP: numbered chunks, cumulative and selective acknowledgements, retransmission, abandonment,
/// stream resets. No congestion control: a fixed window.
///
///     idle ──start / INIT──▶ opening ──INIT, INIT-ACK──▶ connected ──abort / ABORT──▶ closed
///
/// Both ends say INIT until they hear INIT-ACK. See ``PlainPacket`` for the wire and ``PlainReceiver`` for the other
/// direction.
package final class PlainSCTP: SCTPEngine {
    private enum State { case idle, opening, connected, closed }

    /// A chunk that is not acknowledged.
    private struct Outstanding {
        let chunk: PlainPacket.Chunk
        let reliability: Reliability
        let expires: NIODeadline
        var sentAt: NIODeadline
        var transmissions = 1
        var isAbandoned = false
        var isAcknowledged = false
    }
    private struct Reset {
        let number: UInt32
        let streams: [UInt16]
        /// Sent once everything up to here is acknowledged.
        let after: UInt32
        var sentAt: NIODeadline?
    }

    /// Bytes in flight, and bytes taken in all, at most.
    private static let window = 128 << 10
    private static let buffer = 1 << 20
    private static let giveUp = 12

    private var state = State.idle
    /// What arrives is taken. Otherwise it is dropped and comes again until it is.
    private var isReceiving = true
    private let largestPacket: Int
    private let largestMessage: Int
    package private(set) var outboundStreams: Int
    private var receiver: PlainReceiver
    private var packets: Deque<PlainPacket> = []
    private var events: Deque<SCTPEvent> = []
    private var waiting: Deque<(chunk: PlainPacket.Chunk, reliability: Reliability, expires: NIODeadline)> = []
    private var outstanding: OrderedDictionary<UInt32, Outstanding> = [:]
    private var nextTSN: UInt32 = 1
    private var messageNumbers: [UInt16: UInt32] = [:]
    private var resets: Deque<Reset> = []
    private var nextReset: UInt32 = 1
    private var inFlight = 0
    private var queued = 0
    private var isBlocked = false
    private var failures = 0
    private var roundTrip: TimeAmount?
    private var retransmitted: UInt64 = 0
    private var initSentAt = NIODeadline.distantFuture

    package init(streams: Int, largestPacket: Int, largestMessage: Int) {
        (outboundStreams, self.largestPacket, self.largestMessage) = (streams, largestPacket, largestMessage)
        receiver = PlainReceiver(largestMessage: largestMessage)
    }

    package var bufferedBytes: Int { queued + inFlight }

    package var statistics: SCTPStatistics {
        var statistics = SCTPStatistics()
        statistics.roundTrip = roundTrip
        statistics.congestionWindow = Self.window
        statistics.unacknowledgedChunks = outstanding.count
        statistics.retransmittedChunks = retransmitted
        return statistics
    }

    package func start(now: NIODeadline) {
        guard state == .idle else { return }
        state = .opening
        sendInit(now: now)
    }

    package func received(_ packet: ByteBuffer, now: NIODeadline) {
        guard state != .closed, let packet = PlainPacket(reading: packet) else { return }
        switch packet {
        case .initiate:
            packets.append(.initiateAcknowledged)
        case .initiateAcknowledged: open()
        case .data(let chunk):
            // The remote sends only when it is open: our INIT arrived, whatever became of the answer.
            open()
            if isReceiving { receiver.received(chunk) } else { receiver.refused() }
            deliver()
        case .acknowledge(let cumulative, let others): acknowledged(cumulative, others, now: now)
        case .forward(let cumulative, let skipped):
            receiver.skipped(to: cumulative, skipped)
            deliver()
        case .reset(let number, let streams, let after):
            if let reset = receiver.reset(number, streams, after: after) { events.append(.remoteReset(reset)) }
            if receiver.lastReset >= number { packets.append(.resetDone(number)) }
        case .resetDone(let number):
            guard let first = resets.first, first.number == number else { return }
            resets.removeFirst()
            for stream in first.streams { messageNumbers[stream] = nil }
            events.append(.localReset(first.streams, performed: true))
        case .addStreams(let count):
            outboundStreams = max(outboundStreams, Int(count))
            packets.append(.streamsAdded(count))
            events.append(.streamsAdded(outbound: outboundStreams))
        case .streamsAdded(let count):
            guard outboundStreams < Int(count) else { return }
            outboundStreams = Int(count)
            events.append(.streamsAdded(outbound: outboundStreams))
        case .abort: end(nil)
        }
        transmit(now: now)
    }

    private func open() {
        initSentAt = .distantFuture
        guard state == .opening else { return }
        state = .connected
        events.append(.connected)
    }

    private func deliver() {
        while let message = receiver.nextMessage() { events.append(.received(message)) }
        if let acknowledgement = receiver.acknowledgement() { packets.append(acknowledgement) }
    }

    package func nextPacket(into packet: inout ByteBuffer) -> Bool {
        guard let next = packets.popFirst() else { return false }
        packet = next.encoded
        return true
    }

    package func poll() -> SCTPEvent? { events.popFirst() }

    package func send(_ message: SCTPMessage, now: NIODeadline) throws(SCTPSendError) {
        guard state == .connected else { throw .closed }
        guard Int(message.stream) < outboundStreams else { throw .noStream }
        guard message.bytes.readableBytes <= largestMessage else { throw .tooLarge }
        guard bufferedBytes + message.bytes.readableBytes <= Self.buffer || bufferedBytes == 0 else {
            isBlocked = true
            throw .wouldBlock
        }
        var number: UInt32 = 0
        if !message.isUnordered {
            number = messageNumbers[message.stream, default: 0]
            messageNumbers[message.stream] = number &+ 1
        }
        var expires = NIODeadline.distantFuture
        if case .maxLifetime(let milliseconds) = message.reliability {
            expires = now + .milliseconds(Int64(milliseconds))
        }
        var rest = message.bytes
        var isFirst = true
        while let piece = rest.readSlice(length: min(rest.readableBytes, largestPacket - PlainPacket.overhead)),
            piece.readableBytes > 0
        {
            let chunk = PlainPacket.Chunk(
                tsn: nextTSN, stream: message.stream, number: number, isUnordered: message.isUnordered,
                isFirst: isFirst, isLast: rest.readableBytes == 0, payloadProtocol: message.payloadProtocol,
                bytes: piece)
            nextTSN &+= 1
            isFirst = false
            queued += piece.readableBytes
            waiting.append((chunk, message.reliability, expires))
        }
        transmit(now: now)
    }

    package func addStreams(_ count: Int, now: NIODeadline) {
        guard state == .connected, let wanted = UInt16(exactly: outboundStreams + count) else { return }
        packets.append(.addStreams(wanted))
    }

    package func setReceiving(_ isReceiving: Bool, now: NIODeadline) { self.isReceiving = isReceiving }

    package func resetStreams(_ streams: [UInt16], now: NIODeadline) {
        guard state == .connected, !streams.isEmpty else { return }
        resets.append(Reset(number: nextReset, streams: streams, after: nextTSN &- 1))
        nextReset += 1
        transmit(now: now)
    }

    package var deadline: NIODeadline {
        var earliest = initSentAt < .distantFuture ? initSentAt + timeout : .distantFuture
        for entry in outstanding.values where !entry.isAcknowledged && !entry.isAbandoned {
            earliest = min(earliest, entry.sentAt + timeout)
        }
        if let sentAt = resets.first?.sentAt { earliest = min(earliest, sentAt + timeout) }
        return state == .closed ? .distantFuture : earliest
    }

    package func timedOut(now: NIODeadline) {
        guard state != .closed, deadline <= now else { return }
        failures += 1
        guard failures <= Self.giveUp else { return end(SCTPError("the other side does not answer")) }
        if initSentAt < .distantFuture, initSentAt + .milliseconds(1) <= now { sendInit(now: now) }
        for tsn in outstanding.keys { retransmit(tsn, now: now) }
        if resets.first?.sentAt != nil { resets[0].sentAt = nil }
        transmit(now: now)
    }

    package func abort(now: NIODeadline) {
        guard state != .closed else { return }
        packets.append(.abort)
        end(nil)
    }

    // MARK: Inside

    /// Doubles with every time nothing came back.
    private var timeout: TimeAmount {
        let base = roundTrip.map { max(.milliseconds(50), $0 + $0) } ?? .milliseconds(500)
        return min(.seconds(4), .nanoseconds(base.nanoseconds << Int64(min(failures, 6))))
    }

    private func sendInit(now: NIODeadline) {
        packets.append(.initiate)
        initSentAt = now
    }

    private func acknowledged(_ cumulative: UInt32, _ others: [UInt32], now: NIODeadline) {
        failures = 0
        var highest = cumulative
        for tsn in outstanding.keys where tsn <= cumulative { acknowledge(tsn, now: now) }
        for tsn in others {
            highest = max(highest, tsn)
            acknowledge(tsn, now: now)
        }
        while let first = outstanding.elements.first, first.key <= cumulative {
            outstanding.remove(at: 0)
        }
        // What was overtaken a round trip ago is lost.
        let patience = roundTrip ?? .milliseconds(100)
        for (tsn, entry) in outstanding where tsn < highest && !entry.isAcknowledged && entry.sentAt + patience < now {
            retransmit(tsn, now: now)
        }
    }

    private func acknowledge(_ tsn: UInt32, now: NIODeadline) {
        guard let entry = outstanding[tsn], !entry.isAcknowledged else { return }
        outstanding[tsn]?.isAcknowledged = true
        guard !entry.isAbandoned else { return }
        inFlight -= entry.chunk.bytes.readableBytes
        guard entry.transmissions == 1 else { return }
        let sample = now - entry.sentAt
        roundTrip = roundTrip.map { .nanoseconds(($0.nanoseconds * 7 + sample.nanoseconds) / 8) } ?? sample
    }

    private func retransmit(_ tsn: UInt32, now: NIODeadline) {
        guard let entry = outstanding[tsn], !entry.isAcknowledged, !entry.isAbandoned else { return }
        let isOver =
            switch entry.reliability {
            case .reliable: false
            case .maxRetransmits(let limit): entry.transmissions > Int(limit)
            case .maxLifetime: now >= entry.expires
            }
        guard !isOver else { return abandon(messageOf: entry.chunk) }
        outstanding[tsn]?.transmissions += 1
        outstanding[tsn]?.sentAt = now
        retransmitted += 1
        packets.append(.data(entry.chunk))
    }

    /// Gives up every chunk of a message, sent or not.
    private func abandon(messageOf chunk: PlainPacket.Chunk) {
        for (tsn, entry) in outstanding where entry.chunk.isOfMessage(of: chunk) && !entry.isAcknowledged {
            guard !entry.isAbandoned else { continue }
            outstanding[tsn]?.isAbandoned = true
            inFlight -= entry.chunk.bytes.readableBytes
        }
        while let next = waiting.first, next.chunk.isOfMessage(of: chunk), !next.chunk.isFirst {
            waiting.removeFirst()
            queued -= next.chunk.bytes.readableBytes
            var entry = Outstanding(
                chunk: next.chunk, reliability: next.reliability, expires: next.expires, sentAt: .distantFuture)
            entry.isAbandoned = true
            outstanding[next.chunk.tsn] = entry
        }
        forward()
    }

    /// Tells the receiver not to wait for what was given up at the front of the queue.
    private func forward() {
        var cumulative: UInt32?
        var skipped: [UInt16: UInt32] = [:]
        for (tsn, entry) in outstanding {
            guard entry.isAbandoned || entry.isAcknowledged else { break }
            cumulative = tsn
            if entry.isAbandoned, !entry.chunk.isUnordered { skipped[entry.chunk.stream] = entry.chunk.number &+ 1 }
        }
        guard let cumulative else { return }
        packets.append(.forward(cumulative, skipped.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }))
    }

    private func transmit(now: NIODeadline) {
        guard state == .connected else { return }
        while inFlight < Self.window, let next = waiting.popFirst() {
            queued -= next.chunk.bytes.readableBytes
            inFlight += next.chunk.bytes.readableBytes
            outstanding[next.chunk.tsn] = Outstanding(
                chunk: next.chunk, reliability: next.reliability, expires: next.expires, sentAt: now)
            packets.append(.data(next.chunk))
        }
        if outstanding.values.first?.isAbandoned == true { forward() }
        if let reset = resets.first, reset.sentAt == nil, waiting.first.map({ $0.chunk.tsn > reset.after }) ?? true,
            outstanding.keys.first.map({ $0 > reset.after }) ?? true
        {
            resets[0].sentAt = now
            packets.append(.reset(reset.number, reset.streams, after: reset.after))
        }
        if isBlocked, bufferedBytes < Self.buffer / 2 {
            isBlocked = false
            events.append(.writable)
        }
    }

    private func end(_ error: SCTPError?) {
        state = .closed
        (waiting, outstanding, resets) = ([], [:], [])
        (queued, inFlight) = (0, 0)
        events.append(.closed(error))
    }
}
