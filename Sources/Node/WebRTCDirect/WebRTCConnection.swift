package import Channels
import DequeModule
package import ICE
package import NIOCore
package import WebRTC
package import Wire

/// One connection by webrtc-direct, or by webrtc between two peers that signal: datagrams in and out, authenticated
/// streams out (libp2p/specs webrtc/webrtc-direct.md and webrtc.md; sections 4 and 5 of the wire reference).
///
///     idle ──start──▶ upgrading: STUN ▶ DTLS ▶ SCTP ▶ Noise on channel 0 ──▶ open (see ``ChannelSession``) ──▶ closed
///     idle ──offer, answer──▶ upgrading: signalling ▶ STUN ▶ DTLS ▶ SCTP ──▶ open                              ▲
///                                 └──────────── error, deadline, the remote's close ─────────────────────────────┘
///
/// The dialer is the full ICE agent and the DTLS client, and demands the certificate of the address; the listener is the
/// lite agent and takes any certificate, because Noise binds both to the handshake. The listener is Noise's initiator.
/// Streams that arrive before the handshake ends wait, few and small; ours open after it. Channel 0 means nothing
/// afterwards. Of the signalled kind `WebRTCConnection+Signalled` tells.
///
/// Every stream ends as those of `Connection` do. `.closed` is the last output there is. Closing sends what the
/// channels take at once, then aborts, as every WebRTC implementation does: what was not acknowledged may be lost.
///
/// Limits: `Limits.directTimeout` or `Limits.signallingTimeout` for the upgrade, those of ``ChannelSession``, `PeerConnection` and the agents. It
/// knows no sockets, and does not tell sessions of one socket apart: that is ``DirectListener``.
package final class WebRTCConnection: Machine {
    package enum Input {
        case start
        /// What arrived on a path, as the socket had it.
        case datagrams(Datagrams, on: ICEPath)
        /// What happened to a TCP connection of ``Output/relayPipe(_:_:)``.
        case relayPipe(TURNPipe.ID, TURNPipe.Event)
        /// The deadline has come.
        case tick
    }

    package enum Output {
        case send(Datagrams, on: ICEPath)
        /// Datagrams go here from now on.
        case path(ICEPath)
        /// A step is done, so long after the one before.
        case phase(DirectPhase, TimeAmount)
        /// Nothing came for some seconds, though the remote was asked, or something came again after that. The end
        /// follows when that goes on for as long as RFC 7675 allows.
        case silent(Bool)
        /// A candidate of ours that the description did not name, for the remote to be told.
        case candidate(ICECandidate)
        /// A TCP connection to a TURN server, and what is to be done with it.
        case relayPipe(TURNPipe.ID, TURNPipe.Command)
        /// A TURN server gives no address.
        case relayFailed(TURNServer, TURNError)
        /// What a `Connection` says of itself and its streams; never `.send` and never `.closed`.
        case connection(Connection.Output)
        /// The last output. Nil when either side closed in order.
        case closed(DirectError?)
    }

    enum State {
        case idle
        case upgrading(DirectPhase, deadline: NIODeadline)
        case open
        /// What is queued still leaves; then this is said.
        case closing(DirectError?)
        case closed
    }

    /// What makes the remote known.
    enum Kind {
        /// Credentials as agreed, then Noise.
        case direct(PeerConnectionParameters, KeyPair, NoiseKeys)
        /// Another connection to the same peer, over which the certificates were told.
        case signalled
    }

    package let role: Role
    /// Nil when the two ends signal.
    package let version: DirectVersion?
    package var configuration: ConnectionConfiguration {
        didSet { streams.inboundProtocols = configuration.inboundProtocols }
    }
    /// The remote's key, once it is proven; where the two ends signalled, only its name is known.
    package private(set) var remotePublicKey: PublicKey?
    package private(set) var remotePeer: PeerID?
    /// What protects the connection and what carries its streams, for people.
    package var security: String { "/noise" }
    package var muxer: String { "data channels" }

    var state = State.idle
    let peerConnection: PeerConnection
    private let kind: Kind
    private let expected: PeerID?
    private var handshake: DirectHandshake?
    /// The channel of the handshake.
    private var channelZero: DataChannelID?
    /// The first channel of the offering end, which means nothing: see `WebRTCConnection+Signalled`.
    var firstChannel: DataChannelID?
    var streams: NegotiatedStreams<ChannelSession>
    var channels: [StreamID: DataChannelID] = [:]
    var streamIDs: [DataChannelID: StreamID] = [:]
    var outputs: Deque<Output> = []
    var lastNow: NIODeadline
    var phaseStart: NIODeadline
    private var hasHadStream = false
    /// What the peer connection was told last.
    var isReceiving = true
    private var roundTripDeadline = NIODeadline.distantFuture
    private var lastRoundTrip: TimeAmount?

    /// A dialer's end. Its `engines` hold a certificate that is best used once.
    ///
    /// - Parameters:
    ///   - local: the socket's address.
    ///   - expecting: whom we want there; nil: the peer of the address, if it names one.
    package convenience init(
        dialing address: DirectAddress, from local: TransportAddress, as version: DirectVersion, identity: KeyPair,
        expecting peer: PeerID? = nil, configuration: ConnectionConfiguration, engines: any WebRTCEngines,
        entropy: Entropy, now: NIODeadline
    ) {
        var entropy = entropy
        let credentials = DirectCredentials.random(version, using: &entropy)
        var settings = PeerConnectionConfiguration(
            .full(.controlling), localAddresses: [local], dtlsRole: .client)
        settings.ice = .direct
        settings.credentials = credentials.dialer
        let remote = PeerConnectionParameters(
            credentials: credentials.listener, candidates: [.host(address.remote)], fingerprint: address.fingerprint,
            largestMessage: Limits.channelFrameSent)
        let keys = NoiseKeys(from: &entropy)
        self.init(
            role: .dialer, version, settings, .direct(remote, identity, keys), expecting: peer ?? address.peer,
            configuration: configuration, engines: engines, entropy: entropy, now: now)
    }

    /// A listener's end. Its `engines` hold the certificate of the announced addresses.
    package convenience init(
        answering offer: DirectOffer, identity: KeyPair, configuration: ConnectionConfiguration,
        engines: any WebRTCEngines, entropy: Entropy, now: NIODeadline
    ) {
        var settings = PeerConnectionConfiguration(.lite, localAddresses: [offer.path.local], dtlsRole: .server)
        settings.credentials = offer.credentials.listener
        settings.requiresCookie = offer.requiresCookie
        let remote = PeerConnectionParameters(
            credentials: offer.credentials.dialer, largestMessage: Limits.channelFrameSent)
        var entropy = entropy
        let keys = NoiseKeys(from: &entropy)
        self.init(
            role: .listener, offer.credentials.version, settings, .direct(remote, identity, keys), expecting: nil,
            configuration: configuration, engines: engines, entropy: entropy, now: now)
    }

    init(
        role: Role, _ version: DirectVersion?, _ settings: PeerConnectionConfiguration, _ kind: Kind,
        expecting peer: PeerID?, configuration: ConnectionConfiguration, engines: any WebRTCEngines,
        entropy: Entropy, now: NIODeadline
    ) {
        var entropy = entropy
        (self.role, self.version, self.configuration) = (role, version, configuration)
        (self.kind, expected) = (kind, peer)
        peerConnection = PeerConnection(
            configuration: settings, engines: engines, entropy: entropy.split(), now: now)
        streams = NegotiatedStreams(
            session: ChannelSession(role: role, inboundLimit: configuration.inboundStreams),
            inboundProtocols: configuration.inboundProtocols)
        (lastNow, phaseStart) = (now, now)
    }

    /// Names us in the checks of the remote, to register with a ``DirectListener``.
    package var localCredentials: ICECredentials { peerConnection.localCredentials }
    /// Figures at this moment.
    package var statistics: PeerConnectionStatistics { peerConnection.statistics }
    /// Bytes of datagrams, both ways.
    package var bytesSent: UInt64 { peerConnection.bytesSent }
    package var bytesReceived: UInt64 { peerConnection.bytesReceived }
    /// The smoothed round trip: of ICE's checks, or else of SCTP.
    package var roundTrip: TimeAmount? {
        let figures = peerConnection.statistics
        return figures.pathRoundTrip ?? figures.roundTrip
    }
    /// Streams open now, both ways, those in negotiation included.
    package var streamCount: Int {
        if case .open = state { streams.session.streamCount } else { 0 }
    }
    /// Bytes of the remote that streams hold.
    package var heldBytes: Int { streams.session.heldBytes }
    /// Whether the remote is told that its FIN arrived; see ``learned(agent:)``.
    package var acknowledgesFins: Bool { streams.session.acknowledgesFins }

    /// Identify says what the remote runs. rust-libp2p does not know FIN_ACK: it takes it for FIN, or gives the stream up
    /// (rust-libp2p issue 4600), so it is told nothing of the kind.
    package func learned(agent: String) {
        streams.session.acknowledgesFins =
            !(agent.hasPrefix("rust-libp2p") || agent == "universal-connectivity/0.1.0")
    }

    package var deadline: NIODeadline {
        switch state {
        case .idle, .closing, .closed: return .distantFuture
        case .upgrading(_, let deadline): return min(deadline, peerConnection.deadline, streams.session.deadline)
        case .open:
            return min(peerConnection.deadline, streams.session.deadline, streams.deadline, roundTripDeadline)
        }
    }

    package func handle(_ input: consuming Input, now: NIODeadline) {
        lastNow = now
        switch consume input {
        case .start: start(now: now)
        case .datagrams(let datagrams, let path):
            guard !isOver else { return }
            peerConnection.handle(.datagrams(datagrams, on: path), now: now)
        case .relayPipe(let id, let event):
            guard !isOver else { return }
            peerConnection.handle(.relayPipe(id, event), now: now)
        case .tick: timedOut(now: now)
        }
        pump()
    }

    package func poll() -> Output? {
        if let output = next() { return output }
        pump()
        if let output = next() { return output }
        guard case .closing(let error) = state else { return nil }
        state = .closed
        return .closed(error)
    }

    private func next() -> Output? {
        if let output = outputs.popFirst() { return output }
        guard let output = streams.poll() else { return nil }
        if !hasHadStream {
            switch output {
            case .streamOpened, .streamAccepted:
                hasHadStream = true
                completed(.firstStream, now: lastNow)
            default: break
            }
        }
        return .connection(output)
    }

    var isOver: Bool {
        switch state {
        case .closing, .closed: true
        case .idle, .upgrading, .open: false
        }
    }

    // MARK: The way up

    private func start(now: NIODeadline) {
        guard case .idle = state, case .direct(let parameters, _, _) = kind else { return }
        phaseStart = now
        state = .upgrading(.stun, deadline: now + Limits.directTimeout)
        do throws(DataChannelError) {
            channelZero = try peerConnection.open(DataChannelOptions(negotiatedID: 0), now: now)
        } catch {
            return finish(.noChannel)
        }
        peerConnection.start(remote: parameters, now: now)
    }

    private func timedOut(now: NIODeadline) {
        guard !isOver else { return }
        peerConnection.handle(.tick, now: now)
        streams.session.timedOut(now: now)
        switch state {
        case .upgrading(let phase, let deadline):
            if now >= deadline { finish(.timeout(phase)) }
        case .open:
            streams.timedOut(now: now)
            if now >= roundTripDeadline { measure(now: now) }
        case .idle, .closing, .closed: break
        }
    }

    private func measure(now: NIODeadline) {
        roundTripDeadline = now + Limits.directRoundTripInterval
        guard let sample = roundTrip, sample != lastRoundTrip else { return }
        lastRoundTrip = sample
        streams.append(.roundTrip(sample))
    }

    func completed(_ phase: DirectPhase, now: NIODeadline) {
        outputs.append(.phase(phase, now - phaseStart))
        phaseStart = now
    }

    /// A step of the peer connection is done; the next one runs.
    func completed(_ phase: PeerConnectionPhase, now: NIODeadline) {
        guard case .upgrading(_, let deadline) = state else { return }
        let (done, next): (DirectPhase, DirectPhase) =
            switch phase {
            case .stun: (.stun, .dtls)
            case .dtls: (.dtls, .sctp)
            case .sctp: (.sctp, .noise)
            }
        completed(done, now: now)
        state = .upgrading(next, deadline: deadline)
    }

    /// Channels work: Noise may begin.
    func connected(_ remote: Fingerprint) {
        guard case .upgrading = state, handshake == nil else { return }
        guard case .direct(_, let identity, let keys) = kind else {
            // The certificate is the one that was told over a connection whose remote is authenticated.
            if let expected { opened(with: expected) }
            return
        }
        let own = peerConnection.localFingerprint
        handshake = DirectHandshake(
            role: role, identity: identity, keys: keys, expecting: expected,
            dialer: role == .dialer ? own : remote, listener: role == .dialer ? remote : own)
    }

    /// Whether it is the channel of the handshake.
    func isChannelZero(_ channel: DataChannelID) -> Bool { channel == channelZero }

    func channelZeroOpened() {
        if let action = handshake?.opened() { act(on: action) }
    }

    func receivedOnChannelZero(_ message: ByteBuffer) {
        guard case .upgrading = state else { return }
        handshake?.received(message)
        while case .upgrading = state {
            do throws(DirectError) {
                guard let action = try handshake?.next() else { return }
                if case .none = action { return }
                act(on: action)
            } catch {
                finish(error)
            }
        }
    }

    func channelZeroClosed() {
        // With the whole connection, its own last word says why.
        guard peerConnection.state != .failed, peerConnection.state != .closed else { return }
        if case .upgrading = state { finish(.closedByRemote(.noise)) }
    }

    private func act(on action: DirectHandshake.Action) {
        switch action {
        case .none: break
        case .write(let frame): sendOnChannelZero(frame)
        case .finished(let last, let key):
            if let last { sendOnChannelZero(last) }
            handshake = nil
            remotePublicKey = key
            completed(.noise, now: lastNow)
            opened(with: key.peerID)
        }
    }

    /// The remote is authenticated: streams may come and go.
    private func opened(with peer: PeerID) {
        remotePeer = peer
        state = .open
        streams.append(.established(peer))
        streams.session.established()
        measure(now: lastNow)
    }

    private func sendOnChannelZero(_ frame: ByteBuffer) {
        guard let channelZero else { return }
        // A channel that cannot send is about to be reported closed.
        try? peerConnection.send(.binary(frame), on: channelZero, now: lastNow)
    }

    // MARK: The end

    /// The peer connection is over.
    func peerConnectionClosed(_ error: PeerConnectionError?) {
        let phase: DirectPhase? = if case .upgrading(let phase, _) = state { phase } else { nil }
        switch error {
        case nil: finish(phase.map { .closedByRemote($0) })
        case .noPath: finish(version == nil ? .noPath : .timeout(.stun))
        case .pathLost: finish(.pathLost)
        case .dtls(let error): finish(error.code == .timeout ? .timeout(.dtls) : .dtls(error))
        case .wrongFingerprint(let fingerprint): finish(.wrongCertificate(fingerprint))
        case .sctpTimeout: finish(.timeout(.sctp))
        case .sctp(let error): finish(.sctp(error))
        }
    }

    /// Ends everything, once. What tells the remote still leaves.
    func finish(_ error: DirectError?) {
        guard !isOver else { return }
        streams.connectionEnded()
        state = .closing(error)
        handshake = nil
        peerConnection.close(now: lastNow)
    }

    /// Closes in good order; ends with `.closed(nil)`.
    package func close(now: NIODeadline) {
        lastNow = now
        pump()
        finish(nil)
    }
}
