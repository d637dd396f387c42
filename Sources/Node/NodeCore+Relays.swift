import Channels
import DequeModule
import NIOCore
import OrderedCollections
import Wire

/// Being reachable through relays: reservations, and what is announced of them.
extension NodeCore {
    /// Somebody wants this peer to be reachable at an address `…/p2p/RELAY/p2p-circuit`.
    func listen(through address: Multiaddr, now: NIODeadline) {
        guard !address.isAnyRelay else { return listenThroughAny(now: now) }
        guard !address.needsResolution else {
            return resolver.handle(.resolve(address, .listening(address)), now: now)
        }
        hold([address], now: now)
    }

    /// Through whatever relays there are, reachable otherwise or not: those connected already, and those to come.
    private func listenThroughAny(now: NIODeadline) {
        listensThroughAny = true
        seekRelays(now: now)
        for connection in connections.values where connection.state == .open {
            if let info = connection.identified { considerRelay(info, on: connection, now: now) }
        }
    }

    /// Keeps the relays of these addresses connected, and a reservation with each.
    func hold(_ addresses: [Multiaddr], now: NIODeadline) {
        var relays: OrderedDictionary<PeerID, [Multiaddr]> = [:]
        for address in addresses {
            guard case .circuit(let relay, _) = address.dialTarget, let peer = relay.peerID, peer != identity.peerID
            else { continue }
            relays[peer, default: []] += [relay.withoutPeerID].compactMap(\.self)
        }
        for (relay, known) in relays {
            relayClient.handle(.hold(relay, known), now: now)
            if !directConnections(to: relay).isEmpty { relayClient.handle(.connected(relay), now: now) }
            if !known.isEmpty { dialer.handle(.keep(relay, known), now: now) }
        }
    }

    /// Whether relays that nobody named are worth asking may have changed.
    func seekRelays(now: NIODeadline) {
        relayClient.handle(
            .seek(listensThroughAny || (configuration.seeksRelays && wantsReservations)), now: now)
    }

    /// Identify told what a peer is: a relay may be of use, when it is reached without one.
    func considerRelay(_ info: IdentifyInfo, on connection: NodeConnection, now: NIODeadline) {
        guard configuration.seeksRelays || listensThroughAny, connection.circuit == nil, !connection.address.isCircuit,
            info.protocols.contains(HopMessage.protocolID)
        else { return }
        let reached = connection.direction == .outbound ? connection.address.withoutPeerID : nil
        relayClient.handle(.found(info.peer, [reached].compactMap(\.self)), now: now)
    }

    /// The wall clock was looked at again.
    func clockRead(_ nanoseconds: UInt64, now: NIODeadline) {
        clock = UnixClock(nanoseconds: nanoseconds, at: now)
        relayClient.handle(.clock(clock), now: now)
        relayServer?.handle(.clock(clock), now: now)
    }

    func perform(_ output: RelayClient.Output, now: NIODeadline) {
        switch output {
        case .reserve(let relay): reserve(with: relay, now: now)
        case .changed: addressesChanged(now: now)
        case .event(let event): outputs.append(.event(.relay(event)))
        }
    }

    private func reserve(with relay: PeerID, now: NIODeadline) {
        let role = StreamRole.reserve(ReserveRequest(to: relay, own: identity.peerID, now: now))
        guard let connection = directConnections(to: relay).last,
            let stream = open([HopMessage.protocolID], on: connection, as: role, now: now)
        else { return relayClient.handle(.failed(relay, .closed), now: now) }
        write(ReserveRequest.opening, to: stream, of: connection, now: now)
    }

    func advanceReserve(_ stream: NodeStream, of connection: NodeConnection, now: NIODeadline) {
        guard case .reserve(var machine) = stream.role else { return }
        var action = machine.received(&stream.inbox, unixSeconds: clock.seconds(at: now))
        if action == .none, stream.isEnded { action = machine.closed(isRefused: false) }
        stream.role = .reserve(machine)
        guard action != .none else { return }
        stream.role = .closing(until: now + Limits.circuitCloseTimeout)
        stream.inbox.clear()
        closeWrite(stream, of: connection, now: now)
        reserveEnded(action, on: connection, now: now)
    }

