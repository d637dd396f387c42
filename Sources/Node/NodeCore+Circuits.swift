import Channels
import NIOCore
import OrderedCollections
import Wire

/// Connections through relays: a stream of one connection is the byte pipe of another.
///
/// Everything above the pipe is as over TCP. Bytes from the carrier go to the connection at once, which bounds what it
/// holds by its own windows; bytes for the carrier wait in its stream, and a full stream is a pipe that is not
/// writable. Either end takes the other with it.
extension NodeCore {
    // MARK: Dialling

    /// The dialer wants a pipe through a relay: reach the relay, then ask it.
    func dialCircuit(_ connection: NodeConnection, now: NIODeadline) {
        guard case .circuit(let address, webRTC: false) = connection.address.dialTarget,
            let relay = connection.circuit?.relay
        else { return finish(connection, reason: "that is no address behind a relay", now: now) }
        guard let peer = connection.expected else {
            return finish(connection, reason: "the address does not name the peer behind the relay", now: now)
        }
        guard relay != identity.peerID, relay != peer else {
            return finish(connection, reason: "a peer cannot be its own relay", now: now)
        }
        // The newest: one before it may be dead without our knowing.
        if let carrier = directConnections(to: relay).last { return ask(carrier, for: connection, now: now) }
        lastRelayDial += 1
        relayDials[lastRelayDial] = connection.id
        let known = [address.withoutPeerID].compactMap(\.self) + peers.addresses(of: relay).filter { !$0.isCircuit }
        dialer.handle(.dial(relay, known, request: lastRelayDial, isForced: true), now: now)
    }

    /// A dial of a relay is over; false when the request is somebody else's.
    func relayDialEnded(_ request: RequestID, failure: String?, now: NIODeadline) -> Bool {
        guard let id = relayDials.removeValue(forKey: request) else { return false }
        guard let connection = connections[id], let relay = connection.circuit?.relay else { return true }
        if let carrier = directConnections(to: relay).last {
            connection.step("relay", now: now)
            ask(carrier, for: connection, now: now)
        } else {
            let reason = failure ?? "there is no direct connection to it"
            finish(connection, reason: "the relay was not reached: \(reason)", now: now)
        }
        return true
    }

    private func ask(_ carrier: NodeConnection, for connection: NodeConnection, now: NIODeadline) {
        guard let peer = connection.expected else { return }
        let role = StreamRole.circuitRequest(CircuitRequest(now: now), connection.id)
        guard let stream = open([HopMessage.protocolID], on: carrier, as: role, now: now) else {
            return finish(connection, reason: "the connection to the relay takes no further stream", now: now)
        }
        connection.circuit?.carrier = carrier.id
        connection.circuit?.stream = stream.id
        carrier.machine?.setKeepAlive(Limits.pathKeepAlive, now: now)
        write(CircuitRequest.opening(to: peer), to: stream, of: carrier, now: now)
    }

    func advanceCircuitRequest(_ stream: NodeStream, of carrier: NodeConnection, now: NIODeadline) {
        guard case .circuitRequest(var machine, let id) = stream.role else { return }
        var action = machine.received(&stream.inbox)
        if action == .none, stream.isEnded { action = machine.closed(isRefused: false) }
        stream.role = .circuitRequest(machine, id)
        circuitAnswered(action, stream, of: carrier, for: id, now: now)
    }

    func circuitAnswered(
        _ action: CircuitRequest.Action, _ stream: NodeStream, of carrier: NodeConnection, for id: ConnectionID,
        now: NIODeadline
    ) {
        guard let connection = connections[id] else { return }
        switch action {
        case .none: break
        case .opened(let limit):
            connection.circuit?.opened(limit, now: now)
            connection.step("circuit", now: now)
            stream.role = .circuit(id)
            pipeOpened(id, now: now)
            flow(stream, into: id, now: now)
        case .failed(let error): finish(connection, reason: error.words, now: now)
        }
    }

    // MARK: Being dialled

    func advanceStop(_ stream: NodeStream, of carrier: NodeConnection, now: NIODeadline) {
        guard case .stopResponder(var machine) = stream.role else { return }
        var action = machine.received(&stream.inbox)
        if action == .none, stream.isEnded { action = machine.closed() }
        stream.role = .stopResponder(machine)
        switch action {
        case .none: break
        case .connect(let peer, let limit): accept(peer, limit, on: stream, of: carrier, now: now)
        case .refuse(let bytes): refuse(bytes, on: stream, of: carrier, now: now)
        case .end:
            stream.role = .finished
            reset(stream, of: carrier, now: now)
        }
    }

