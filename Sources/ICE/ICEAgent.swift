import DequeModule
package import NIOCore
package import Wire

/// A full agent for one data stream (RFC 8445, RFC 8838, RFC 8863, RFC 7675): finds a pair of addresses on which two
/// peers reach each other, proves it, and watches over it.
///
///     new ──credentials──▶ checking ──selected──▶ connected ◀──silence / life──▶ disconnected
///                             └─────timeout──────▶ failed ◀──────no consent───────────┘
///
/// In short:
/// - Checks of the check list leave `pacing` apart, the first at once. Triggered checks and nominations do not wait:
///   they go where the remote has just proved to be. So a clean path is selected after two round trips.
/// - Controlling: nominates the best valid pair as soon as no better one can come, or after `nominationDelay`
///   (regular nomination; with `nominatesWithFirstCheck` an only pair is nominated by its first check). Consent checks
///   carry USE-CANDIDATE again, so that the remote follows when our address changes.
/// - Controlled: takes the best nominated valid pair of the first second, later the newest (old aggressive
///   nomination, and renomination).
/// - Checks of the remote that come before its credentials are answered, and their triggered checks wait for them.
/// - A silent selected path (`disconnected`) has all others checked again; one that works takes over.
///
/// It believes nobody: requests and responses need the right MESSAGE-INTEGRITY, a response also its transaction and
/// its path; everything else is dropped in silence.
///
/// A relayed candidate is a base like a socket, with the lowest preference; what is sent from there its owner takes to
/// the TURN server. A pair over a relay is nominated late, see `relayNominationDelay`. Nothing is ever sent to an
/// address of our own at a relay, nor from a relay to what only the relay's own machine or link can reach.
///
/// Limits: all of `Limits+ICE.swift`. Not here: TURN itself (`TURNRelays`), restarts, TCP, more than one component.
package final class ICEAgent: Machine {
    /// A check that came before the remote's credentials.
    struct EarlyCheck {
        let path: ICEPath
        let remoteUfrag: String
        let priority: UInt32?
        /// The request's, if it had USE-CANDIDATE.
        var nomination: STUNTransactionID?
    }
    /// What is known of the remote.
    struct Remote {
        let ufrag: String
        let key: STUNKey
        /// Of our requests.
        let username: String
    }
    /// The pair in use.
    struct Selected {
        let pair: Int
        let path: ICEPath
        var lastHeard: NIODeadline
        var lastConsent: NIODeadline
        var nextConsent: NIODeadline
    }

    let configuration: ICEConfiguration
    let local: ICECredentials
    var responder: CheckResponder
    var entropy: Entropy
    var tieBreaker: UInt64
    var role: ICERole
    var remote: Remote?

    /// Host candidates, then what servers see of them.
    var localCandidates: [ICECandidate] = []
    var remoteCandidates: [ICECandidate] = []
    /// The remote said that it has no more.
    var hasAllRemoteCandidates = false
    /// Of learned remote candidates, for their foundations.
    var learnedCount = 0
    var early: [EarlyCheck] = []
    var queries: ServerQueries

    var list = CheckList()
    var transactions: [CheckTransaction] = []
    /// When the next check of the list may leave.
    var nextCheck = NIODeadline.uptimeNanoseconds(0)
    var connectBy = NIODeadline.distantFuture
    var firstValid: NIODeadline?
    var nominating: Int?
    var firstSelected: NIODeadline?
    var selected: Selected?
    var state = ICEState.new
    var outputs = Deque<ICEOutput>()
    /// Paths on which the remote was proved.
    var usable: Set<ICEPath> = []
    var figures = ICEStatistics()

    package init(
        role: ICERole, local: ICECredentials, configuration: ICEConfiguration = ICEConfiguration(),
        entropy: Entropy
    ) {
        (self.role, self.local, self.configuration, self.entropy) = (role, local, configuration, entropy)
        responder = CheckResponder(local: local)
        queries = ServerQueries(configuration)
        tieBreaker = self.entropy.next()
    }

    /// Our candidates so far.
    package var candidates: [ICECandidate] { localCandidates }

    /// Whether STUN servers were asked that have neither answered nor been given up.
    package var isGathering: Bool { queries.isGathering }

    package var statistics: ICEStatistics {
        var result = figures
        (result.state, result.role, result.selected) = (state, role, selected?.path)
        if let selected, let pair = list[selected.pair] {
            result.roundTrip = pair.roundTrip
            result.remoteType = pair.remote.type
            let isKnown = localCandidates.contains { $0.address == pair.mapped }
            result.localType =
                pair.local.type == .relayed
                ? .relayed : pair.mapped == nil ? .host : isKnown ? .serverReflexive : .peerReflexive
        }
        (result.localCandidates, result.remoteCandidates) = (localCandidates.count, remoteCandidates.count)
        (result.pairs, result.outstanding) = (list.pairs.count, transactions.count + queries.outstanding)
        return result
    }

    package func poll() -> ICEOutput? { outputs.popFirst() }

    package func handle(_ input: consuming ICEInput, now: NIODeadline) {
        guard state != .closed, state != .failed else {
            if case .close = input { end(.closed) }
            return
        }
        switch input {
        case .localCandidate(let candidate): add(local: candidate, now: now)
        case .lostLocalCandidate(let address): lost(local: address)
        case .remoteCredentials(let credentials): learned(credentials, now: now)
        case .remoteCandidate(let candidate): add(remote: candidate)
        case .received(let datagram, let path): received(datagram, on: path, now: now)
        case .heard(let path):
            // The one input that comes with every datagram: nothing below can have become due by it.
            if path == selected?.path, state == .connected {
                selected?.lastHeard = now
                return
            }
            heard(path, isTraffic: true, now: now)
        // Nothing waits for more candidates, and nothing is given up for want of them before the time is over: a check
        // of the remote may bring the pair that works (RFC 8863).
        case .endOfRemoteCandidates: hasAllRemoteCandidates = true
        case .endOfLocalCandidates, .tick: break
        case .close:
            end(.closed)
            return
        }
        advance(now: now)
    }

    /// Everything that is due, in the order of its worth.
    private func advance(now: NIODeadline) {
        sendTriggeredChecks(now: now)
        retransmit(now: now)
        watch(now: now)
        guard state != .failed else { return }
        nominate(now: now)
        sendOrdinaryChecks(now: now)
        while let (request, path) = queries.timedOut(now: now, entropy: &entropy) {
            outputs.append(.send(request, on: path))
        }
    }

    package var deadline: NIODeadline {
        guard state != .closed, state != .failed else { return .distantFuture }
        var result = min(queries.deadline, selected == nil ? connectBy : watchDeadline)
        for transaction in transactions { result = min(result, transaction.next) }
        if wantsOrdinaryChecks, nextOrdinary != nil, hasRoom { result = min(result, nextCheck) }
        return min(result, nominationDeadline)
    }

    func become(_ new: ICEState) {
        guard state != new else { return }
        state = new
        outputs.append(.state(new))
    }

    /// Failed or closed: nothing is kept, nothing more is said.
    func end(_ last: ICEState) {
        become(last)
        list.removeAll()
        queries.removeAll()
        (transactions, early, usable, remoteCandidates) = ([], [], [], [])
        (nominating, selected) = (nil, nil)
    }
}