    /// A request for a reservation has brought what it will.
    func reserveEnded(_ action: ReserveRequest.Action, on connection: NodeConnection, now: NIODeadline) {
        guard let relay = connection.peer else { return }
        switch action {
        case .none: break
        case .reserved(let granted):
            if granted.isSkewed, !relayClient.holds(relay) {
                log(.notice, "the clock of relay \(relay.suffix()) and this machine's differ: is this one right?")
            }
            relayClient.handle(.reserved(relay, granted), now: now)
        case .failed(let error): relayClient.handle(.failed(relay, error), now: now)
        }
    }

    // MARK: As a relay

    /// What others hold of our relay now.
    package var relayCounts: (reservations: Int, circuits: Int) { relayServer?.counts ?? (0, 0) }

    func perform(_ output: RelayServer.Output, now: NIODeadline) {
        switch output {
        case .answer(let key, let message): answer(message, on: key, now: now)
        case .ask(let id, let key, let from, let to, let limit):
            ask(to, for: id, from: from, limit, hop: key, now: now)
        case .open(let id, let message): open(id, message, now: now)
        case .end(let id): endBridge(id, now: now)
        case .event(let event): outputs.append(.event(.relay(event)))
        }
    }

    /// A peer opened a stream to ask something of our relay.
    func hopAccepted(_ stream: NodeStream, on connection: NodeConnection, now: NIODeadline) {
        stream.role = .hop(HopResponder(now: now))
        let pending = connection.streams.values.count { if case .hop = $0.role { true } else { false } }
        guard pending <= Limits.hopStreamsPending, connection.hopBudget.take(now: now) else {
            return refuse(HopMessage.status(.resourceLimitExceeded).frame(), on: stream, of: connection, now: now)
        }
    }

    func advanceHop(_ stream: NodeStream, of connection: NodeConnection, now: NIODeadline) {
        guard case .hop(var machine) = stream.role, let peer = connection.peer else { return }
        var action = machine.received(&stream.inbox)
        if action == .none, stream.isEnded { action = machine.closed() }
        stream.role = .hop(machine)
        let key = connection.key(of: stream)
        switch action {
        case .none: break
        case .reserve:
            let ip = connection.address.ip
            relayServer?.handle(.reserve(key, peer, ip: ip, isRelayed: connection.circuit != nil), now: now)
        case .connect(let target):
            relayServer?.handle(.connect(key, from: peer, to: target, isRelayed: connection.circuit != nil), now: now)
        case .refuse(let bytes): refuse(bytes, on: stream, of: connection, now: now)
        case .end:
            stream.role = .finished
            reset(stream, of: connection, now: now)
        }
    }

    private func answer(_ message: HopMessage, on key: StreamKey, now: NIODeadline) {
        guard let connection = connections[key.connection], let stream = connection.streams[StreamID(key.stream)]
        else { return }
        if case .relaying(let id, _) = stream.role { bridges[id] = nil }
        refuse(message.frame(), on: stream, of: connection, now: now)
    }

    private func ask(
        _ peer: PeerID, for id: RelayServer.CircuitID, from: PeerID, _ limit: RelayLimit?, hop key: StreamKey,
        now: NIODeadline
    ) {
        guard let asking = connections[key.connection], let hop = asking.streams[StreamID(key.stream)] else {
            return relayServer?.handle(.ended(id, reason: "the stream is gone"), now: now) ?? ()
        }
        hop.role = .relaying(id, .hop)
        bridges[id] = Bridge(hop: Bridge.End(connection: asking, stream: hop))
        // Who came anew may have lost the connection before.
        guard let connection = directConnections(to: peer).last,
            let stop = open(
                [StopMessage.protocolID], on: connection, as: .stopRequest(StopRequest(now: now), id), now: now)
        else {
            relayServer?.handle(.refused(id), now: now); return
        }
        bridges[id]?.stop = Bridge.End(connection: connection, stream: stop)
        write(StopRequest.opening(from: from, limit: limit), to: stop, of: connection, now: now)
    }

