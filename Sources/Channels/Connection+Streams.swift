import DequeModule
package import NIOCore
import Wire

/// Streams of a ``Connection``: what the application asks for, and what the session reports.
extension Connection {
    /// Opens a stream and proposes `protocols`, best first. With exactly one, what is written travels with the
    /// proposal (0-RTT); with more it waits for the answer. Ends in `.streamRefused` or `.streamClosed`.
    package func open(_ protocols: [String], now: NIODeadline) throws(StreamError) -> StreamID {
        lastNow = now
        guard case .muxing = state else { throw .notConnected }
        guard !protocols.isEmpty, protocols.allSatisfy(MultistreamToken.isValid) else { throw .invalidProtocols }
        let id = try session.open(now: now)
        let deadline = now + Limits.negotiationTimeout
        var negotiation = StreamNegotiation(proposing: protocols, until: deadline)
        if let bytes = negotiation.opened() { session.write(bytes, to: id) }
        negotiations[id] = negotiation
        negotiationDeadline = min(negotiationDeadline, deadline)
        return id
    }

    /// Queues bytes on a stream; nothing is lost or limited here: look at ``bufferedAmount(of:)``. Ignored for a
    /// stream that is gone or whose writing side is closed.
    package func write(_ bytes: ByteBuffer, to stream: StreamID, now: NIODeadline) {
        lastNow = now
        if let negotiation = negotiations[stream], !negotiation.isLazy {
            if !negotiation.closesWrite { negotiations[stream]?.hold(bytes) }
        } else {
            session.write(bytes, to: stream)
        }
    }

    /// Bytes written to a stream and not in the pipe yet.
    package func bufferedAmount(of stream: StreamID) -> Int {
        session.bufferedAmount(of: stream) + (negotiations[stream]?.heldBytes ?? 0)
    }

    /// No more writes: the remote sees the end of the stream after everything queued.
    package func closeWrite(_ stream: StreamID, now: NIODeadline) {
        lastNow = now
        if let negotiation = negotiations[stream], !negotiation.isLazy {
            negotiations[stream]?.closesWrite = true
        } else {
            session.closeWrite(stream)
        }
    }

    /// Ends a stream at once, both ways. Its last output follows.
    package func reset(_ stream: StreamID, now: NIODeadline) {
        lastNow = now
        guard isKnown(stream) else { return }
        session.reset(stream)
        ended(stream, .resetLocally)
        drainSession()
    }

    /// Gives back credit for `count` received bytes; without it the remote stalls after its window.
    package func consumed(_ count: Int, of stream: StreamID, now: NIODeadline) {
        lastNow = now
        session.consumed(count, of: stream, now: now)
    }

    // MARK: Inside

    private func isKnown(_ id: StreamID) -> Bool { openStreams.contains(id) || negotiations[id] != nil }

    /// Acts on everything the session reports.
    func drainSession() {
        while let output = session.poll() {
            switch output {
            case .opened(let id): accepted(id)
            case .received(let id, let bytes): received(bytes, on: id)
            case .endOfStream(let id):
                if openStreams.contains(id) { outputs.append(.endOfStream(id)) }
                if negotiations[id] != nil {
                    negotiations[id]?.hasEnded = true
                    negotiate(id)
                }
            case .closed(let id, let end): ended(id, end)
            case .writable(let id): if isKnown(id) { outputs.append(.writable(id)) }
            case .roundTrip(let sample): outputs.append(.roundTrip(sample))
            case .remoteGoAway(let code): finish(code == 0 ? nil : .remoteGoAway(code))
            case .failed(let error): finish(.yamux(error))
            case .silent: finish(.keepAliveTimeout)
            }
        }
    }

    private func accepted(_ id: StreamID) {
        guard negotiations.count < Limits.streamBacklog else {
            session.reset(id)
            session.cameToNothing(now: lastNow)
            return
        }
        let deadline = lastNow + Limits.negotiationTimeout
        negotiations[id] = StreamNegotiation(answeringUntil: deadline)
        negotiationDeadline = min(negotiationDeadline, deadline)
    }

    private func received(_ bytes: ByteBuffer, on id: StreamID) {
        if openStreams.contains(id) { outputs.append(.received(id, bytes)) }
        guard negotiations[id] != nil else { return }
        negotiations[id]?.append(bytes)
        negotiate(id)
    }

    private func negotiate(_ id: StreamID) {
        while var negotiation = negotiations.removeValue(forKey: id) {
            let before = negotiation.inbox.readableBytes
            let action = negotiation.step(supporting: configuration.inboundProtocols)
            session.consumed(before - negotiation.inbox.readableBytes, of: id, now: lastNow)
            switch action {
            case .none:
                negotiations[id] = negotiation
                return
            case .write(let bytes):
                negotiations[id] = negotiation
                session.write(bytes, to: id)
            case .opened(let name):
                outputs.append(.streamOpened(id, protocol: name))
                release(negotiation, of: id)
            case .accepted(let name, let bytes):
                session.write(bytes, to: id)
                outputs.append(.streamAccepted(id, protocol: name))
                release(negotiation, of: id)
            case .refused(let refusal): refuse(negotiation, id, refusal)
            }
        }
    }

    /// The stream has its protocol: what waited for it moves on, both ways.
    private func release(_ negotiation: StreamNegotiation, of id: StreamID) {
        openStreams.insert(id)
        for bytes in negotiation.held { session.write(bytes, to: id) }
        if negotiation.closesWrite { session.closeWrite(id) }
        if negotiation.inbox.readableBytes > 0 { outputs.append(.received(id, negotiation.inbox)) }
        if negotiation.hasEnded { outputs.append(.endOfStream(id)) }
    }

    /// The stream gets no protocol: it is reset, and the application hears of its own ones.
    private func refuse(_ negotiation: StreamNegotiation, _ id: StreamID, _ refusal: StreamRefusal) {
        session.reset(id)
        if negotiation.isOutbound {
            outputs.append(.streamRefused(id, refusal))
        } else {
            session.cameToNothing(now: lastNow)
        }
    }

    /// A stream is gone from the session.
    private func ended(_ id: StreamID, _ end: StreamEnd) {
        if openStreams.remove(id) != nil { outputs.append(.streamClosed(id, end)) }
        guard let negotiation = negotiations.removeValue(forKey: id) else { return }
        guard negotiation.isOutbound else {
            session.cameToNothing(now: lastNow)
            return
        }
        let refusal: StreamRefusal =
            switch end {
            case .finished, .violation: .ended
            case .reset: .reset
            case .resetLocally: .resetLocally
            case .connectionClosed: .connectionClosed
            }
        outputs.append(.streamRefused(id, refusal))
    }

    /// Streams that took too long to agree on a protocol.
    func expireNegotiations(now: NIODeadline) {
        guard now >= negotiationDeadline, case .muxing = state else { return }
        negotiationDeadline = .distantFuture
        for id in negotiations.keys.sorted() {
            guard let negotiation = negotiations[id] else { continue }
            if now >= negotiation.deadline {
                negotiations[id] = nil
                refuse(negotiation, id, .timeout)
            } else {
                negotiationDeadline = min(negotiationDeadline, negotiation.deadline)
            }
        }
        drainSession()
    }
}
