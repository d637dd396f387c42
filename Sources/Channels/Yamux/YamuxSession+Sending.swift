import DequeModule
package import NIOCore
import Wire

/// Frames for the remote.
extension YamuxSession {
    /// The next frame, with its payload for DATA; nil when none is due. With `data` false only control frames.
    package mutating func nextFrame(data: Bool) -> (YamuxHeader, ByteBuffer?)? {
        if let control = nextControl() { return (control, nil) }
        if data, let frame = nextData() { return frame }
        guard let code = goAwayDue else { return nil }
        goAwayDue = nil
        ready = []
        return (YamuxHeader(.goAway, stream: 0, length: code), nil)
    }

    /// Whether ``nextFrame(data:)`` may have something; true is not a promise.
    package func hasFrames(data: Bool) -> Bool {
        !pongs.isEmpty || !resets.isEmpty || !controls.isEmpty || goAwayDue != nil || keepAlive.pingDue != nil
            || (data && !ready.isEmpty)
    }

    private mutating func nextControl() -> YamuxHeader? {
        if let value = pongs.popFirst() { return YamuxHeader(.ping, .ack, stream: 0, length: value) }
        if let value = keepAlive.pingDue, !isOver {
            keepAlive.pingSent()
            return YamuxHeader(.ping, .syn, stream: 0, length: value)
        }
        if let id = resets.popFirst() { return YamuxHeader(.windowUpdate, .rst, stream: id.number, length: 0) }
        while let id = controls.popFirst() {
            guard let stream = streams[id] else { continue }
            let header = control(of: stream, id)
            streams[id]?.isControlDue = false
            streams[id]?.synDue = false
            streams[id]?.ackDue = false
            streams[id]?.creditDue = 0
            if stream.finDue {
                streams[id]?.finDue = false
                streams[id]?.sendHalf = .finished
                finishIfOver(id)
            }
            return header
        }
        return nil
    }

    /// SYN, ACK, FIN and credit of a stream share one window update, as far as they are due together.
    private func control(of stream: YamuxStream, _ id: StreamID) -> YamuxHeader {
        var flags: YamuxHeader.Flags = []
        if stream.synDue { flags.insert(.syn) }
        if stream.ackDue { flags.insert(.ack) }
        if stream.finDue { flags.insert(.fin) }
        return YamuxHeader(.windowUpdate, flags, stream: id.number, length: stream.creditDue)
    }

    private mutating func nextData() -> (YamuxHeader, ByteBuffer)? {
        while let id = ready.popFirst() {
            streams[id]?.isReady = false
            guard let payload = streams[id]?.takePayload() else { continue }
            queuedBytes -= payload.readableBytes
            sent(id)
            let length = UInt32(clamping: payload.readableBytes)
            return (YamuxHeader(.data, stream: id.number, length: length), payload)
        }
        return nil
    }

    /// After a DATA frame: the stream goes to the end of the line, or its FIN is due.
    private mutating func sent(_ id: StreamID) {
        if streams[id]?.becameWritable() == true { outputs.append(.writable(id)) }
        guard let stream = streams[id] else { return }
        if stream.queued > 0 {
            scheduleData(id)
        } else if stream.sendHalf == .closing {
            streams[id]?.finDue = true
            scheduleControl(id)
        }
    }
}
