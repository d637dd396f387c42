import DequeModule
import ICE
import NIOCore
import Wire

/// Datagrams in and out: who may send us what, and where ours go.
extension PeerConnection {
    func received(_ datagrams: Datagrams, on path: ICEPath, now: NIODeadline) {
        guard relays.isEmpty || !relays.isFromServer(path) else {
            return receivedFromServer(datagrams, on: path, now: now)
        }
        judge(datagrams, on: path, now: now)
    }

    /// What a TURN server sends; one that is a STUN server too answers the agent from the same address.
    private func receivedFromServer(_ datagrams: Datagrams, on path: ICEPath, now: NIODeadline) {
        var rest = datagrams
        while let datagram = rest.popFirst() {
            if STUNMessage.isBinding(datagram) {
                judge(Datagrams(datagram), on: path, now: now)
            } else {
                relays.handle(.received(datagram, on: path), now: now)
                drainRelays(now: now)
            }
        }
    }

    /// What the remote sent, or somebody who would like to be taken for it.
    private func judge(_ datagrams: Datagrams, on path: ICEPath, now: NIODeadline) {
        figures.bytesReceived += UInt64(datagrams.bytes.readableBytes)
        figures.datagramsReceived += UInt64(datagrams.count)
        var rest = datagrams
        var isAlive = false
        while let first = rest.bytes.getInteger(at: rest.bytes.readerIndex, as: UInt8.self) {
            switch first {
            case 0...3:
                guard let datagram = rest.popFirst() else { return }
                agent.handle(.received(datagram, on: path), now: now)
                drainAgent(now: now)
            case Self.recordTypes where usable.contains(path):
                if lastHeard != path { lastHeard = path }
                let records = rest.popFirst(while: Self.recordTypes.contains)
                if receivedDTLS(records, from: path, now: now) { isAlive = true }
            default:
                guard rest.popFirst() != nil else { return }
                figures.datagramsDropped += 1
            }
        }
        if isAlive, !isOver { agent.handle(.heard(path), now: now) }
    }

    /// First bytes of datagrams of DTLS (RFC 7983).
    private static let recordTypes: ClosedRange<UInt8> = 20...63

    /// - Returns: whether it was the remote's without doubt: a record that could be decrypted. Whatever else comes from
    ///   a proved address may be anybody's, who must not keep a dead path alive with it.
    private func receivedDTLS(_ train: Datagrams, from path: ICEPath, now: NIODeadline) -> Bool {
        if dtls == nil, remote != nil, role == .server { makeDTLS(for: path, now: now) }
        guard let dtls else {
            var rest = train
            while early.count < Limits.earlyDTLSDatagrams, let datagram = rest.popFirst() { early.append(datagram) }
            return false
        }
        dtls.received(train, now: now)
        return readPackets(now: now)
    }

    /// Decrypted packets go to SCTP as they come.
    ///
    /// - Returns: whether there was one.
    @discardableResult
    private func readPackets(now: NIODeadline) -> Bool {
        var hasRead = false
        while let dtls, dtls.readPackets(into: &arrived) {
            hasRead = true
            // The handshake may have ended in this very train.
            if sctp == nil { drainDTLS(now: now) }
            sctp?.received(arrived, now: now)
        }
        if !arrived.isEmpty { arrived.removeAll() }
        return hasRead
    }

    func makeDTLS(for path: ICEPath, now: NIODeadline) {
        guard dtls == nil, let role else { return }
        let cookie = configuration.requiresCookie && role == .server ? path.remote.cookie : nil
        let engine = engines.makeDTLS(role, cookie: cookie)
        dtls = engine
        engine.start(now: now)
        for datagram in early { engine.received(datagram, now: now) }
        early = []
        readPackets(now: now)
    }

    // MARK: Draining

    /// Lets everything say all it has to say, until nothing more moves.
    func drain(now: NIODeadline) {
        due = nil
        var isMoving = true
        while isMoving, !isOver {
            isMoving = drainAgent(now: now)
            if drainRelays(now: now) { isMoving = true }
            if drainDTLS(now: now) { isMoving = true }
            if drainSCTP(now: now) { isMoving = true }
            if drainPackets(now: now) { isMoving = true }
        }
        drainDatagrams(now: now)
    }

    /// What passes through TURN servers, in and out.
    @discardableResult
    func drainRelays(now: NIODeadline) -> Bool {
        var hasMoved = false
        while let output = relays.poll() {
            hasMoved = true
            switch output {
            case .send(let datagrams, let path): outputs.append(.send(datagrams, on: path))
            case .pipe(let id, let command): outputs.append(.relayPipe(id, command))
            case .candidate(let candidate): agent.handle(.localCandidate(candidate), now: now)
            case .lost(let address, _): agent.handle(.lostLocalCandidate(address), now: now)
            case .received(let datagram, let path): if !isOver { judge(Datagrams(datagram), on: path, now: now) }
            case .failed(let server, let error): if let error { outputs.append(.relayFailed(server, error)) }
            }
        }
        return hasMoved
    }

