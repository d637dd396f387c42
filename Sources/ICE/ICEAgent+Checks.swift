import NIOCore
import Wire

/// Sending checks: which, when, and how often (RFC 8445 §6.1.4, §7.2, §14).
extension ICEAgent {
    /// Whether another transaction may begin. The last quarter is kept for nominations and consent.
    var hasRoom: Bool { transactions.count < Limits.iceOutstandingChecks * 3 / 4 }

    /// The check list is worked through until a pair is selected, and again while the selected one is silent.
    var wantsOrdinaryChecks: Bool { remote != nil && (selected == nil || state == .disconnected) }

    var nextOrdinary: Int? {
        list.nextOrdinary { id in transactions.contains { $0.pair == id && $0.sent > 1 } }
    }

    /// Before a check list of which nothing worked is begun anew.
    private static var restartDelay: TimeAmount { .milliseconds(500) }

    private var inProgress: Int { transactions.lazy.filter { $0.purpose != .consent }.count }

    /// Checks that one of the remote's asked for: at once, because it is there now.
    func sendTriggeredChecks(now: NIODeadline) {
        while remote != nil, hasRoom, let id = list.nextTriggered() {
            guard let pair = list[id] else { continue }
            send(.check, on: pair, now: now)
        }
    }

    /// The next check of the list, `pacing` after the one before.
    func sendOrdinaryChecks(now: NIODeadline) {
        guard wantsOrdinaryChecks, hasRoom, now >= nextCheck else { return }
        guard let id = nextOrdinary, let pair = list[id] else { return }
        nextCheck = now + configuration.pacing
        send(.check, on: pair, now: now)
    }

    /// Sends a first request on a pair.
    func send(_ purpose: CheckTransaction.Purpose, on pair: CandidatePair, now: NIODeadline) {
        guard let remote, transactions.count < Limits.iceOutstandingChecks else { return }
        var purpose = purpose
        if purpose == .check, nominatesWithFirstCheck(pair) {
            purpose = .nomination
            nominating = pair.id
        }
        let reflexive = ICECandidate.priority(.peerReflexive, localPreference: pair.local.localPreference)
        var attributes: [STUNAttribute] = [.username(remote.username), .priority(reflexive)]
        switch role {
        case .controlling:
            attributes.append(.iceControlling(tieBreaker))
            if purpose != .check { attributes.append(.useCandidate) }
        case .controlled: attributes.append(.iceControlled(tieBreaker))
        }
        let id = STUNTransactionID(from: &entropy)
        let request = STUNMessage(.request, transaction: id, attributes: attributes).encoded(key: remote.key)
        if purpose != .consent, pair.state != .succeeded { list.update(pair.id) { $0.state = .inProgress } }
        transactions.append(
            CheckTransaction(
                id: id, pair: pair, purpose: purpose, role: role, request: request, inProgress: inProgress,
                pacing: configuration.pacing, now: now))
        figures.checksSent += 1
        outputs.append(.send(request, on: pair.path))
    }

    private func nominatesWithFirstCheck(_ pair: CandidatePair) -> Bool {
        configuration.nominatesWithFirstCheck && role == .controlling && selected == nil && nominating == nil
            && list.pairs.count == 1
    }

    /// Sends again what was not answered in time, and gives up what never was.
    func retransmit(now: NIODeadline) {
        let count = inProgress
        var index = 0
        while index < transactions.count {
            guard now >= transactions[index].next else {
                index += 1
                continue
            }
            if transactions[index].timedOut(inProgress: count, pacing: configuration.pacing, now: now) {
                figures.checksRetransmitted += 1
                outputs.append(.send(transactions[index].request, on: transactions[index].path))
                index += 1
            } else {
                let lost = transactions.remove(at: index)
                if lost.purpose != .consent { failed(lost.pair) }
            }
        }
        // Somebody may only come late to the other end: as long as there is time, begin anew.
        if wantsOrdinaryChecks, list.isExhausted(but: selected?.pair) {
            list.restart(except: selected?.pair)
            nextCheck = now + Self.restartDelay
        }
    }

    /// A check came to nothing.
    func failed(_ id: Int) {
        list.update(id) { $0.state = .failed }
        if nominating == id { nominating = nil }
    }

    /// A genuine check came on a pair that is not known to work: check it from here (RFC 8445 §7.3.1.4).
    ///
    /// The RFC begins another transaction for a pair that is in progress; the one under way does as well.
    func trigger(_ pair: CandidatePair, now: NIODeadline) {
        switch pair.state {
        case .succeeded: break
        case .inProgress:
            for index in transactions.indices where transactions[index].pair == pair.id {
                transactions[index].hurry(now: now)
            }
        case .frozen, .waiting, .failed: list.trigger(pair.id)
        }
    }
}
