import DequeModule
package import ICE
package import NIOCore
import OrderedCollections
package import Wire

/// One WebRTC connection with data channels and nothing else: ICE finds the path, DTLS secures it, SCTP carries
/// messages, DCEP names the channels (RFC 8831, RFC 8827). No IO, no clock, no randomness of its own.
///
///     new ──start──▶ seeking a path ──usable──▶ DTLS ──fingerprint judged──▶ SCTP ──▶ connected
///                          └───────────── failure, silence, close ─────────────┴────────┴──▶ closed
///
/// Datagrams are told apart by their first byte (RFC 7983). STUN goes to the agent whoever sent it; anything else is
/// believed only from a path the agent proved. The client says hello on the first path proved, even before one is
/// selected, which saves a round trip; the server's engine is made when the first such datagram arrives, so that half
/// an attempt costs little. `closed` is the last output.
///
/// What `handle` makes due is drained to the end before it returns, until nothing more moves: trains of datagrams stay
/// whole on the way through, and packets pass in batches. What `open`, `send` and `close` of a channel make
/// due waits for the next `poll` or `handle`, so that messages sent in one turn leave in one train.
///
/// Every step has its time: the path `ICEConfiguration.connectTimeout`, DTLS `Limits.dtlsHandshakeTimeout` from the
/// first proved path, SCTP `Limits.sctpConnectTimeout` from there.
///
/// With TURN servers, a path may begin at a relayed address: what is sent there goes to the server wrapped, and what
/// the server brings is unwrapped before anything looks at it, so that all above is the same for every path.
///
/// Limits: those of the agent, the relays and the engines; `Limits+WebRTC`. It knows neither sockets nor libp2p, no
/// media, and does not restart ICE.
package final class PeerConnection: Machine {
    package enum Input {
        /// What happened to a TCP connection of `Output.relayPipe`.
        case relayPipe(TURNPipe.ID, TURNPipe.Event)
        /// What arrived on a path, as the socket had it.
        case datagrams(Datagrams, on: ICEPath)
        case remoteCandidate(ICECandidate)
        case endOfRemoteCandidates
        /// The deadline came.
        case tick
        case close
    }

    package enum Output: Hashable, Sendable {
        case send(Datagrams, on: ICEPath)
        /// A candidate of ours, found after the start: to be told the remote.
        case candidate(ICECandidate)
        /// A TCP connection to a TURN server; who has none answers `closed`. Ends with the connection, unsaid.
        case relayPipe(TURNPipe.ID, TURNPipe.Command)
        /// A TURN server gives no address: whose fault that is concerns a person, not the connection.
        case relayFailed(TURNServer, TURNError)
        /// A step is done, so long after the one before.
        case phase(PeerConnectionPhase, took: TimeAmount)
        /// Channels work. The certificate is the expected one, if one was expected.
        case connected(remoteFingerprint: Fingerprint)
        case state(PeerConnectionState)
        /// Datagrams go here from now on.
        case path(ICEPath)
        /// Theirs, or ours once the remote knows it.
        case channelOpened(DataChannelID, DataChannelInfo)
        case received(DataChannelID, DataChannelMessage)
        /// What waits in the channel fell to its threshold.
        case bufferedAmountLow(DataChannelID)
        /// Gone, whoever closed it. Not said of channels that end with the connection.
        case channelClosed(DataChannelID)
        /// Over, with all channels; nil when either side closed in order. The last output.
        case closed(PeerConnectionError?)
    }

    package let configuration: PeerConnectionConfiguration
    /// What the remote must know of us.
    package let localCredentials: ICECredentials
    package var localFingerprint: Fingerprint { engines.fingerprint }
    package internal(set) var state = PeerConnectionState.new
    package internal(set) var remoteFingerprint: Fingerprint?

    let engines: any WebRTCEngines
    var agent: PathAgent
    var relays: TURNRelays
    var role: DTLSRole?
    var remote: PeerConnectionParameters?
    var dtls: (any DTLSEngine)?
    var sctp: (any SCTPEngine)?
    var isAssociated = false
    var usable: [ICEPath] = []
    var selected: ICEPath?
    /// Where the last believed datagram came from: where to send while nothing is selected.
    var lastHeard: ICEPath?
    var early: Deque<ByteBuffer> = []
    var outputs: Deque<Output> = []
    var table = ChannelTable()
    var orphans = OrphanMessages()
    /// Streams that are not to become channels.
    var refused = RefusedStreams()
    var isBlocked = false
    /// Outbound streams we have asked for.
    var streamsAskedFor = 0
    var phaseStart: NIODeadline
    var hasPath = false
    /// When the handshake under way, of DTLS or SCTP, must have ended.
    var stepDeadline = NIODeadline.distantFuture
    /// The owner asked for something since the engines were drained last.
    var due: NIODeadline?
    var figures = PeerConnectionStatistics()
    /// Reused for all packets, in and out.
    var arrived = PacketBatch()
    var leaving = PacketBatch()

    /// A connection that waits for `start`.
    package init(
        configuration: PeerConnectionConfiguration, engines: any WebRTCEngines, entropy: Entropy, now: NIODeadline
    ) {
        var entropy = entropy
        self.configuration = configuration
        self.engines = engines
        let credentials = configuration.credentials ?? ICECredentials(from: &entropy)
        localCredentials = credentials
        role = configuration.dtlsRole
        phaseStart = now
        switch configuration.iceMode {
        case .full(let role):
            let agent = ICEAgent(
                role: role, local: credentials, configuration: configuration.ice, entropy: entropy.split())
            self.agent = .full(agent)
        case .lite: agent = .lite(ICELiteAgent(local: credentials, configuration: configuration.ice))
        }
        let servers = configuration.iceMode == .lite ? [] : configuration.turnServers
        // Drawn only when needed: without servers, the same seed gives the same run as ever.
        relays = TURNRelays(servers: servers, entropy: servers.isEmpty ? .system : entropy.split())
        if let role { table.decide(role: role) }
        for (index, address) in configuration.localAddresses.enumerated() {
            let preference = UInt16(clamping: 65_535 - index)
            let candidate = ICECandidate.host(address, localPreference: preference)
            if !configuration.usesOnlyRelay { agent.handle(.localCandidate(candidate), now: now) }
            if !relays.isEmpty { relays.handle(.base(candidate), now: now) }
        }
        agent.handle(.endOfLocalCandidates, now: now)
        drain(now: now)
    }

    /// Begins: the remote is known. Once; later calls are ignored.
    ///
    /// - Parameter role: which end of DTLS we are; nil: as configured, or the server when nobody said.
    package func start(remote: PeerConnectionParameters, role: DTLSRole? = nil, now: NIODeadline) {
        guard state == .new, self.remote == nil else { return }
        self.remote = remote
        let role = role ?? self.role ?? .server
        self.role = role
        table.decide(role: role)
        phaseStart = now
        become(.connecting)
        agent.handle(.remoteCredentials(remote.credentials), now: now)
        for candidate in remote.candidates { agent.handle(.remoteCandidate(candidate), now: now) }
        if remote.hasAllCandidates { agent.handle(.endOfRemoteCandidates, now: now) }
        // The remote may have been faster than what we were told of it.
        if let path = lastHeard ?? usable.first {
            foundPath(now: now)
            if role == .client || !early.isEmpty { makeDTLS(for: path, now: now) }
        }
        drain(now: now)
    }

    package func handle(_ input: consuming Input, now: NIODeadline) {
        guard !isOver else { return }
        switch input {
        case .datagrams(let datagrams, let path): received(datagrams, on: path, now: now)
        case .remoteCandidate(let candidate): agent.handle(.remoteCandidate(candidate), now: now)
        case .endOfRemoteCandidates: agent.handle(.endOfRemoteCandidates, now: now)
        case .relayPipe(let id, let event): relays.handle(.pipe(id, event), now: now)
        case .tick: timedOut(now: now)
        case .close: return close(now: now)
        }
        drain(now: now)
    }

    package func poll() -> Output? {
        if outputs.isEmpty, let due { drain(now: due) }
        return outputs.popFirst()
    }

    package var deadline: NIODeadline {
        guard !isOver else { return .distantFuture }
        var earliest = min(agent.deadline, stepDeadline)
        if !relays.isEmpty { earliest = min(earliest, relays.deadline) }
        if let due { earliest = min(earliest, due) }
        if let dtls { earliest = min(earliest, dtls.deadline) }
        if let sctp { earliest = min(earliest, sctp.deadline) }
        return earliest
    }

    var isOver: Bool { state == .failed || state == .closed }

    private func timedOut(now: NIODeadline) {
        if agent.deadline <= now { agent.handle(.tick, now: now) }
        if relays.deadline <= now { relays.handle(.tick, now: now) }
        if let dtls, dtls.deadline <= now { dtls.timedOut(now: now) }
        if let sctp, sctp.deadline <= now { sctp.timedOut(now: now) }
        guard stepDeadline <= now else { return }
        let silence = DTLSError(.timeout, "the remote did not finish the DTLS handshake in time")
        finish(remoteFingerprint == nil ? .dtls(silence) : .sctpTimeout, now: now)
    }

    func become(_ new: PeerConnectionState) {
        guard state != new, !isOver else { return }
        state = new
        outputs.append(.state(new))
    }

    /// A step is done.
    func completed(_ phase: PeerConnectionPhase, now: NIODeadline) {
        outputs.append(.phase(phase, took: now - phaseStart))
        phaseStart = now
    }

    // MARK: The end

    /// Closes in good order: ABORT and close_notify leave before `closed`.
    package func close(now: NIODeadline) { finish(nil, now: now) }

    /// Ends everything, once. What tells the remote still leaves, but not where its consent is gone (RFC 7675 §5.1); it
    /// would take a path that works one way only for a connection ended in order.
    func finish(_ error: PeerConnectionError?, now: NIODeadline) {
        guard !isOver else { return }
        if error != .pathLost {
            sctp?.abort(now: now)
            drainPackets(now: now)
            dtls?.close(now: now)
            drainDatagrams(now: now)
        }
        table = ChannelTable()
        agent.handle(.close, now: now)
        // Who has not answered by now might have been the way.
        if error == .noPath { for server in relays.silent { outputs.append(.relayFailed(server, .timeout)) } }
        relays.handle(.close, now: now)
        drainRelays(now: now)
        state = error == nil ? .closed : .failed
        outputs.append(.state(state))
        outputs.append(.closed(error))
        (sctp, dtls, early) = (nil, nil, [])
    }
}