    private func accept(
        _ peer: PeerID, _ limit: RelayLimit?, on stream: NodeStream, of carrier: NodeConnection, now: NIODeadline
    ) {
        // Who has no reservation with a relay asked nobody to bring strangers.
        guard let relay = carrier.peer, carrier.circuit == nil, relayClient.holds(relay), peer != identity.peerID,
            peer != relay
        else {
            return refuse(StopMessage.status(.permissionDenied).frame(), on: stream, of: carrier, now: now)
        }
        let carried = connections.values.count { $0.circuit?.carrier == carrier.id }
        guard mayAccept, carried < Limits.circuitsPerCarrier,
            let address = try? (carrier.address.withoutPeerID ?? carrier.address).appending(relay)
                .appending(Multiaddr.Component.p2pCircuit)
        else {
            return refuse(StopMessage.status(.resourceLimitExceeded).frame(), on: stream, of: carrier, now: now)
        }
        let connection = addConnection(
            direction: .inbound, transport: "relay", address: address, attempt: nil, expected: peer)
        var circuit = CircuitPipe(relay: relay, now: now)
        (circuit.carrier, circuit.stream) = (carrier.id, stream.id)
        carrier.machine?.setKeepAlive(Limits.pathKeepAlive, now: now)
        circuit.opened(limit, now: now)
        connection.circuit = circuit
        stream.role = .circuit(connection.id)
        write(StopMessage.status(.ok).frame(), to: stream, of: carrier, now: now)
        start(connection, as: .listener, now: now)
        flow(stream, into: connection.id, now: now)
    }

    /// Tells why not, and closes.
    func refuse(_ bytes: ByteBuffer, on stream: NodeStream, of carrier: NodeConnection, now: NIODeadline) {
        stream.role = .closing(until: now + Limits.circuitCloseTimeout)
        stream.inbox.clear()
        write(bytes, to: stream, of: carrier, now: now)
        closeWrite(stream, of: carrier, now: now)
    }

    // MARK: The pipe

    /// What the carrier brought goes to the connection; the caller gives the credit back.
    func flow(_ stream: NodeStream, into id: ConnectionID, now: NIODeadline) {
        let bytes = stream.inbox
        stream.inbox = ByteBuffer()
        if bytes.readableBytes > 0 {
            give(.bytes(bytes), to: id, now: now)
            warn(of: id, now: now)
        }
        if stream.isEnded { circuitEnded(id, now: now) }
    }

    /// What the connection has for the carrier.
    func send(_ bytes: ByteBuffer, through circuit: CircuitPipe, of connection: NodeConnection, now: NIODeadline) {
        guard let carrier = circuit.carrier.flatMap({ connections[$0] }), let stream = circuit.stream,
            let machine = carrier.machine, carrier.streams[stream] != nil
        else { return }
        machine.write(bytes, to: stream, now: now)
        touch(carrier)
        warn(of: connection.id, now: now)
        guard !circuit.isFull, machine.bufferedAmount(of: stream) > Limits.streamSendHighWater else { return }
        connection.circuit?.isFull = true
        give(.pipeWritable(false), to: connection.id, now: now)
    }

    /// Tells once that the relay will soon end the connection.
    func warn(of id: ConnectionID, now: NIODeadline) {
        guard let connection = connections[id], let machine = connection.machine,
            connection.circuit?.runsOut(sent: machine.bytesSent, received: machine.bytesReceived, now: now) == true,
            connection.state == .open
        else { return }
        let left = connection.info(now: now).relay
        let bytes = left?.bytesLeft.map { "\($0) bytes" }
        let time = left?.timeLeft.map { "\($0.components.seconds) s" }
        let rest = [bytes, time].compactMap(\.self).joined(separator: " and ")
        log(.notice, "the relay ends the connection to \(connection.peer?.suffix() ?? "?") after another \(rest)")
        tell(connection, now: now)
    }

    /// The carrier has room again.
    func circuitWritable(_ id: ConnectionID, now: NIODeadline) {
        guard connections[id]?.circuit?.isFull == true else { return }
        connections[id]?.circuit?.isFull = false
        give(.pipeWritable(true), to: id, now: now)
    }

    /// The carrier's stream is over: so is the connection on it.
    func circuitEnded(_ id: ConnectionID, now: NIODeadline) {
        guard let connection = connections[id], let circuit = connection.circuit else { return }
        let (sent, received) = (connection.machine?.bytesSent ?? 0, connection.machine?.bytesReceived ?? 0)
        let isUsedUp = circuit.isUsedUp(sent: sent, received: received, now: now)
        let reason = isUsedUp ? "the relay's limits are used up" : "the circuit through the relay ended"
        pipeClosed(id, reason: reason, now: now)
    }

    /// The connection is over: so is the stream that carried it.
    func closeCircuit(_ circuit: CircuitPipe, of connection: NodeConnection, now: NIODeadline) {
        for (request, id) in relayDials where id == connection.id {
            relayDials[request] = nil
            dialer.handle(.cancel(request), now: now)
        }
        guard let carrier = circuit.carrier.flatMap({ connections[$0] }), let name = circuit.stream,
            let stream = carrier.streams[name]
        else { return }
        let isPipe = if case .circuit = stream.role { true } else { false }
        stream.role = .closing(until: now + Limits.circuitCloseTimeout)
        stream.inbox.clear()
        if isPipe, connection.state == .closed {
            closeWrite(stream, of: carrier, now: now)
        } else {
            reset(stream, of: carrier, now: now)
        }
    }
}

extension NodeConnection {
    /// A step on the way through a relay is done.
    func step(_ name: String, now: NIODeadline) {
        guard let began = circuit?.stepAt else { return }
        phases.append(ConnectionInfo.Phase(name: name, duration: .nanoseconds((now - began).nanoseconds)))
        circuit?.stepAt = now
    }
}