    /// - Returns: whether there was anything; so do all that drain.
    @discardableResult
    private func drainAgent(now: NIODeadline) -> Bool {
        var hasMoved = false
        while !isOver, let output = agent.poll() {
            hasMoved = true
            switch output {
            case .send(let datagram, let path): append(Datagrams(datagram), on: path, now: now)
            case .candidate(let candidate): outputs.append(.candidate(candidate))
            case .usable(let path):
                believe(path)
                guard remote != nil else { break }
                foundPath(now: now)
                if role == .client { makeDTLS(for: path, now: now) }
            case .selected(let path):
                selected = path
                believe(path)
                outputs.append(.path(path))
                foundPath(now: now)
            case .state(let new): agentBecame(new, now: now)
            case .roundTrip: break
            }
        }
        return hasMoved
    }

    /// From now on what comes on this path is the remote's. The oldest path of no use makes room.
    private func believe(_ path: ICEPath) {
        if lastHeard == nil { lastHeard = path }
        guard !usable.contains(path) else { return }
        if usable.count >= Limits.usablePaths,
            let oldest = usable.firstIndex(where: { $0 != selected && $0 != lastHeard })
        {
            usable.remove(at: oldest)
        }
        usable.append(path)
    }

    /// The first proved path ends the first step: DTLS can begin.
    func foundPath(now: NIODeadline) {
        guard !hasPath else { return }
        hasPath = true
        completed(.stun, now: now)
        stepDeadline = now + Limits.dtlsHandshakeTimeout
    }

    private func agentBecame(_ new: ICEState, now: NIODeadline) {
        switch new {
        case .new, .checking, .closed: break
        case .connected: if state == .disconnected { become(.connected) }
        case .disconnected: if state == .connected { become(.disconnected) }
        case .failed: finish(selected == nil ? .noPath : .pathLost, now: now)
        }
    }

    @discardableResult
    func drainDTLS(now: NIODeadline) -> Bool {
        var hasMoved = false
        while !isOver, let event = dtls?.poll() {
            hasMoved = true
            switch event {
            case .connected(let fingerprint):
                remoteFingerprint = fingerprint
                if let expected = remote?.fingerprint, expected != fingerprint {
                    finish(.wrongFingerprint(fingerprint), now: now)
                    return true
                }
                completed(.dtls, now: now)
                let engine = engines.makeSCTP(
                    streams: configuration.streams, largestPacket: dtls?.largestPacket ?? Limits.datagramPayload / 2,
                    largestMessage: configuration.largestMessage)
                sctp = engine
                stepDeadline = now + Limits.sctpConnectTimeout
                engine.start(now: now)
            case .closed(let error): finish(error.map { .dtls($0) }, now: now)
            }
        }
        return hasMoved
    }

    /// Packets of SCTP are sealed as they come.
    @discardableResult
    func drainPackets(now: NIODeadline) -> Bool {
        guard let sctp, let dtls else { return false }
        var hasMoved = false
        while sctp.takePackets(into: &leaving) {
            hasMoved = true
            dtls.send(leaving, now: now)
        }
        if hasMoved { leaving.removeAll() }
        return hasMoved
    }

    func drainDatagrams(now: NIODeadline) {
        guard let dtls else { return }
        while let train = dtls.nextDatagrams() {
            guard let path = selected ?? lastHeard else { continue }
            append(train, on: path, now: now)
        }
        drainRelays(now: now)
    }

    private func append(_ datagrams: Datagrams, on path: ICEPath, now: NIODeadline) {
        figures.bytesSent += UInt64(datagrams.bytes.readableBytes)
        figures.datagramsSent += UInt64(datagrams.count)
        if !relays.isEmpty, relays.isRelayed(path) {
            relays.handle(.send(datagrams, on: path), now: now)
        } else {
            outputs.append(.send(datagrams, on: path))
        }
    }

    // MARK: Figures

    /// Bytes of datagrams so far: what ``statistics`` says, without asking the engines.
    package var bytesSent: UInt64 { figures.bytesSent }
    /// See ``bytesSent``.
    package var bytesReceived: UInt64 { figures.bytesReceived }

    /// Figures at this moment.
    package var statistics: PeerConnectionStatistics {
        var result = figures
        let ice = agent.statistics
        result.state = state
        result.path = selected?.description
        result.localCandidate = ice.localType?.name
        result.remoteCandidate = ice.remoteType?.name
        result.pathRoundTrip = ice.roundTrip
        result.channels = table.openCount
        guard let sctp else { return result }
        let figures = sctp.statistics
        result.roundTrip = figures.roundTrip
        result.congestionWindow = figures.congestionWindow
        result.retransmissions = figures.retransmittedChunks
        result.unacknowledgedBytes = sctp.bufferedBytes
        return result
    }
}

extension TransportAddress {
    /// What a cookie is bound to: who receives what is sent here.
    fileprivate var cookie: [UInt8] {
        ip.bytes + [UInt8(truncatingIfNeeded: port >> 8), UInt8(truncatingIfNeeded: port)]
    }
}
