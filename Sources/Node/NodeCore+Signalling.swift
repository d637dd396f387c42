import Channels
import DequeModule
import ICE
import NIOCore
import OrderedCollections
import WebRTC
import Wire

/// Direct connections in place of relayed ones: signalling, sockets, another try when one fails
/// (libp2p/specs webrtc/webrtc.md).
///
/// The end that dialled the relayed connection offers, at once; the other only when that did not happen for a while.
/// Should both offer at the same moment, the offer of the peer with the smaller id counts.
extension NodeCore {
    /// Whether this node makes direct connections in place of relayed ones, and lets others make them.
    var seeksDirectPaths: Bool { engines != nil && configuration.seeksDirectPaths }

    /// Identify named what the peer speaks.
    func considerUpgrade(of connection: NodeConnection, now: NIODeadline) {
        guard connection.isRelayed, case .none = connection.upgrade, seeksDirectPaths,
            connection.identified?.protocols.contains(SignallingInitiator.protocolID) == true
        else { return }
        touch(connection)
        guard connection.direction == .outbound else {
            connection.upgrade = .waiting(until: now + Limits.upgradeDeference)
            return
        }
        // Their names are worth a moment.
        if awaitsServers {
            connection.upgrade = .waiting(until: now + Limits.serverPatience)
        } else {
            startUpgrade(of: connection, now: now)
        }
    }

    func upgradeIsDue(_ connection: NodeConnection, now: NIODeadline) {
        connection.upgrade = .settled
        guard connection.state == .open, phase == .running else { return }
        startUpgrade(of: connection, now: now)
    }

    private func startUpgrade(of connection: NodeConnection, now: NIODeadline) {
        guard let peer = connection.peer else { return }
        guard !openConnections(to: peer).contains(where: { !$0.isRelayed && !$0.isDoubtful }),
            upgrade(to: peer) == nil
        else {
            connection.upgrade = .settled
            return
        }
        guard connections.count < mostConnections, upgradeCount < Limits.upgrades else {
            return retryUpgrade(of: connection, now: now)
        }
        let direct = addSignalled(over: connection, direction: .outbound, to: peer, now: now)
        connection.upgrade = .running(direct.id)
    }

    private func addSignalled(
        over connection: NodeConnection, direction: ConnectionInfo.Direction, to peer: PeerID, now: NIODeadline
    ) -> NodeConnection {
        let direct = addConnection(
            direction: direction, transport: "webrtc", address: connection.address.signalled, attempt: nil,
            expected: peer)
        direct.signalling = SignallingLink(connection: connection.id)
        outputs.append(.openSockets(direct.id))
        tell(direct, now: now)
        return direct
    }

    /// The direct connection to a peer that is being made.
    func upgrade(to peer: PeerID) -> NodeConnection? {
        connections.values.first { $0.signalling != nil && $0.expected == peer && $0.state != .open }
    }

    private var upgradeCount: Int { connections.values.count { $0.signalling != nil && $0.state != .open } }

    /// Growing waits, spread a little so that two ends do not meet again and again.
    private func retryUpgrade(of connection: NodeConnection, now: NIODeadline) {
        let doublings = min(connection.upgradeTries, 16)
        let wait = min(Limits.upgradeRetryFirst.nanoseconds << doublings, Limits.upgradeRetryLast.nanoseconds)
        connection.upgradeTries += 1
        let spread = Int64.random(in: 80...120, using: &entropy)
        var time = TimeAmount.nanoseconds(wait / 100 * spread)
        if connection.direction == .inbound { time = time + Limits.upgradeDeference }
        connection.upgrade = .waiting(until: now + time)
        touch(connection)
    }

    // MARK: Sockets

