import Engines
import ICE
public import NIOCore
import NIOPosix
import WebRTC
import Wire

/// One WebRTC connection with data channels: sockets, ICE, DTLS and SCTP in one.
///
/// Who offers, who answers, and how the two texts reach the other end is the application's affair:
///
///     let peer = WebRTCPeer()
///     let offer = try await peer.createOffer()
///     let answer = …                                  // carried to the other end and back
///     try await peer.accept(answer: answer)
///     let channel = try await peer.openChannel(DataChannelOptions(label: "chat"))
///     try await channel.send("hello")
///     for try await message in channel.messages { print(message) }
///     await peer.close()
///
/// and at the other end:
///
///     let peer = WebRTCPeer()
///     let answer = try await peer.accept(offer: offer)
///     for try await channel in peer.incomingChannels {
///         for try await message in channel.messages { try await channel.send(message) }
///     }
///
/// The actor lives on an event loop of NIO: datagrams, decryption, messages and what is sent in answer pass in one turn
/// of it. An application that wants to be as quick answers on the loop, by ``onMessage(of:_:)``, or runs its tasks
/// under `withTaskExecutorPreference(peer.executor)`. What runs there must not block.
///
/// It holds its sockets until ``close()`` or until the remote closes; dropping it does not end the connection.
public actor WebRTCPeer {
    /// Runs the actor, and tasks that prefer it, on the event loop.
    public nonisolated let executor: PeerExecutor
    /// The same, as actors want it.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// The event loop the peer lives on.
    public nonisolated var eventLoop: any EventLoop { loop }

    let configuration: WebRTCConfiguration
    nonisolated let loop: any EventLoop
    var sockets: [DatagramSocket] = []
    /// TCP connections to TURN servers.
    var relayPipes: [TURNPipe.ID: RelayPipe] = [:]
    var connection: PeerConnection?
    var channels: [DataChannelID: ChannelState] = [:]
    var incoming = Inbox<DataChannelHandle>()
    var foundCandidates = Inbox<String>()
    var incomingHandler: ((isolated WebRTCPeer, DataChannelHandle) -> Void)?
    var connectWaiters: [CheckedContinuation<Result<Void, WebRTCError>, Never>] = []
    /// Figures at the end.
    var lastStatistics: PeerConnectionStatistics?
    var unreadBytes = 0
    var patience: Scheduled<Void>?
    var readerPatience = Limits.readerPatience
    /// Why we close, when it is not the application that does.
    var reason: WebRTCError?
    /// How it ended; nil while it has not.
    var end: Result<Void, WebRTCError>?
    private var isDraining = false
    private var isDrainScheduled = false
    /// Bytes of messages since the connection was drained last.
    var bundledBytes = 0
    private var timer: Scheduled<Void>?
    private var armed: NIODeadline = .distantFuture

    /// A peer that is neither offered nor answered yet: no socket is open.
    ///
    /// - Parameter loop: the event loop it lives on, one of the process's own by default.
    public init(configuration: WebRTCConfiguration = WebRTCConfiguration(), on loop: (any EventLoop)? = nil) {
        let loop = loop ?? MultiThreadedEventLoopGroup.singleton.next()
        self.loop = loop
        self.configuration = configuration
        executor = PeerExecutor(loop)
    }

    // MARK: Feed, drain, re-arm

    func received(_ train: Datagrams, on path: ICEPath) {
        guard let connection else { return }
        connection.handle(.datagrams(train, on: path), now: .now())
        perform()
    }

    /// Does everything the connection wants done, and sets the timer.
    func drain() {
        perform()
        arm()
    }

    /// Drains at the end of this turn of the loop, so that what is sent in one turn leaves in full packets; at once when
    /// that fills a train.
    func drainSoon() {
        guard !isDraining else { return }
        guard bundledBytes < Limits.datagramTrain else { return drain() }
        guard !isDrainScheduled else { return }
        isDrainScheduled = true
        loop.execute {
            self.assumeIsolated { peer in
                guard peer.isDrainScheduled else { return }
                peer.drain()
            }
        }
    }

    /// A handler of the application may send from within: the outer loop goes on then.
    private func perform() {
        guard !isDraining else { return }
        isDraining = true
        (isDrainScheduled, bundledBytes) = (false, 0)
        while let output = connection?.poll() { perform(output) }
        isDraining = false
    }

    private func perform(_ output: PeerConnection.Output) {
        switch output {
        case .send(let train, let path):
            sockets.first { $0.localAddress == path.local }?.send(train, to: path.remote)
        case .relayPipe(let id, let command): perform(command, id)
        case .relayFailed: break
        case .received(let id, let message): received(message, on: id)
        case .bufferedAmountLow(let id): bufferIsLow(id)
        case .channelOpened(let id, let info): channelOpened(id, info)
        case .channelClosed(let id): channelClosed(id)
        case .candidate(let candidate): _ = foundCandidates.append("\(candidate)")
        case .connected: wakeConnectors(.success(()))
        case .closed(let error): finish((error.map { WebRTCError($0) } ?? reason).map { .failure($0) } ?? .success(()))
        case .phase, .path, .state: break
        }
    }

    /// The timer only ever has to move forward in time when the connection wants to be called earlier: a call that
    /// comes too early costs one empty turn, rescheduling at every packet would cost more.
    func arm() {
        guard let connection else { return }
        let deadline = connection.deadline
        guard deadline < armed else { return }
        timer?.cancel()
        armed = deadline
        timer = loop.scheduleTask(deadline: deadline) {
            self.assumeIsolated { peer in
                peer.armed = .distantFuture
                peer.connection?.handle(.tick, now: .now())
                peer.drain()
            }
        }
    }

    /// All that wait are told: a task that is cancelled takes the others with it, which nobody has two of.
    func wakeConnectors(_ result: Result<Void, WebRTCError>) {
        let waiters = connectWaiters
        connectWaiters = []
        for waiter in waiters { waiter.resume(returning: result) }
    }

    // MARK: The end

    /// Closes the connection and its sockets; the remote is told. What waits to be sent is lost: close channels first,
    /// and let the remote close them too, when it matters.
    public func close() {
        guard end == nil else { return }
        guard let connection else { return finish(.success(())) }
        if isDrainScheduled { perform() }
        connection.close(now: .now())
        perform()  // what tells the remote, then the end
    }

    /// Ends everything that waits, once.
    func finish(_ result: Result<Void, WebRTCError>) {
        guard end == nil else { return }
        end = result
        if let connection { lastStatistics = connection.statistics }
        connection = nil
        timer?.cancel()
        patience?.cancel()
        for socket in sockets { socket.close() }
        for pipe in relayPipes.values { pipe.close() }
        (sockets, relayPipes) = ([], [:])
        let failure: Result<Void, WebRTCError> = if case .success = result { .failure(.closed) } else { result }
        wakeConnectors(failure)
        for id in channels.keys.sorted() { channelEnded(id, result) }
        incoming.finish(result)
        foundCandidates.finish(.success(()))
        incomingHandler = nil
    }
}
