import Channels
import DequeModule
import GossipSub
package import NIOCore
import OrderedCollections
package import Wire

/// The life of connections: pipes, upgrade, the table, the end.
extension NodeCore {
    /// A listener accepted a pipe.
    ///
    /// - Returns: the pipe's name, or nil when limits or the wish to leave forbid it: then end the pipe at once.
    package func accept(from address: Multiaddr, transport: String, now: NIODeadline) -> ConnectionID? {
        guard mayAccept else { return nil }
        let (role, expected) = roleOfPunch(from: address)
        let connection = addConnection(
            direction: .inbound, transport: transport, address: address, attempt: nil, expected: expected)
        start(connection, as: role, now: now)
        pump(now: now)
        return connection.id
    }

    /// Whether limits, and the wish to stay, allow another connection that others make.
    var mayAccept: Bool {
        let pending = connections.values.count { $0.direction == .inbound && $0.state == .securing }
        return phase == .running && connections.count < mostConnections
            && pending < Limits.inboundPendingConnections
    }

    /// A relay has room for those whom it gives reservations, besides what it has for itself.
    var mostConnections: Int {
        Limits.connections + (configuration.relay?.reservations ?? 0) * Limits.connectionsPerReservation
    }

    /// The dialer wants a pipe.
    func dial(_ attempt: Dialer.AttemptID, _ address: Multiaddr, expecting peer: PeerID?, now: NIODeadline) {
        guard connections.count < mostConnections else {
            return dialer.handle(.attemptFailed(attempt, reason: "too many connections are open"), now: now)
        }
        let connection = addConnection(
            direction: .outbound, transport: Self.transport(of: address), address: address, attempt: attempt,
            expected: peer)
        attempts[attempt] = connection.id
        if case .circuit(let relay, webRTC: false) = address.dialTarget, let name = relay.peerID {
            connection.circuit = CircuitPipe(relay: name, now: now)
            tell(connection, now: now)
            return dialCircuit(connection, now: now)
        }
        outputs.append(
            isPunchable(address)
                ? .connectFromListener(connection.id, to: address) : .connect(connection.id, to: address))
        tell(connection, now: now)
    }

    private static func transport(of address: Multiaddr) -> String {
        switch address.dialTarget {
        case .webRTCDirect: "webrtc-direct"
        case .circuit(_, webRTC: false): "relay"
        case .webSocket: "ws"
        case .secureWebSocket: "wss"
        default: "tcp"
        }
    }

    func addConnection(
        direction: ConnectionInfo.Direction, transport: String, address: Multiaddr, attempt: Dialer.AttemptID?,
        expected: PeerID?
    ) -> NodeConnection {
        lastConnectionID += 1
        let connection = NodeConnection(
            id: lastConnectionID, direction: direction, transport: transport, address: address, attempt: attempt,
            expected: expected)
        connections[connection.id] = connection
        return connection
    }

    func pipeOpened(_ id: ConnectionID, now: NIODeadline) {
        guard let connection = connections[id], connection.machine == nil else { return }
        connection.state = .securing
        if let host = connection.address.ip?.unmapped, connection.circuit == nil {
            tell(udpSilence.answeredOverTCP(host))
        }
        start(connection, as: connection.punchRole ?? .dialer, now: now)
    }

    /// What happens on a pipe that stands.
    func give(_ input: Connection.Input, to id: ConnectionID, now: NIODeadline) {
        guard let connection = connections[id], case .pipe(let machine)? = connection.machine else { return }
        machine.handle(input, now: now)
        touch(connection)
    }

    func pipeFailed(_ id: ConnectionID, reason: String, now: NIODeadline) {
        guard let connection = connections[id] else { return }
        finish(connection, reason: reason, now: now)
    }

    func pipeClosed(_ id: ConnectionID, reason: String?, now: NIODeadline) {
        guard let connection = connections[id] else { return }
        connection.reason = connection.reason ?? reason
        guard case .pipe(let machine)? = connection.machine else {
            return finish(connection, reason: reason ?? "the connection was closed", now: now)
        }
        machine.handle(.pipeClosed, now: now)
        touch(connection)
    }

    func start(_ connection: NodeConnection, as role: Role, now: NIODeadline) {
        // A dial-back comes from a stranger: the peer must not take it for another connection of ours.
        let stranger = connection.dialBack == nil ? nil : try? KeyPair(seed: entropy.bytes(32))
        let machine = Connection(
            role: role, identity: stranger ?? identity, expecting: connection.expected,
            configuration: connectionConfiguration(for: connection), entropy: entropy.split())
        connection.machine = .pipe(machine)
        tell(connection, now: now)
        machine.handle(.start, now: now)
        touch(connection)
    }

    func connectionConfiguration(for connection: NodeConnection) -> ConnectionConfiguration {
        var settings = ConnectionConfiguration()
        if connection.isRelayed { settings.keepAliveInterval = Limits.pathKeepAlive }
        settings.inboundProtocols = inboundProtocols(on: connection)
        return settings
    }

