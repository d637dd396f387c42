import NIOCore
import Wire

/// Nominating, selecting, and watching over the selected pair (RFC 8445 §8.1, §11, RFC 7675).
extension ICEAgent {
    /// Within so long from the first selection several nominations are an aggressive agent's, and the best counts;
    /// later ones change its mind, and the newest does.
    private static var aggressiveWindow: TimeAmount { .seconds(1) }
    /// How long the selected path must be silent until traffic on another valid one moves us there.
    private static var followAfter: TimeAmount { .seconds(1) }
    /// The first consent check, and any after one that was not answered, come this soon: thirty seconds then hold
    /// more tries than a bad path loses. RFC 7675's interval is for paths that answer.
    private static var hurriedConsent: TimeAmount { .seconds(1) }

    // MARK: Nominating

    /// When the best valid pair is nominated even if a better one could still come.
    var nominationDeadline: NIODeadline {
        guard role == .controlling, selected == nil, nominating == nil, let firstValid, let best = list.bestValid,
            transactions.count < Limits.iceOutstandingChecks
        else { return .distantFuture }
        return firstValid + (best.isRelayed ? relayDelay : configuration.nominationDelay)
    }

    private var relayDelay: TimeAmount { max(configuration.nominationDelay, configuration.relayNominationDelay) }

    func nominate(now: NIODeadline) {
        guard nominationDeadline != .distantFuture, let best = list.bestValid else { return }
        // More may come to be tried as long as the remote may name more.
        let isFinal = !list.hasPending(betterThan: best) && (!best.isRelayed || hasAllRemoteCandidates)
        if now >= nominationDeadline || isFinal { nominate(best, now: now) }
    }

    private func nominate(_ pair: CandidatePair, now: NIODeadline) {
        guard transactions.count < Limits.iceOutstandingChecks else { return }
        nominating = pair.id
        send(.nomination, on: pair, now: now)
    }

    /// The controlling remote nominated a valid pair.
    func nominated(_ pair: CandidatePair, now: NIODeadline) {
        guard let current = selected.flatMap({ list[$0.pair] }) else { return select(pair.id, now: now) }
        guard current.id != pair.id else { return }
        let isLate = firstSelected.map { now - $0 >= Self.aggressiveWindow } ?? true
        if isLate || pair.priority > current.priority { select(pair.id, now: now) }
    }

    // MARK: Selecting

    func select(_ id: Int, now: NIODeadline) {
        guard let pair = list[id] else { return }
        selected = Selected(
            pair: id, path: pair.path, lastHeard: now, lastConsent: now,
            nextConsent: now + jittered(min(Self.hurriedConsent, configuration.consentInterval)))
        firstSelected = firstSelected ?? now
        queries.removeAll()
        // The rest of the list has lost its purpose; what the remote still checks is answered and checked back.
        transactions.removeAll { $0.purpose != .consent || $0.pair != id }
        for other in list.pairs where other.state == .inProgress { list.update(other.id) { $0.state = .waiting } }
        nominating = nil
        outputs.append(.selected(pair.path))
        become(.connected)
        if let roundTrip = pair.roundTrip { outputs.append(.roundTrip(roundTrip)) }
    }

    // MARK: Watching

    /// A sign of life of the remote on a path. Moves us there when the selected one has none: the remote's address
    /// changed, or it gave up the other path.
    func heard(_ path: ICEPath, isTraffic: Bool, now: NIODeadline) {
        if path == selected?.path, let id = selected?.pair {
            if !isTraffic { list.update(id) { $0.lastChecked = now } }
            selected?.lastHeard = now
            if state == .disconnected, let selected, now < answerBy(selected) { become(.connected) }
            return
        }
        guard let pair = list.pair(on: path) else { return }
        if !isTraffic { list.update(pair.id) { $0.lastChecked = now } }
        guard let selected, pair.state == .succeeded else { return }
        // Anybody can send traffic in another's name. It counts where the remote itself was later than here.
        guard !isTraffic || pair.lastChecked > list[selected.pair]?.lastChecked ?? now else { return }
        let silence = isTraffic ? Self.followAfter : configuration.disconnectedAfter
        guard now - selected.lastHeard >= silence else { return }
        switch role {
        case .controlled: select(pair.id, now: now)
        case .controlling: if nominating == nil { nominate(pair, now: now) }
        }
    }

    /// When the selected pair needs something.
    var watchDeadline: NIODeadline {
        guard let selected else { return .distantFuture }
        let silent =
            state == .connected
            ? min(selected.lastHeard + configuration.disconnectedAfter, answerBy(selected)) : .distantFuture
        return min(selected.nextConsent, selected.lastConsent + configuration.consentTimeout, silent)
    }

    /// Who sends, but has answered none of some eight checks by then, does not hear us: the path is no better than a
    /// silent one.
    private func answerBy(_ selected: Selected) -> NIODeadline {
        selected.lastConsent + configuration.consentInterval + configuration.disconnectedAfter
    }

    func watch(now: NIODeadline) {
        guard let selected else {
            if now >= connectBy { end(.failed) }
            return
        }
        if now >= selected.lastConsent + configuration.consentTimeout { return end(.failed) }
        if now >= selected.nextConsent, let pair = list[selected.pair] {
            // Unless the answer says otherwise: see `consented`.
            self.selected?.nextConsent = now + jittered(min(Self.hurriedConsent, configuration.consentInterval))
            send(.consent, on: pair, now: now)
        }
        if state == .connected,
            now >= min(selected.lastHeard + configuration.disconnectedAfter, answerBy(selected))
        {
            become(.disconnected)
            list.restart(except: selected.pair)
        }
    }

    /// The remote answered on the selected pair: no hurry with the next question.
    func consented(now: NIODeadline) {
        selected?.lastConsent = now
        selected?.nextConsent = now + jittered(configuration.consentInterval)
        if state == .disconnected { become(.connected) }
    }

    /// RFC 7675 §5.1: times 0.8 to 1.2, so that many agents do not ask in step.
    private func jittered(_ amount: TimeAmount) -> TimeAmount {
        .nanoseconds(amount.nanoseconds / 1000 * Int64.random(in: 800...1200, using: &entropy))
    }
}
