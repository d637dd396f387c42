import Engines
import ICE
import NIOCore
import NIOPosix
import Node
import Runtime
import WebRTC
import WebRTCRuntime
import Wire

/// Listens on UDP sockets and echoes what comes over WebRTC-direct: the IO around ``EchoSessions``.
///
/// The actor's executor is the event loop of its sockets, so a datagram is answered in the turn of the loop it came in.
actor EchoServer {
    /// A socket and who is connected by it.
    private struct Endpoint {
        let socket: DatagramSocket
        var sessions: EchoSessions
    }

    private nonisolated let executor: PeerExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    private nonisolated let loop: any EventLoop
    private let certificate: Certificate
    private let identity: PeerID
    private let report: @Sendable (EchoSessions.Event) -> Void
    private var endpoints: [Endpoint] = []
    private var timer: Scheduled<Void>?
    private var armed = NIODeadline.distantFuture

    /// A server that does not listen yet; `report` is called on the loop.
    init(
        identity: KeyPair, on loop: any EventLoop, report: @escaping @Sendable (EchoSessions.Event) -> Void
    ) {
        self.loop = loop
        self.report = report
        self.identity = identity.peerID
        executor = PeerExecutor(loop)
        certificate = .derived(from: identity)
    }

    /// Opens the sockets and says by which addresses it can be dialled, those of loopback last.
    func start(listening addresses: [Multiaddr]) throws(Failure) -> [Multiaddr] {
        let engines = SystemEngines(certificate: certificate)
        var found: [Multiaddr] = []
        for address in addresses {
            guard case .webRTCDirect(let ip, let port, _) = address.dialTarget else {
                throw Failure(.usage, "\(address): echo listens on webrtc-direct only")
            }
            let socket: DatagramSocket
            do {
                socket = try DatagramSocket(
                    bindingTo: TransportAddress(ip, port: port), on: loop, tellsDestination: true)
            } catch { throw Failure(.system, "\(address): \(error)") }
            let number = endpoints.count
            endpoints.append(Endpoint(socket: socket, sessions: EchoSessions(engines: engines, entropy: .system)))
            socket.start { [weak self] datagrams, remote, local in
                let path = ICEPath(local: local, remote: remote)
                self?.assumeIsolated { $0.received(datagrams, on: path, at: number) }
            } readEnded: { [weak self] in
                self?.assumeIsolated { $0.drain() }
            }
            found += Self.expand(socket.localAddress).compactMap { dialable($0) }
        }
        return found
    }

    /// Says goodbye to everybody and closes the sockets.
    func stop() {
        for number in endpoints.indices { endpoints[number].sessions.handle(.close, now: .now()) }
        drain()
        timer?.cancel()
        for endpoint in endpoints { endpoint.socket.close() }
        endpoints = []
    }

    private func dialable(_ address: TransportAddress) -> Multiaddr? {
        try? DirectAddress.listening(at: address, certificate.fingerprint).appending(identity)
    }

    /// A bound socket's address; for a wildcard, that of every interface, loopback last.
    private static func expand(_ bound: TransportAddress) -> [TransportAddress] {
        guard bound.ip.isUnspecified else { return [bound] }
        let isVersion4 = if case .v4 = bound.ip { true } else { false }
        let devices = (try? System.enumerateDevices()) ?? []
        let found = devices.compactMap { $0.address?.ipAddress.flatMap { IPAddress($0) } }
            .filter { ip in
                let isOfVersion4 = if case .v4 = ip { true } else { false }
                return isOfVersion4 == isVersion4 && !ip.isLinkLocal
            }
        return (found.filter { !$0.isLoopback } + found.filter(\.isLoopback)).map {
            TransportAddress($0, port: bound.port)
        }
    }

    // MARK: Feed, drain, re-arm

    private func received(_ datagrams: Datagrams, on path: ICEPath, at number: Int) {
        guard endpoints.indices.contains(number) else { return }
        endpoints[number].sessions.handle(.datagrams(datagrams, on: path), now: .now())
    }

    private func ticked() {
        armed = .distantFuture
        for number in endpoints.indices { endpoints[number].sessions.handle(.tick, now: .now()) }
        drain()
    }

    private func drain() {
        var deadline = NIODeadline.distantFuture
        for number in endpoints.indices {
            while let output = endpoints[number].sessions.poll() {
                switch output {
                case .send(let datagrams, let path):
                    endpoints[number].socket.send(datagrams, to: path.remote, from: path.local)
                case .event(let event): report(event)
                }
            }
            deadline = min(deadline, endpoints[number].sessions.deadline)
        }
        guard deadline < armed else { return }
        timer?.cancel()
        armed = deadline
        timer = loop.scheduleTask(deadline: deadline) { [weak self] in self?.assumeIsolated { $0.ticked() } }
    }
}
