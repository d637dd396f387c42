import ICE
import NIOCore
import OrderedCollections
import WebRTC
import Wire

/// Datagrams: whose they are, and connections made of them.
extension NodeCore {
    /// A socket that strangers may send to.
    struct ListeningSocket {
        let local: TransportAddress
        var listener = DirectListener()
    }

    func socketListens(_ number: UInt32, local: TransportAddress) {
        guard listeningSockets.count < Limits.listeningSockets else { return }
        listeningSockets[number] = ListeningSocket(local: local)
    }

    func received(
        _ datagrams: Datagrams, from remote: TransportAddress, to destination: TransportAddress?, on socket: SocketID,
        now: NIODeadline
    ) {
        switch socket {
        case .dialer(let id), .second(let id):
            guard let connection = connections[id], let local = connection.local(of: socket) else { return }
            give(datagrams, on: ICEPath(local: local, remote: remote), to: connection, now: now)
        case .listener(let number):
            guard let local = listeningSockets[number]?.local else { return }
            let path = ICEPath(local: destination ?? local, remote: remote)
            switch listeningSockets[number]?.listener.received(datagrams, on: path, now: now) {
            case .session(let id)?:
                guard let connection = connections[id] else { return }
                give(datagrams, on: path, to: connection, now: now)
            case .offer(let offer)?: accept(offer, datagrams, on: number, now: now)
            case .dropped?, nil: return
            }
        }
    }

    private func give(_ datagrams: Datagrams, on path: ICEPath, to connection: NodeConnection, now: NIODeadline) {
        guard case .direct(let machine)? = connection.machine else { return }
        machine.handle(.datagrams(datagrams, on: path), now: now)
        touch(connection)
    }

    // MARK: Making connections

    /// Somebody dials a socket of ours.
    private func accept(_ offer: DirectOffer, _ datagrams: Datagrams, on number: UInt32, now: NIODeadline) {
        guard let engines, mayAccept else { return }
        let remote = offer.path.remote
        let connection = addConnection(
            direction: .inbound, transport: "webrtc-direct",
            address: Multiaddr(remote.ip.unmapped, webRTCDirect: remote.port), attempt: nil, expected: nil)
        listeningSockets[number]?.listener.register(connection.id, for: offer)
        connection.socket = .listener(number)
        connection.localAddress = offer.path.local
        connection.detail = offer.credentials.version.name
        let machine = WebRTCConnection(
            answering: offer, identity: identity, configuration: connectionConfiguration(for: connection),
            engines: engines,
            entropy: entropy.split(), now: now)
        connection.machine = .direct(machine)
        tell(connection, now: now)
        machine.handle(.start, now: now)
        give(datagrams, on: offer.path, to: connection, now: now)
    }

    /// The socket of a dial stands.
    func socketOpened(_ id: ConnectionID, local: TransportAddress, now: NIODeadline) {
        guard let connection = connections[id], connection.machine == nil else { return }
        connection.socket = .dialer(id)
        connection.localAddress = local
        connection.state = .securing
        let version: DirectVersion = configuration.webRTCDirectVersion == .two ? .two : .one
        if configuration.webRTCDirectVersion == .automatic {
            connection.fallback = now + Limits.directVersionFallback
        }
        startDirect(connection, version: version, now: now)
    }

    private func startDirect(_ connection: NodeConnection, version: DirectVersion, now: NIODeadline) {
        guard let engines else { return finish(connection, reason: "webrtc-direct is switched off", now: now) }
        guard let local = connection.localAddress else { return }
        do throws(DirectAddressError) {
            let address = try DirectAddress(connection.address)
            let machine = WebRTCConnection(
                dialing: address, from: local, as: version, identity: identity, expecting: connection.expected,
                configuration: connectionConfiguration(for: connection), engines: engines, entropy: entropy.split(),
                now: now)
            connection.machine = .direct(machine)
            connection.detail = version.name
            connection.phases = []
            tell(connection, now: now)
            machine.handle(.start, now: now)
            touch(connection)
        } catch {
            finish(connection, reason: "\(error)", now: now)
        }
    }

    /// Nobody answered version 1 for a while: perhaps they speak version 2 only. Another attempt begins on the same
    /// connection and the same socket.
    func tryVersionTwo(_ connection: NodeConnection, now: NIODeadline) {
        connection.fallback = .distantFuture
        guard connection.phases.isEmpty, connection.state == .securing, phase == .running else { return }
        startDirect(connection, version: .two, now: now)
    }

    // MARK: What connections say

    func perform(_ output: WebRTCConnection.Output, of connection: NodeConnection, now: NIODeadline) {
        switch output {
        case .send(let datagrams, let path):
            guard let socket = connection.socket(at: path.local) else { return }
            outputs.append(.sendDatagrams(datagrams, from: path.local, to: path.remote, on: socket))
        case .phase(let phase, let time):
            if phase == .stun, let host = connection.address.ip?.unmapped { udpSilence.answered(host) }
            connection.phases.append(.init(name: phase.rawValue, duration: .nanoseconds(time.nanoseconds)))
            tell(connection, now: now)
        case .path: tell(connection, now: now)
        case .silent(let isSilent): wentSilent(connection, isSilent, now: now)
        case .candidate(let candidate): found(candidate, of: connection, now: now)
        case .relayPipe(let pipe, let command): outputs.append(.relayPipe(connection.id, pipe, command))
        case .relayFailed(let server, let error): relayFailed(server, error)
        case .connection(let output): perform(output, of: connection, now: now)
        case .closed(let error):
            if error == .timeout(.stun), connection.transport == "webrtc-direct" { stayedSilent(connection) }
            finish(connection, reason: error.map { "\($0)" }, now: now)
        }
    }

    /// The connection is gone from its socket.
    func forgetSocket(of connection: NodeConnection, now: NIODeadline) {
        guard case .listener(let number)? = connection.socket else { return }
        listeningSockets[number]?.listener.closed(connection.id, now: now)
    }

    /// The connection is authenticated: it counts no more as a first contact.
    func settle(_ connection: NodeConnection) {
        guard case .listener(let number)? = connection.socket else { return }
        listeningSockets[number]?.listener.established(connection.id)
    }
}