    func socketsOpened(_ id: ConnectionID, _ sockets: [OpenedSocket], now: NIODeadline) {
        guard let direct = connections[id], direct.machine == nil, let link = direct.signalling,
            let peer = direct.expected, let engines
        else { return }
        guard let connection = connections[link.connection], connection.state == .open else {
            return finish(direct, reason: "the connection that carried the signalling is gone", now: now)
        }
        guard !sockets.isEmpty else { return finish(direct, reason: "no UDP socket can be made", now: now) }
        direct.sockets = sockets
        direct.state = .securing
        var ice = ICEConfiguration()
        ice.connectTimeout = Limits.pathTimeout
        ice.servers = pathServers.stun
        let machine = WebRTCConnection(
            signalled: direct.direction == .outbound ? .dialer : .listener, with: peer, from: sockets.map(\.local),
            ice: ice, relays: pathServers.turn, configuration: connectionConfiguration(for: direct), engines: engines,
            entropy: entropy.split(), now: now)
        direct.machine = .direct(machine)
        let candidates = Self.hostCandidates(sockets)
        if let offer = link.offer {
            direct.signalling?.offer = nil
            answer(offer, candidates, with: machine, for: direct, over: connection, now: now)
        } else {
            let offer = machine.makeOffer(candidates, now: now)
            let role = StreamRole.signalling(SignallingInitiator(offer, now: now), direct.id)
            guard
                let stream = open([SignallingInitiator.protocolID], on: connection, as: role, now: now)
            else { return finish(direct, reason: "no further stream can be opened", now: now) }
            direct.signalling?.stream = stream.id
            if case .signalling(var leaf, let id) = stream.role {
                if case .write(let bytes) = leaf.opened() { write(bytes, to: stream, of: connection, now: now) }
                stream.role = .signalling(leaf, id)
            }
        }
        touch(direct)
        tell(direct, now: now)
    }

    private func answer(
        _ offer: SessionDescription, _ candidates: [ICECandidate], with machine: WebRTCConnection,
        for direct: NodeConnection, over connection: NodeConnection, now: NIODeadline
    ) {
        guard let id = direct.signalling?.stream, let stream = connection.streams[id],
            case .signallingResponder(var leaf, let owner) = stream.role
        else { return finish(direct, reason: "the other side ended the signalling", now: now) }
        let answer = machine.accept(offer: offer, candidates, now: now)
        let action = leaf.answered(answer)
        stream.role = .signallingResponder(leaf, owner)
        if case .write(let bytes) = action { write(bytes, to: stream, of: connection, now: now) }
        advance(stream, of: connection, now: now)
    }

    /// Where the sockets are reached from the same networks. Loopback is told only when there is nothing else.
    private static func hostCandidates(_ sockets: [OpenedSocket]) -> [ICECandidate] {
        let all = sockets.flatMap { socket in
            socket.hosts.filter { !$0.isUnspecified && !$0.isLinkLocal }
                .map { TransportAddress($0, port: socket.local.port) }
        }
        let distant = all.filter { !$0.ip.isLoopback }
        let told = (distant.isEmpty ? all : distant).prefix(Limits.iceLocalCandidates)
        return told.enumerated().map { .host($1, localPreference: UInt16(clamping: 65_535 - $0)) }
    }

    // MARK: The stream

    /// A peer wants to signal.
    func signallingAccepted(_ stream: NodeStream, on connection: NodeConnection, now: NIODeadline) {
        stream.role = .signallingResponder(SignallingResponder(now: now), nil)
        let count = connection.streams.values.count {
            if case .signallingResponder = $0.role { true } else { false }
        }
        if count > Limits.signallingStreams { reset(stream, of: connection, now: now) }
    }

