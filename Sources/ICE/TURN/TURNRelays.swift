import DequeModule
package import NIOCore
package import Wire

/// The allocations of one peer connection, and what passes through them: seen from above, each relayed address is one
/// more address of ours, with paths of its own.
///
///     send(datagrams, on: relayed → peer) ──▶ to the server, wrapped:    send(…, on: base → server), or a pipe
///     what came from a server             ──▶ unwrapped:                 received(…, on: relayed → peer)
///
/// Over UDP there is an allocation for every server and every base that reaches it, over TCP one for every server.
///
/// Limits: `Limits.turnServers`, `Limits.turnAllocations`, and those of `TURNClient` for each.
package struct TURNRelays: Machine {
    package enum Input {
        /// One of our sockets: a host candidate.
        case base(ICECandidate)
        /// A datagram that ``isFromServer(_:)`` says is a server's.
        case received(ByteBuffer, on: ICEPath)
        /// Datagrams for a peer, on a path that begins at a relayed address.
        case send(Datagrams, on: ICEPath)
        case pipe(TURNPipe.ID, TURNPipe.Event)
        /// The deadline came.
        case tick
        /// Gives everything back.
        case close
    }

    package enum Output: Hashable, Sendable {
        /// To a server.
        case send(Datagrams, on: ICEPath)
        case pipe(TURNPipe.ID, TURNPipe.Command)
        /// There is a relayed address.
        case candidate(ICECandidate)
        /// It is no more.
        case lost(TransportAddress, TURNError?)
        /// From a peer.
        case received(ByteBuffer, on: ICEPath)
        /// Nothing came of an allocation.
        case failed(TURNServer, TURNError?)
    }

    /// What leads to the server.
    private enum Way {
        case datagrams(ICEPath)
        case pipe(isOpen: Bool, TURNFraming, inbox: ByteBuffer, connectBy: NIODeadline)
    }

    private struct Relay {
        var client: TURNClient
        var way: Way
        let localPreference: UInt16
        var relayed: TransportAddress?
        var isOver = false

        var deadline: NIODeadline {
            guard !isOver else { return .distantFuture }
            if case .pipe(isOpen: false, _, _, let connectBy) = way { return connectBy }
            return client.deadline
        }
    }

    private let servers: [TURNServer]
    private var entropy: Entropy
    private var relays: [Relay] = []
    private var hasPipes = false
    private var outputs = Deque<Output>()
    /// Datagrams to one server that leave together.
    private var train = Datagrams()
    private var trainPath: ICEPath?

    package init(servers: [TURNServer], entropy: Entropy) {
        self.servers = Array(servers.prefix(Limits.turnServers))
        self.entropy = entropy
    }

    /// Without servers there is nothing to ask of it.
    package var isEmpty: Bool { servers.isEmpty }

    /// Whether an allocation may still come.
    package var isGathering: Bool { relays.contains { !$0.isOver && $0.client.isPending } }

    /// Servers from which nothing came yet, neither yes nor no.
    package var silent: [TURNServer] {
        servers.filter { server in relays.contains { $0.client.server == server && !$0.isOver && $0.client.isPending } }
    }

    package var deadline: NIODeadline { relays.reduce(.distantFuture) { min($0, $1.deadline) } }

    package mutating func poll() -> Output? { outputs.popFirst() }

    /// Whether what comes on a path comes from one of the servers.
    package func isFromServer(_ path: ICEPath) -> Bool {
        relays.contains { if case .datagrams(path) = $0.way { true } else { false } }
    }

    /// Whether a path begins at a relayed address.
    package func isRelayed(_ path: ICEPath) -> Bool { relays.contains { $0.relayed == path.local } }

    package mutating func handle(_ input: consuming Input, now: NIODeadline) {
        switch input {
        case .base(let candidate): add(candidate, now: now)
        case .received(let datagram, let path):
            for index in relays.indices {
                guard case .datagrams(path) = relays[index].way else { continue }
                tell(index, .received(datagram), now: now)
            }
        case .send(let datagrams, let path):
            guard let index = relays.firstIndex(where: { $0.relayed == path.local }) else { return }
            var rest = datagrams
            while let datagram = rest.popFirst() { tell(index, .send(datagram, to: path.remote), now: now) }
        case .pipe(let id, let event): happened(event, to: id, now: now)
        case .tick: timedOut(now: now)
        case .close: for index in relays.indices { tell(index, .close, now: now) }
        }
        flush()
    }

    // MARK: Beginning

    private mutating func add(_ base: ICECandidate, now: NIODeadline) {
        for (index, server) in servers.enumerated() where relays.count < Limits.turnAllocations {
            guard server.transport == .udp, CandidatePair.canReach(server.address.ip, from: base.address.ip) else {
                continue
            }
            let path = ICEPath(local: base.address, remote: server.address)
            guard !isFromServer(path) else { continue }
            let preference = base.localPreference - min(base.localPreference, UInt16(clamping: index * 256))
            begin(server, .datagrams(path), localPreference: preference, now: now)
            tell(relays.count - 1, .start, now: now)
        }
        guard !hasPipes else { return }
        hasPipes = true
        // What TCP delays, datagrams only suffer from: these come last.
        for (index, server) in servers.enumerated() where relays.count < Limits.turnAllocations {
            guard server.transport == .tcp else { continue }
            let way = Way.pipe(
                isOpen: false, TURNFraming(), inbox: ByteBuffer(), connectBy: now + Limits.turnConnectTimeout)
            begin(server, way, localPreference: UInt16(clamping: 255 - index), now: now)
            outputs.append(.pipe(relays.count - 1, .connect(to: server.address)))
        }
    }

    private mutating func begin(_ server: TURNServer, _ way: Way, localPreference: UInt16, now: NIODeadline) {
        relays.append(
            Relay(
                client: TURNClient(server: server, entropy: entropy.split()), way: way,
                localPreference: localPreference))
    }

    // MARK: Pipes

    private mutating func happened(_ event: TURNPipe.Event, to id: TURNPipe.ID, now: NIODeadline) {
        guard relays.indices.contains(id), !relays[id].isOver,
            case .pipe(let isOpen, let framing, let inbox, let connectBy) = relays[id].way
        else { return }
        switch event {
        case .connected:
            guard !isOpen else { return }
            relays[id].way = .pipe(isOpen: true, framing, inbox: inbox, connectBy: connectBy)
            tell(id, .start, now: now)
        case .received(let bytes): received(bytes, behind: inbox, by: framing, of: id, now: now)
        case .closed: over(id, .disconnected)
        }
    }

    private mutating func received(
        _ bytes: ByteBuffer, behind inbox: ByteBuffer, by framing: TURNFraming, of id: TURNPipe.ID, now: NIODeadline
    ) {
        var (framing, inbox) = (framing, inbox)
        // A copy of what is left only, at most a frame: the rest need not be kept for it.
        var arrived = bytes
        if inbox.readableBytes > 0 {
            inbox.writeBuffer(&arrived)
        } else {
            inbox = arrived
        }
        reading: while !relays[id].isOver {
            switch framing.received(&inbox) {
            case .none: break reading
            case .frame(let frame): tell(id, .received(frame), now: now)
            case .broken:
                outputs.append(.pipe(id, .close))
                return over(id, .disconnected)
            }
        }
        guard !relays[id].isOver else { return }
        inbox = ByteBuffer(bytes: inbox.readableBytesView)
        relays[id].way = .pipe(isOpen: true, framing, inbox: inbox, connectBy: .distantFuture)
    }

    private mutating func timedOut(now: NIODeadline) {
        for index in relays.indices where !relays[index].isOver && now >= relays[index].deadline {
            if case .pipe(isOpen: false, _, _, _) = relays[index].way {
                outputs.append(.pipe(index, .close))
                over(index, .timeout)
            } else {
                tell(index, .tick, now: now)
            }
        }
    }

    // MARK: Clients

    private mutating func tell(_ index: Int, _ input: consuming TURNClient.Input, now: NIODeadline) {
        guard !relays[index].isOver else { return }
        relays[index].client.handle(input, now: now)
        while let output = relays[index].client.poll() {
            switch output {
            case .send(let bytes): send(bytes, by: index)
            case .allocated(let relayed, let mapped): allocated(relayed, mapped: mapped, by: index)
            case .received(let bytes, let peer):
                guard let relayed = relays[index].relayed else { continue }
                outputs.append(.received(bytes, on: ICEPath(local: relayed, remote: peer)))
            case .ended(let error):
                if case .pipe = relays[index].way { outputs.append(.pipe(index, .close)) }
                over(index, error)
            }
        }
    }

    private mutating func send(_ bytes: ByteBuffer, by index: Int) {
        switch relays[index].way {
        case .pipe(let isOpen, _, _, _): if isOpen { outputs.append(.pipe(index, .send(bytes))) }
        case .datagrams(let path):
            if trainPath == path, train.append(bytes) { return }
            flush()
            (train, trainPath) = (Datagrams(bytes), path)
        }
    }

    private mutating func flush() {
        guard let path = trainPath else { return }
        outputs.append(.send(train, on: path))
        (train, trainPath) = (Datagrams(), nil)
    }

    private mutating func allocated(_ relayed: TransportAddress, mapped: TransportAddress?, by index: Int) {
        // A server that gives one address to two allocations has taken leave of its senses: the first counts.
        guard !relays.contains(where: { $0.relayed == relayed }) else { return over(index, .malformed) }
        relays[index].relayed = relayed
        let server = relays[index].client.server.address
        outputs.append(
            .candidate(
                ICECandidate(
                    foundation: ICECandidate.foundation(.relayed, base: relayed.ip, server: server.ip),
                    priority: ICECandidate.priority(.relayed, localPreference: relays[index].localPreference),
                    address: relayed, type: .relayed, related: mapped)))
    }

    private mutating func over(_ index: Int, _ error: TURNError?) {
        guard !relays[index].isOver else { return }
        flush()
        relays[index].isOver = true
        if let relayed = relays[index].relayed {
            relays[index].relayed = nil
            outputs.append(.lost(relayed, error))
        } else {
            outputs.append(.failed(relays[index].client.server, error))
        }
    }
}
