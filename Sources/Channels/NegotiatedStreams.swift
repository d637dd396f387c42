import DequeModule
package import NIOCore
import Wire

/// The streams of a session with their protocols: what an application sees of a connection.
///
///     ours    open ──▶ negotiating ──protocol──▶ open ──▶ closed        theirs    negotiating ──▶ open ──▶ closed
///                          └──refused, reset, late──▶ refused                          └──▶ (nothing is said)
///
/// The owner asks on behalf of the application and passes on what the session reports; outputs come out of ``poll()``
/// in order. Every stream ends in exactly one of `.streamRefused` and `.streamClosed`, unless it is an inbound one
/// that never got a protocol, of which nothing is said.
///
/// Limits: `Limits.negotiationTimeout` per stream, `Limits.streamBacklog` inbound streams in negotiation. It moves no
/// bytes itself and does not know how the session carries them.
package struct NegotiatedStreams<Session: StreamSession> {
    package var session: Session
    /// The protocols inbound streams may negotiate; matched exactly.
    package var inboundProtocols: [String]
    var outputs: Deque<Connection.Output> = []
    var negotiations: [StreamID: StreamNegotiation] = [:]
    /// Streams that have their protocol. What the session still reports of others concerns nobody.
    var openStreams: Set<StreamID> = []
    /// When the first negotiation is late.
    package private(set) var deadline = NIODeadline.distantFuture

    package init(session: Session, inboundProtocols: [String]) {
        self.session = session
        self.inboundProtocols = inboundProtocols
    }

    /// The next output, in order.
    package mutating func poll() -> Connection.Output? { outputs.popFirst() }

    /// Has the owner's own output come out behind what is there.
    package mutating func append(_ output: Connection.Output) { outputs.append(output) }

    /// Bytes received that wait for a protocol.
    package var heldBytes: Int { negotiations.values.reduce(0) { $0 + $1.inbox.readableBytes } }

    // MARK: What the application asks for

    /// Opens a stream and proposes `protocols`, best first. With exactly one, what is written travels with the
    /// proposal (0-RTT); with more it waits for the answer. Ends in `.streamRefused` or `.streamClosed`.
    package mutating func open(_ protocols: [String], now: NIODeadline) throws(StreamError) -> StreamID {
        guard !protocols.isEmpty, protocols.allSatisfy(MultistreamToken.isValid) else { throw .invalidProtocols }
        let id = try session.open(now: now)
        let late = now + Limits.negotiationTimeout
        var negotiation = StreamNegotiation(proposing: protocols, until: late)
        if let bytes = negotiation.opened() { session.write(bytes, to: id) }
        negotiations[id] = negotiation
        deadline = min(deadline, late)
        return id
    }

    /// Queues bytes on a stream. Ignored for a stream that is gone or whose writing side is closed.
    package mutating func write(_ bytes: ByteBuffer, to stream: StreamID) {
        if let negotiation = negotiations[stream], !negotiation.isLazy {
            if !negotiation.closesWrite { negotiations[stream]?.hold(bytes) }
        } else {
            session.write(bytes, to: stream)
        }
    }

    /// Bytes written to a stream and not on their way yet.
    package func bufferedAmount(of stream: StreamID) -> Int {
        session.bufferedAmount(of: stream) + (negotiations[stream]?.heldBytes ?? 0)
    }

    /// No more writes: the remote sees the end of the stream after everything queued.
    package mutating func closeWrite(_ stream: StreamID) {
        if let negotiation = negotiations[stream], !negotiation.isLazy {
            negotiations[stream]?.closesWrite = true
        } else {
            session.closeWrite(stream)
        }
    }

    /// Ends a stream at once, both ways. Its last output follows.
    package mutating func reset(_ stream: StreamID, now: NIODeadline) {
        guard isKnown(stream) else { return }
        session.reset(stream)
        closed(stream, .resetLocally, now: now)
    }

    /// Every stream ends with its connection; the session is left as it is.
    package mutating func connectionEnded() {
        for id in openStreams.union(negotiations.keys).sorted() {
            if openStreams.contains(id) {
                outputs.append(.streamClosed(id, .connectionClosed))
            } else if negotiations[id]?.isOutbound == true {
                outputs.append(.streamRefused(id, .connectionClosed))
            }
        }
        negotiations = [:]
        openStreams = []
        deadline = .distantFuture
    }

    // MARK: What the session reports

    /// The remote opened a stream.
    package mutating func opened(_ id: StreamID, now: NIODeadline) {
        guard negotiations.count < Limits.streamBacklog else {
            session.reset(id)
            session.cameToNothing(now: now)
            return
        }
        let late = now + Limits.negotiationTimeout
        negotiations[id] = StreamNegotiation(answeringUntil: late)
        deadline = min(deadline, late)
    }

    package mutating func received(_ bytes: ByteBuffer, on id: StreamID, now: NIODeadline) {
        if openStreams.contains(id) {
            outputs.append(.received(id, bytes))
            return
        }
        guard negotiations[id] != nil else { return }
        negotiations[id]?.append(bytes)
        negotiate(id, now: now)
    }

    /// The remote ended its side.
    package mutating func ended(_ id: StreamID, now: NIODeadline) {
        if openStreams.contains(id) { outputs.append(.endOfStream(id)) }
        guard negotiations[id] != nil else { return }
        negotiations[id]?.hasEnded = true
        negotiate(id, now: now)
    }

    /// A stream is gone from the session.
    package mutating func closed(_ id: StreamID, _ end: StreamEnd, now: NIODeadline) {
        if openStreams.remove(id) != nil { outputs.append(.streamClosed(id, end)) }
        guard let negotiation = negotiations.removeValue(forKey: id) else { return }
        guard negotiation.isOutbound else {
            session.cameToNothing(now: now)
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

    /// A stream that had buffered much may be written again.
    package mutating func becameWritable(_ id: StreamID) {
        if isKnown(id) { outputs.append(.writable(id)) }
    }

    /// The deadline has come: streams that took too long to agree on a protocol end.
    package mutating func timedOut(now: NIODeadline) {
        guard now >= deadline else { return }
        deadline = .distantFuture
        for id in negotiations.keys.sorted() {
            guard let negotiation = negotiations[id] else { continue }
            if now >= negotiation.deadline {
                negotiations[id] = nil
                refuse(negotiation, id, .timeout, now: now)
            } else {
                deadline = min(deadline, negotiation.deadline)
            }
        }
    }

    // MARK: Inside

    private func isKnown(_ id: StreamID) -> Bool { openStreams.contains(id) || negotiations[id] != nil }

    private mutating func negotiate(_ id: StreamID, now: NIODeadline) {
        while var negotiation = negotiations.removeValue(forKey: id) {
            let before = negotiation.inbox.readableBytes
            let action = negotiation.step(supporting: inboundProtocols)
            session.consumed(before - negotiation.inbox.readableBytes, of: id, now: now)
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
            case .refused(let refusal): refuse(negotiation, id, refusal, now: now)
            }
        }
    }

    /// The stream has its protocol: what waited for it moves on, both ways.
    private mutating func release(_ negotiation: StreamNegotiation, of id: StreamID) {
        openStreams.insert(id)
        for bytes in negotiation.held { session.write(bytes, to: id) }
        if negotiation.closesWrite { session.closeWrite(id) }
        if negotiation.inbox.readableBytes > 0 { outputs.append(.received(id, negotiation.inbox)) }
        if negotiation.hasEnded { outputs.append(.endOfStream(id)) }
    }

    /// The stream gets no protocol: it is reset, and the application hears of its own ones.
    private mutating func refuse(
        _ negotiation: StreamNegotiation, _ id: StreamID, _ refusal: StreamRefusal, now: NIODeadline
    ) {
        session.reset(id)
        if negotiation.isOutbound {
            outputs.append(.streamRefused(id, refusal))
        } else {
            session.cameToNothing(now: now)
        }
    }
}