    func advanceSignalling(_ stream: NodeStream, of connection: NodeConnection, now: NIODeadline) {
        while true {
            switch stream.role {
            case .signalling(var leaf, let id):
                var action = leaf.received(&stream.inbox)
                if action == .none, stream.isEnded { action = leaf.closed() }
                stream.role = .signalling(leaf, id)
                guard act(on: action, stream, of: connection, for: id, now: now) else { return }
            case .signallingResponder(var leaf, let id):
                var action = leaf.received(&stream.inbox)
                // An offer that is being decided on has its answer first.
                if action == .none, stream.isEnded, id == nil || !isDeciding(id) { action = leaf.closed() }
                stream.role = .signallingResponder(leaf, id)
                guard act(on: action, stream, of: connection, for: id, now: now) else { return }
            default: return
            }
        }
    }

    /// Whether an offer waits for sockets.
    private func isDeciding(_ id: ConnectionID?) -> Bool {
        id.flatMap { connections[$0] }?.signalling?.offer != nil
    }

    /// - Returns: whether there may be more to do.
    private func act(
        on action: SignallingInitiator.Action, _ stream: NodeStream, of connection: NodeConnection,
        for id: ConnectionID, now: NIODeadline
    ) -> Bool {
        switch action {
        case .none: return false
        case .write(let bytes): write(bytes, to: stream, of: connection, now: now)
        case .answered(let answer): signalled(id) { $0.accept(answer: answer, now: now) }
        case .candidate(let candidate): signalled(id) { $0.add(remote: candidate, now: now) }
        case .endOfCandidates: signalled(id) { $0.endOfRemoteCandidates(now: now) }
        case .close: endSignalling(stream, of: connection, now: now)
        case .failed(let error): signallingFailed(error, stream, of: connection, for: id, now: now)
        }
        return true
    }

    private func act(
        on action: SignallingResponder.Action, _ stream: NodeStream, of connection: NodeConnection,
        for id: ConnectionID?, now: NIODeadline
    ) -> Bool {
        switch action {
        case .none: return false
        case .offered(let offer): offered(offer, stream, of: connection, now: now)
        case .write(let bytes): write(bytes, to: stream, of: connection, now: now)
        case .candidate(let candidate): signalled(id) { $0.add(remote: candidate, now: now) }
        case .endOfCandidates: signalled(id) { $0.endOfRemoteCandidates(now: now) }
        case .close: endSignalling(stream, of: connection, now: now)
        case .failed(let error): signallingFailed(error, stream, of: connection, for: id, now: now)
        }
        return true
    }

    /// Does something to the connection that is being made.
    private func signalled(_ id: ConnectionID?, _ change: (WebRTCConnection) -> Void) {
        guard let direct = id.flatMap({ connections[$0] }), case .direct(let machine)? = direct.machine else { return }
        change(machine)
        touch(direct)
    }

    private func endSignalling(_ stream: NodeStream, of connection: NodeConnection, now: NIODeadline) {
        stream.role = .finished
        stream.inbox.clear()
        closeWrite(stream, of: connection, now: now)
    }

    private func signallingFailed(
        _ error: SignallingError, _ stream: NodeStream, of connection: NodeConnection, for id: ConnectionID?,
        now: NIODeadline
    ) {
        stream.role = .finished
        reset(stream, of: connection, now: now)
        if let direct = id.flatMap({ connections[$0] }) { close(direct, reason: "\(error)", now: now) }
    }

    /// A peer offers a direct connection.
    private func offered(
        _ offer: SessionDescription, _ stream: NodeStream, of connection: NodeConnection, now: NIODeadline
    ) {
        guard let peer = connection.peer else { return }
        if let own = upgrade(to: peer) {
            // Both offer: of the two the same one must count at both ends.
            guard own.direction == .inbound || peer < identity.peerID else {
                stream.role = .finished
                return reset(stream, of: connection, now: now)
            }
            close(own, reason: "the other side's offer came first", now: now)
        }
        guard mayAccept, upgradeCount < Limits.upgrades else {
            stream.role = .finished
            return reset(stream, of: connection, now: now)
        }
        let direct = addSignalled(over: connection, direction: .inbound, to: peer, now: now)
        direct.signalling?.stream = stream.id
        direct.signalling?.offer = offer
        if case .signallingResponder(let leaf, _) = stream.role { stream.role = .signallingResponder(leaf, direct.id) }
        if connection.isRelayed { connection.upgrade = .running(direct.id) }
    }

