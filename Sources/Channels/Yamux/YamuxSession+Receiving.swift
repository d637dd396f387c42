import DequeModule
import NIOCore
import Wire

/// Frames of the remote.
extension YamuxSession {
    mutating func read(now: NIODeadline) throws(YamuxError) {
        while !isOver {
            switch reading {
            case .header:
                guard let header = try YamuxHeader(from: &inbox) else { return }
                switch header.kind {
                case .data: try receivedData(header, now: now)
                case .windowUpdate: try receivedWindowUpdate(header, now: now)
                case .ping: try receivedPing(header, now: now)
                case .goAway:
                    isOver = true
                    outputs.append(.remoteGoAway(header.length))
                }
            case .payload(let id, let remaining, let ends):
                let count = min(Int(remaining), inbox.readableBytes)
                if count > 0, let bytes = inbox.readSlice(length: count) { deliver(bytes, to: id) }
                guard count == Int(remaining) else {
                    reading = .payload(id, remaining: remaining - UInt32(count), ends: ends)
                    return
                }
                reading = .header
                if ends, let id { receivedEnd(id) }
            }
        }
    }

    private mutating func deliver(_ bytes: ByteBuffer, to id: StreamID?) {
        guard let id, streams[id] != nil else { return }
        streams[id]?.delivered(bytes.readableBytes)
        let isSmall = bytes.readableBytes < inbox.storageCapacity / 4
        outputs.append(.received(id, isSmall ? ByteBuffer(bytes: bytes.readableBytesView) : bytes))
    }

    private mutating func receivedData(_ header: YamuxHeader, now: NIODeadline) throws(YamuxError) {
        guard let id = try stream(of: header, now: now) else {
            // No window was ever larger than this: whatever the stream was, it had no right to more.
            guard header.length <= Limits.yamuxMaximumWindow else { throw .receiveWindowExceeded(header.stream) }
            reading = .payload(nil, remaining: header.length, ends: false)
            return
        }
        guard streams[id]?.charge(header.length) == true else { throw .receiveWindowExceeded(header.stream) }
        let endedBefore = streams[id]?.receiveEnded == true
        reading = .payload(id, remaining: header.length, ends: header.flags.contains(.fin))
        if endedBefore, header.length > 0 {
            reset(id)
            outputs.append(.closed(id, .violation))
        }
    }

    private mutating func receivedWindowUpdate(_ header: YamuxHeader, now: NIODeadline) throws(YamuxError) {
        guard let id = try stream(of: header, now: now), let stream = streams[id] else { return }
        let (window, overflow) = stream.sendWindow.addingReportingOverflow(header.length)
        guard !overflow else { throw .sendWindowOverflow(header.stream) }
        streams[id]?.sendWindow = window
        scheduleData(id)
        if header.flags.contains(.fin) { receivedEnd(id) }
    }

    /// The stream a frame is for, after its SYN and RST flags; nil when there is none to care for.
    private mutating func stream(of header: YamuxHeader, now: NIODeadline) throws(YamuxError) -> StreamID? {
        let id = StreamID(header.stream)
        if header.flags.contains(.syn) {
            guard try accept(id, now: now) else { return nil }
        }
        guard streams[id] != nil else { return nil }
        guard header.flags.contains(.rst) else { return id }
        forget(id)
        outputs.append(.closed(id, .reset))
        return nil
    }

    /// A SYN: false when the stream is refused.
    private mutating func accept(_ id: StreamID, now: NIODeadline) throws(YamuxError) -> Bool {
        guard id.number != 0 else { throw .sessionStream }
        let remoteIsOdd = role == .listener
        guard (id.number % 2 == 1) == remoteIsOdd else { throw .wrongParity(id.number) }
        guard streams[id] == nil, !tombstones.contains(id) else { throw .duplicateStream(id.number) }
        guard inboundCount < inboundLimit else {
            resets.append(id)
            checkReplies()
            cameToNothing(now: now)
            return false
        }
        var stream = YamuxStream(isInbound: true, now: now)
        stream.ackDue = true
        streams[id] = stream
        inboundCount += 1
        scheduleControl(id)
        outputs.append(.opened(id))
        return true
    }

    private mutating func receivedEnd(_ id: StreamID) {
        guard streams[id]?.receiveEnded == false else { return }
        streams[id]?.receiveEnded = true
        outputs.append(.endOfStream(id))
        finishIfOver(id)
    }

    /// Requests are answered once each, within a budget. Odd flags, and answers nobody waits for, are ignored.
    private mutating func receivedPing(_ header: YamuxHeader, now: NIODeadline) throws(YamuxError) {
        guard header.stream == 0 else { return }
        if header.flags == .syn {
            guard pingBudget.take(now: now) else { throw .pingFlood }
            pongs.append(header.length)
            checkReplies()
        } else if header.flags == .ack, let sample = keepAlive.answered(header.length, now: now) {
            outputs.append(.roundTrip(sample))
        }
    }
}
