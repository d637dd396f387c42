import DequeModule
package import NIOCore
import Wire

/// A lite agent: host candidates only, always controlled, sends nothing but answers (RFC 8445 §2.5, §7.3;
/// libp2p/specs webrtc-direct). The listening end of webrtc-direct has one per dialer.
///
///     new ──first genuine check──▶ checking ──USE-CANDIDATE──▶ connected ◀──silence / life──▶ disconnected
///      └────────── timeout ──────────┴──────▶ failed ◀──────────longer silence──────────────────┘
///
/// One dialer may check from several addresses before it chooses. Each is `usable` once a check from there was
/// answered; `selected` is the one it nominated last: Chromium nominates anew with every check and changes its mind.
/// A dialer whose address changes without a nomination is followed when the selected path has fallen silent and the
/// new one, where its latest check came from, has not.
///
/// Limits: `Limits.icePathsPerSession`, `Limits.iceRecentRequests`. It asks for no consent: its peer does, and a
/// peer from which neither a genuine check nor authentic traffic comes is taken for gone after `consentTimeout`. It
/// knows no TURN and no restarts.
package final class ICELiteAgent: Machine {
    /// A source that has shown the password.
    private struct Source {
        let path: ICEPath
        /// The last genuine check.
        var lastChecked: NIODeadline
        /// The request that nominated it last: a retransmission of that is no news.
        var nomination: STUNTransactionID?
    }

    /// How long the selected path must be silent until datagrams on another proved one move the session there.
    private static let followAfter = TimeAmount.seconds(1)

    private let configuration: ICEConfiguration
    private var responder: CheckResponder
    private var remoteUfrag: String?
    private var sources: [Source] = []
    private var selected: ICEPath?
    private var selectedHeard = NIODeadline.uptimeNanoseconds(0)
    private var state = ICEState.new
    /// When it fails without a selected path; set by the first input.
    private var connectBy: NIODeadline?
    private var outputs = Deque<ICEOutput>()
    private var figures = ICEStatistics()

    package init(local: ICECredentials, configuration: ICEConfiguration = .lite) {
        self.configuration = configuration
        responder = CheckResponder(local: local)
    }

    package var statistics: ICEStatistics {
        var result = figures
        result.state = state
        result.role = .controlled
        result.selected = selected
        result.localType = selected == nil ? nil : .host
        result.remoteType = selected == nil ? nil : .peerReflexive
        result.pairs = sources.count
        return result
    }

    package func poll() -> ICEOutput? { outputs.popFirst() }

    package var deadline: NIODeadline {
        switch state {
        case .failed, .closed: .distantFuture
        case .new, .checking: connectBy ?? .distantFuture
        case .connected: selectedHeard + min(configuration.disconnectedAfter, configuration.consentTimeout)
        case .disconnected: selectedHeard + configuration.consentTimeout
        }
    }

    package func handle(_ input: consuming ICEInput, now: NIODeadline) {
        if state == .closed || state == .failed {
            if case .close = input { become(.closed) }
            return
        }
        if connectBy == nil { connectBy = now + configuration.connectTimeout }
        switch input {
        case .received(let datagram, let path): received(datagram, on: path, now: now)
        case .heard(let path): heard(path, now: now)
        case .remoteCredentials(let credentials): remoteUfrag = remoteUfrag ?? credentials.ufrag
        case .tick: break
        case .close:
            become(.closed)
            sources = []
            return
        case .localCandidate, .lostLocalCandidate, .endOfLocalCandidates, .remoteCandidate, .endOfRemoteCandidates:
            return
        }
        if now >= deadline { timedOut(now: now) }
    }

    private func timedOut(now: NIODeadline) {
        switch state {
        case .connected, .disconnected:
            let isDead = now >= selectedHeard + configuration.consentTimeout
            become(isDead ? .failed : .disconnected)
        case .new, .checking: become(.failed)
        case .failed, .closed: break
        }
    }

    private func become(_ new: ICEState) {
        guard state != new else { return }
        state = new
        outputs.append(.state(new))
    }

    // MARK: What arrives

    private func heard(_ path: ICEPath, now: NIODeadline) {
        if path == selected {
            selectedHeard = now
            if state == .disconnected { become(.connected) }
            return
        }
        // Anybody can send traffic in another's name. It counts where the remote itself was later than here.
        guard let source = sources.first(where: { $0.path == path }),
            let current = sources.first(where: { $0.path == selected }),
            source.lastChecked > current.lastChecked, now - selectedHeard >= Self.followAfter
        else { return }
        select(path, now: now)
    }

    private func received(_ datagram: ByteBuffer, on path: ICEPath, now: NIODeadline) {
        guard let message = try? STUNMessage(parsing: datagram), message.method == .binding,
            message.messageClass == .request
        else {
            figures.dropped += 1
            return
        }
        switch responder.received(message, on: path, remoteUfrag: remoteUfrag) {
        case .dropped: figures.dropped += 1
        case .refused(let answer): outputs.append(.send(answer, on: path))
        case .genuine:
            // A controlled remote cannot have us control: its role is the wrong one whatever the tie-breakers say.
            guard message.iceControlled == nil else {
                outputs.append(.send(responder.roleConflict(message), on: path))
                return
            }
            figures.checksAnswered += 1
            outputs.append(.send(responder.success(message, on: path), on: path))
            checked(message, on: path, now: now)
        }
    }

    /// A genuine check was answered.
    private func checked(_ message: STUNMessage, on path: ICEPath, now: NIODeadline) {
        if state == .new { become(.checking) }
        let index = source(path, now: now)
        sources[index].lastChecked = now
        if path == selected {
            selectedHeard = now
            if state == .disconnected { become(.connected) }
        }
        if message.usesCandidate, sources[index].nomination != message.transaction {
            sources[index].nomination = message.transaction
            if path != selected { select(path, now: now) }
        } else if selected != nil, path != selected, now - selectedHeard >= configuration.disconnectedAfter {
            select(path, now: now)
        }
    }

    /// Where `path` stands among the sources; it may be new.
    private func source(_ path: ICEPath, now: NIODeadline) -> Int {
        if let index = sources.firstIndex(where: { $0.path == path }) { return index }
        outputs.append(.usable(path))
        let new = Source(path: path, lastChecked: now)
        guard sources.count >= Limits.icePathsPerSession else {
            sources.append(new)
            return sources.count - 1
        }
        var oldest = sources[0].path == selected ? 1 : 0
        for index in sources.indices where sources[index].path != selected {
            if sources[index].lastChecked < sources[oldest].lastChecked { oldest = index }
        }
        sources[oldest] = new
        return oldest
    }

    private func select(_ path: ICEPath, now: NIODeadline) {
        selected = path
        selectedHeard = now
        outputs.append(.selected(path))
        become(.connected)
    }
}