    func advanceStopRequest(_ stream: NodeStream, of connection: NodeConnection, now: NIODeadline) {
        guard case .stopRequest(var machine, let id) = stream.role else { return }
        var action = machine.received(&stream.inbox)
        if action == .none, stream.isEnded { action = machine.closed(isRefused: false) }
        stream.role = .stopRequest(machine, id)
        switch action {
        case .none: break
        case .opened:
            stream.role = .relaying(id, .stop)
            relayServer?.handle(.accepted(id), now: now)
        case .failed:
            stream.role = .finished
            reset(stream, of: connection, now: now)
            relayServer?.handle(.refused(id), now: now)
        }
    }

    private func open(_ id: RelayServer.CircuitID, _ message: HopMessage, now: NIODeadline) {
        guard let hop = bridges[id]?.hop else { return }
        bridges[id]?.isOpen = true
        write(message.frame(), to: hop.stream, of: hop.connection, now: now)
        moveBridge(id, now: now)
    }

    // MARK: Moving bytes

    /// Moves what came on either stream to the other, as far as that has room; gives the credit back; passes ends on.
    func moveBridge(_ id: RelayServer.CircuitID, now: NIODeadline) {
        for side in [RelayServer.Side.hop, .stop] { move(id, from: side, now: now) }
        guard let bridge = bridges[id], let stop = bridge.stop, bridge.hop.isClosed, stop.isClosed else { return }
        relayServer?.handle(.ended(id, reason: "both sides closed it"), now: now)
    }

    private func move(_ id: RelayServer.CircuitID, from side: RelayServer.Side, now: NIODeadline) {
        while let bridge = bridges[id], bridge.isOpen, let source = bridge[side], let target = bridge[side.other] {
            if source.stream.inbox.readableBytes == 0, let next = source.stream.backlog.popFirst() {
                source.stream.inbox = next
            }
            guard source.stream.inbox.readableBytes > 0 else {
                if source.stream.isEnded, !target.isWritten {
                    bridges[id]?[side.other]?.isWritten = true
                    closeWrite(target.stream, of: target.connection, now: now)
                }
                return
            }
            guard !target.isClosed else {
                return relayServer?.handle(.ended(id, reason: "one side closed it"), now: now) ?? ()
            }
            let buffered = target.connection.machine?.bufferedAmount(of: target.stream.id) ?? 0
            guard buffered <= Limits.streamSendHighWater else { return }
            let wanted = min(source.stream.inbox.readableBytes, Limits.connectionWrite)
            let count = relayServer?.take(wanted, of: id, from: side, now: now) ?? 0
            guard count > 0, let bytes = source.stream.inbox.readSlice(length: count) else { return }
            write(bytes, to: target.stream, of: target.connection, now: now)
            guard !source.isClosed else { continue }
            source.connection.machine?.consumed(count, of: source.stream.id, now: now)
            touch(source.connection)
        }
    }

    /// A stream of a circuit is gone.
    func bridgeLost(_ id: RelayServer.CircuitID, _ side: RelayServer.Side, reset: Bool, now: NIODeadline) {
        guard bridges[id] != nil else { return }
        bridges[id]?[side]?.isClosed = true
        guard !reset else {
            relayServer?.handle(.ended(id, reason: "one side ended it"), now: now); return
        }
        moveBridge(id, now: now)
    }

    private func endBridge(_ id: RelayServer.CircuitID, now: NIODeadline) {
        guard let bridge = bridges.removeValue(forKey: id) else { return }
        for end in [bridge.hop, bridge.stop].compactMap(\.self) where !end.isClosed {
            end.stream.role = .finished
            reset(end.stream, of: end.connection, now: now)
        }
    }
}