    /// A stream of signalling is gone.
    func signallingEnded(_ stream: NodeStream, now: NIODeadline) {
        switch stream.role {
        case .signalling(var leaf, let id):
            guard case .failed(let error) = leaf.closed(), let direct = connections[id] else { return }
            let reason = stream.isRefused ? "the other side does not signal" : "\(error)"
            close(direct, reason: reason, now: now)
        case .signallingResponder(var leaf, let id):
            guard case .failed(let error) = leaf.closed(), let direct = id.flatMap({ connections[$0] }) else { return }
            close(direct, reason: "\(error)", now: now)
        default: break
        }
    }

    /// The stream ends with its role; what was being made ends too.
    func signallingTimedOut(_ stream: NodeStream, now: NIODeadline) {
        let id: ConnectionID? =
            switch stream.role {
            case .signalling(_, let id): id
            case .signallingResponder(_, let id): id
            default: nil
            }
        guard let direct = id.flatMap({ connections[$0] }), direct.state != .open else { return }
        close(direct, reason: "\(SignallingError.timedOut)", now: now)
    }

    /// A candidate that the description did not name.
    func found(_ candidate: ICECandidate, of direct: NodeConnection, now: NIODeadline) {
        guard let (stream, connection) = signallingStream(of: direct) else { return }
        switch stream.role {
        case .signalling(var leaf, let id):
            let action = leaf.found(candidate)
            stream.role = .signalling(leaf, id)
            if case .write(let bytes) = action { write(bytes, to: stream, of: connection, now: now) }
        case .signallingResponder(var leaf, let id):
            let action = leaf.found(candidate)
            stream.role = .signallingResponder(leaf, id)
            if case .write(let bytes) = action { write(bytes, to: stream, of: connection, now: now) }
        default: break
        }
    }

    private func signallingStream(of direct: NodeConnection) -> (NodeStream, NodeConnection)? {
        guard let link = direct.signalling, let id = link.stream, let connection = connections[link.connection],
            let stream = connection.streams[id]
        else { return nil }
        return (stream, connection)
    }

    // MARK: The end of it

    /// The direct connection stands: nothing more is to be signalled.
    func signalled(_ direct: NodeConnection, now: NIODeadline) {
        guard let (stream, connection) = signallingStream(of: direct) else { return }
        switch stream.role {
        case .signalling, .signallingResponder: endSignalling(stream, of: connection, now: now)
        default: break
        }
    }

    /// A direct connection was not made, or is lost: the relayed one stays, and another is sought after a while.
    func signallingFailed(_ direct: NodeConnection, wasOpen: Bool, now: NIODeadline) {
        if let (stream, connection) = signallingStream(of: direct) {
            switch stream.role {
            case .signalling, .signallingResponder:
                stream.role = .finished
                reset(stream, of: connection, now: now)
            default: break
            }
        }
        guard let peer = direct.expected, phase == .running else { return }
        for connection in openConnections(to: peer) where connection.isRelayed {
            switch connection.upgrade {
            case .running(direct.id): retryUpgrade(of: connection, now: now)
            case .settled where wasOpen: retryUpgrade(of: connection, now: now)
            default: break
            }
        }
    }
}

extension Multiaddr {
    /// The address of a relayed connection as that of the direct one in its place: `…/p2p-circuit/webrtc/p2p/X`.
    var signalled: Multiaddr {
        var components = components
        let end = components.lastIndex { $0.code == .p2pCircuit }.map { $0 + 1 } ?? components.count
        if !components[end...].contains(.webRTC) { components.insert(.webRTC, at: end) }
        return (try? Multiaddr(components)) ?? self
    }
}
