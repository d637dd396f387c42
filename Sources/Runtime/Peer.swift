import DequeModule
import Engines
import ICE
public import NIOCore
import NIOPosix
import NIOSSL
public import Node
public import WebRTCRuntime
public import Wire

/// A libp2p peer: one node on one event loop.
///
/// The actor's executor is the loop itself: channel handlers enter without a hop, applications with `await`. Inside
/// there is no `await`, so its state never changes underneath it. It feeds the node core, drains what the core wants
/// done, and keeps the one timer the core's deadline asks for.
///
///     let peer = try Peer(identity: .generate())
///     let addresses = try await peer.start(listening: [Multiaddr("/ip4/127.0.0.1/tcp/0")])
///     try await peer.join("universal-connectivity")
public actor Peer {
    /// Runs the actor, and tasks that prefer it, on the event loop.
    public nonisolated let executor: PeerExecutor
    /// The same, as actors want it.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    /// Everything that happens, for one reader.
    public nonisolated let mailbox: Mailbox
    /// This peer's name.
    public nonisolated let id: PeerID

    nonisolated let loop: any EventLoop
    let core: NodeCore
    var pipes: [ConnectionID: Pipe] = [:]
    var listeners: [any Channel] = []
    /// Certificates, for WebSocket over TLS.
    var security: TransportSecurity
    /// What dials over TLS share, once there was one.
    var clientTLS: NIOSSLContext?
    /// Accepted sockets that have not said yet what they are.
    var arrivals: [ObjectIdentifier: Arrival] = [:]
    /// How long they may take to say it, and to become pipes.
    var arrivalTimeout = Limits.webSocketUpgradeTimeout
    var listenAddresses: [Multiaddr] = []
    var sockets: [SocketID: DatagramSocket] = [:]
    /// TCP connections to TURN servers, by the connections they serve.
    var relayPipes: [ConnectionID: [TURNPipe.ID: RelayPipe]] = [:]
    /// UDP sockets listened on so far.
    var datagramListeners = 0
    var multicast: [any Channel] = []
    var multicastSenders: [any Channel] = []
    var waiting: [RequestID: CheckedContinuation<Result<NodeCore.Response, PeerError>, Never>] = [:]
    var streams: [StreamKey: StreamState] = [:]
    var accepted = AcceptedStreams()
    /// The name server for TXT records, when it is not the system's.
    var nameServer: SocketAddress?
    private var nextRequest: RequestID = 0
    private var isDraining = false
    private var timer: Scheduled<Void>?
    private var armed: NIODeadline = .distantFuture
    /// When the wall clock is looked at again.
    private var clockDue = NIODeadline.now() + Limits.wallClockInterval
    private var touched: [ConnectionID] = []
    var isShutDown = false

    /// A byte pipe: a channel, or the wish for one.
    enum Pipe {
        case connecting
        case open(any Channel)
    }

    /// A peer that neither listens nor dials yet.
    ///
    /// - Parameters:
    ///   - identity: its key pair; whoever holds it is this peer.
    ///   - configuration: what it serves and looks for.
    ///   - security: certificates, for WebSocket over TLS.
    ///   - loop: the event loop it lives on, one of the process's own by default.
    public init(
        identity: KeyPair, configuration: PeerConfiguration = PeerConfiguration(),
        security: TransportSecurity = .system, on loop: (any EventLoop)? = nil
    ) throws(PeerError) {
        let loop = loop ?? MultiThreadedEventLoopGroup.singleton.next()
        self.loop = loop
        self.security = security
        executor = PeerExecutor(loop)
        id = identity.peerID
        mailbox = try Mailbox()
        core = NodeCore(
            identity: identity, configuration: configuration,
            engines: SystemEngines(certificate: .derived(from: identity)), unixNanoseconds: unixNanoseconds(),
            entropy: .system, now: .now())
    }

    // MARK: Feed, drain, re-arm

    /// Gives the core one input; what it wants done waits for ``drain()``.
    func feed(_ input: consuming NodeCore.Input) { core.handle(input, now: .now()) }

    /// Gives the core one input and does what it wants done.
    func handle(_ input: consuming NodeCore.Input) {
        core.handle(input, now: .now())
        drain()
    }

    /// Does everything the core wants done, flushes each pipe once, and sets the timer.
    func drain() {
        // Closing a channel may call back into the peer from within `perform`: the outer loop goes on then.
        guard !isDraining else { return }
        isDraining = true
        while let output = core.poll() { perform(output) }
        isDraining = false
        for id in touched { if case .open(let channel)? = pipes[id] { channel.flush() } }
        touched.removeAll(keepingCapacity: true)
        arm()
    }

    private func perform(_ output: NodeCore.Output) {
        switch output {
        case .send(let id, let bytes):
            guard case .open(let channel)? = pipes[id] else { return }
            channel.write(bytes, promise: nil)
            if touched.last != id { touched.append(id) }
        case .sendDatagrams(let datagrams, let local, let remote, let socket):
            sockets[socket]?.send(datagrams, to: remote, from: local)
        case .event(let event): mailbox.post(event)
        case .completed(let request, let result): waiting.removeValue(forKey: request)?.resume(returning: result)
        case .stream(let key, let event): streamEvent(event, on: key)
        case .connect(let id, let address): connect(id, to: address)
        case .connectFromListener(let id, let address): connectFromListener(id, to: address)
        case .openSockets(let id): openSockets(id)
        case .relayPipe(let id, let pipe, let command): perform(command, on: pipe, of: id)
        case .closePipe(let id):
            closePipe(id)
            closeRelayPipes(of: id)
            closeSocket(.dialer(id))
            closeSocket(.second(id))
        case .multicast(let bytes): sendMulticast(bytes)
        case .resolve(let query): resolve(query)
        }
    }

    /// The timer only ever has to move forward in time when the core wants to be called earlier: a call that comes
    /// too early costs one empty turn, rescheduling at every packet would cost more.
    private func arm() {
        let deadline = core.deadline
        guard deadline < armed else { return }
        timer?.cancel()
        armed = deadline
        timer = loop.scheduleTask(deadline: deadline) {
            self.assumeIsolated { peer in
                peer.armed = .distantFuture
                peer.readClock()
                peer.handle(.tick)
            }
        }
    }

    /// Clocks are set, and run on while a machine sleeps.
    private func readClock() {
        let now = NIODeadline.now()
        guard clockDue <= now else { return }
        clockDue = now + Limits.wallClockInterval
        core.handle(.wallClock(unixNanoseconds()), now: now)
    }

    // MARK: Requests

    /// Asks the core and waits for its answer; withdrawing the task cancels the request.
    func ask(_ request: NodeCore.Request) async throws(PeerError) -> NodeCore.Response {
        nextRequest += 1
        let id = nextRequest
        let result: Result<NodeCore.Response, PeerError> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard !isShutDown else {
                    let error = PeerError(.shutDown, "this peer has left")
                    return continuation.resume(returning: .failure(error))
                }
                waiting[id] = continuation
                handle(.request(id, request))
            }
        } onCancel: {
            loop.execute { self.assumeIsolated { $0.handle(.cancel(id)) } }
        }
        return try result.get()
    }

    /// A pipe that ended on its own: the core may still think it stands.
    func pipeEnded(_ id: ConnectionID, reason: String?) {
        guard pipes.removeValue(forKey: id) != nil else { return }
        handle(.pipeClosed(id, reason: reason))
    }

    /// Ends a pipe the core no longer wants; what was written before is sent first.
    private func closePipe(_ id: ConnectionID) {
        guard case .open(let channel)? = pipes.removeValue(forKey: id) else { return }
        // A remote that reads no more must not keep the socket.
        let timeout = loop.scheduleTask(in: Limits.closeTimeout) { channel.close(promise: nil) }
        channel.writeAndFlush(ByteBuffer()).whenComplete { _ in
            timeout.cancel()
            channel.close(promise: nil)
        }
    }
}
