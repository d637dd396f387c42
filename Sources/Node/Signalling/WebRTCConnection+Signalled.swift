package import Channels
package import ICE
package import NIOCore
package import WebRTC
package import Wire

/// WebRTC between two peers that tell each other descriptions and candidates over a connection they have already
/// (libp2p/specs webrtc/webrtc.md; section 5 of the wire reference).
///
/// Both ends are full ICE agents and the offering one controls. There is no Noise: the certificate of the remote is the
/// one it named over a connection on which it is authenticated, so it is as authentic as that name.
///
/// The offering end opens a channel "init" before anything else, because a browser makes no offer without one, and
/// closes it when it is open. It carries nothing, and is no stream at either end.
extension WebRTCConnection {
    /// One end, whose remote is `peer` of the connection that carries the signalling.
    ///
    /// - Parameters:
    ///   - role: the dialer offers.
    ///   - sockets: the addresses of the sockets datagrams leave from.
    ///   - relays: servers that relay when there is no direct way.
    package convenience init(
        signalled role: Role, with peer: PeerID, from sockets: [TransportAddress], ice: ICEConfiguration,
        relays: [TURNServer] = [], configuration: ConnectionConfiguration, engines: any WebRTCEngines, entropy: Entropy,
        now: NIODeadline
    ) {
        var settings = PeerConnectionConfiguration(
            .full(role == .dialer ? .controlling : .controlled), localAddresses: sockets)
        settings.ice = ice
        settings.turnServers = relays
        self.init(
            role: role, nil, settings, .signalled, expecting: peer, configuration: configuration, engines: engines,
            entropy: entropy, now: now)
        state = .upgrading(.signalling, deadline: now + Limits.signallingTimeout)
    }

    /// The dialer's offer. `candidates` say where the sockets are reached.
    package func makeOffer(_ candidates: [ICECandidate], now: NIODeadline) -> SessionDescription {
        lastNow = now
        if role == .dialer, firstChannel == nil {
            firstChannel = try? peerConnection.open(DataChannelOptions(label: Self.firstLabel), now: now)
        }
        var offer = peerConnection.makeOffer()
        offer.candidates = candidates
        return offer
    }

    /// The listener takes the offer and begins.
    ///
    /// - Returns: the answer.
    package func accept(
        offer: SessionDescription, _ candidates: [ICECandidate], now: NIODeadline
    ) -> SessionDescription {
        lastNow = now
        described(now: now)
        var answer = peerConnection.accept(offer: offer, now: now)
        answer.candidates = candidates
        pump()
        return answer
    }

    /// The dialer takes the answer and begins.
    package func accept(answer: SessionDescription, now: NIODeadline) {
        lastNow = now
        described(now: now)
        peerConnection.accept(answer: answer, now: now)
        pump()
    }

    private func described(now: NIODeadline) {
        guard case .upgrading(.signalling, let deadline) = state else { return }
        completed(.signalling, now: now)
        state = .upgrading(.stun, deadline: deadline)
    }

    /// The remote named another candidate.
    package func add(remote candidate: ICECandidate, now: NIODeadline) {
        guard !isOver else { return }
        lastNow = now
        peerConnection.handle(.remoteCandidate(candidate), now: now)
        pump()
    }

    /// The remote has named all its candidates.
    package func endOfRemoteCandidates(now: NIODeadline) {
        guard !isOver else { return }
        lastNow = now
        peerConnection.handle(.endOfRemoteCandidates, now: now)
        pump()
    }

    // MARK: The channel that means nothing

    private static var firstLabel: String { "init" }

    /// Whether it is the offering end's first channel, at either end.
    func isFirstChannel(_ channel: DataChannelID, _ info: DataChannelInfo) -> Bool {
        if channel == firstChannel { return true }
        return version == nil && firstChannel == nil && info.isRemote && info.options.label == Self.firstLabel
    }

    /// Ours has done its work; theirs is closed by them.
    func firstChannelOpened(_ channel: DataChannelID, _ info: DataChannelInfo) {
        firstChannel = channel
        if !info.isRemote { peerConnection.close(channel, now: lastNow) }
    }
}