    /// The remote is authenticated and streams can be opened.
    func established(_ connection: NodeConnection, _ peer: PeerID, now: NIODeadline) {
        guard connection.dialBack == nil else { return dialBackEstablished(connection, now: now) }
        guard peer != identity.peerID else {
            return close(connection, reason: "that address leads back to this peer", now: now)
        }
        guard openConnections(to: peer).count < Limits.connectionsPerPeer else {
            return close(connection, reason: "too many connections to this peer", now: now)
        }
        connection.peer = peer
        connection.state = .open
        // Until identify says so here, what it said elsewhere holds.
        if let known = openConnections(to: peer).lazy.compactMap(\.identified).first {
            connection.machine?.learned(agent: known.agentVersion ?? "")
        }
        connection.openedAt = now
        settle(connection)
        connection.step("Noise", now: now)
        deferredDials[peer] = nil
        peers.connected(peer)
        discovery?.handle(.connected(peer), now: now)
        bootstrap?.handle(.connected, now: now)
        if let attempt = connection.attempt {
            attempts[attempt] = nil
            dialer.handle(.attemptSucceeded(attempt, peer), now: now)
        }
        dialer.handle(.connected(peer), now: now)
        tell(connection, now: now)
        if connection.circuit == nil { relayClient.handle(.connected(peer), now: now) }
        comebacks.found(peer, now: now)
        if connection.isRelayed, connection.direction == .outbound {
            comebacks.reached(peer, by: connection.address.withoutPeerID ?? connection.address, now: now)
        }
        punchSucceeded(connection, peer, now: now)
        if connection.signalling != nil { signalled(connection, now: now) }
        if connection.isRelayed, seeksDirectPaths { resolveServers(now: now) }
        startIdentify(connection, now: now)
    }

    /// Ends a connection from our side; its machine says go-away first.
    func close(_ connection: NodeConnection, reason: String?, now: NIODeadline) {
        connection.reason = connection.reason ?? reason
        guard let machine = connection.machine else {
            return finish(connection, reason: reason ?? "cancelled", now: now)
        }
        machine.close(now: now)
        touch(connection)
    }

    /// The connection is over: everything that hung on it ends, and everybody who waits hears why.
    func finish(_ connection: NodeConnection, reason: String?, now: NIODeadline) {
        guard connections.removeValue(forKey: connection.id) != nil else { return }
        let wasOpen = connection.state == .open
        connection.reason = connection.reason ?? reason
        connection.state = wasOpen ? .closed : .failed
        forgetSocket(of: connection, now: now)
        if let circuit = connection.circuit {
            closeCircuit(circuit, of: connection, now: now)
        } else {
            outputs.append(.closePipe(connection.id))
        }
        let streams = connection.streams.values
        connection.streams = [:]
        for stream in streams { streamEnded(stream, of: connection, reset: true, now: now) }
        endDialBack(connection, .dialError, now: now)
        punchLost(connection, now: now)
        tell(connection, now: now)
        if let attempt = connection.attempt, attempts.removeValue(forKey: attempt) != nil {
            let reason = connection.reason ?? "the connection was closed"
            dialer.handle(.attemptFailed(attempt, reason: reason), now: now)
        }
        if connection.signalling != nil { signallingFailed(connection, wasOpen: wasOpen, now: now) }
        guard let peer = connection.peer, wasOpen else { return }
        // Who closed in order meant it.
        if reason != nil { missed(peer, now: now) }
        if directConnections(to: peer).isEmpty {
            relayClient.handle(.disconnected(peer), now: now)
            relayServer?.handle(.disconnected(peer), now: now)
            reachable.probing.handle(.lost(peer), now: now)
        }
        if openConnections(to: peer).isEmpty {
            peers.disconnected(peer, now: now)
            dialer.handle(.disconnected(peer), now: now)
            discovery?.handle(.disconnected(peer), now: now)
        }
        // Its stream may have ended just before it: then it is about to be tried again, and cannot be here.
        if connection.gossipOutbound != nil || connection.gossipRetry < .distantFuture {
            moveGossip(from: connection, of: peer, now: now)
        }
        successorIsGone(connection, of: peer, now: now)
        handOverIsForced(from: connection, of: peer)
    }

    /// Connections to a peer that carry streams, best first: direct ones before those through relays, and of each the
    /// one that stood longest; those in doubt last.
    func openConnections(to peer: PeerID) -> [NodeConnection] {
        let open = connections.values.filter { $0.peer == peer && $0.state == .open }
        guard open.contains(where: { $0.circuit != nil || $0.isDoubtful }) else { return open }
        let sure = open.filter { !$0.isDoubtful }
        return sure.filter { $0.circuit == nil } + sure.filter { $0.circuit != nil } + open.filter(\.isDoubtful)
    }

    /// Those of them that no relay carries.
    func directConnections(to peer: PeerID) -> [NodeConnection] {
        connections.values.filter { $0.peer == peer && $0.state == .open && $0.circuit == nil }
    }

    /// Tells the owner how a connection stands.
    func tell(_ connection: NodeConnection, now: NIODeadline) {
        guard connection.dialBack == nil else { return }
        outputs.append(.event(.connection(connection.info(now: now))))
    }

    /// Notes that a connection's machine may have something to say.
    func touch(_ connection: NodeConnection) {
        guard !connection.isTouched else { return }
        connection.isTouched = true
        touched.append(connection)
    }
}
