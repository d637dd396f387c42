import DequeModule
package import NIOCore
package import Wire

/// Which address of a peer to try when: ranking, staggered parallel attempts, deadlines, backoff
/// (after go-libp2p's dial ranker and RFC 8305).
///
///     dial ─▶ job: refused │ waiting ─▶ running ─▶ succeeded ─▶ dialed, the rest cancelled
///                                          └─────▶ failed, timed out ─▶ the next at once, or failed
///
/// One job for a peer at a time: who asks meanwhile joins it. Near addresses come first, 30 ms apart; distant ones
/// 250 ms apart; an attempt that fails lets the next start at once. An address that failed rests, except for a forced
/// dial. Kept peers are dialled again whenever they are lost, with growing waits.
///
/// Addresses come resolved; names are refused. The dialer opens nothing itself: it says what to attempt and hears
/// how that went. Limits: `Limits.dial…`.
package struct Dialer: Machine {
    /// Names an attempt for its lifetime.
    package struct AttemptID: Hashable, Comparable, Sendable {
        let number: UInt64
        package static func < (left: AttemptID, right: AttemptID) -> Bool { left.number < right.number }
    }
    package enum Input {
        /// Reach a peer, or whoever is at these addresses. `request` is answered by exactly one `dialed` or `failed`
        /// unless cancelled; nil when nobody waits. `isForced` tries addresses that rest: a person asked.
        case dial(PeerID?, [Multiaddr], request: UInt64?, isForced: Bool)
        /// Nobody waits for the request any more.
        case cancel(UInt64)
        /// Stay connected to a peer, or to whoever is at these addresses.
        case keep(PeerID?, [Multiaddr])
        /// No longer.
        case forget(PeerID)
        /// Where this peer listens, with interfaces in place of wildcards or besides them.
        case ownAddresses([Multiaddr])
        /// An attempt led to an authenticated connection with this peer.
        case attemptSucceeded(AttemptID, PeerID)
        /// An attempt failed; why, in plain words.
        case attemptFailed(AttemptID, reason: String)
        /// There is a connection to this peer, whoever dialled.
        case connected(PeerID)
        /// The last connection to this peer is gone.
        case disconnected(PeerID)
        /// The deadline came.
        case tick
    }
    package enum Output: Equatable {
        /// Connect to the address and expect the peer there; answer with `attemptSucceeded` or `attemptFailed`.
        case attempt(AttemptID, Multiaddr, PeerID?)
        /// The attempt is not wanted any more; needs no answer.
        case cancelAttempt(AttemptID)
        /// The attempt took too long: end it; needs no answer.
        case attemptTimedOut(AttemptID)
        /// There is a connection to the peer.
        case dialed(request: UInt64, PeerID)
        /// No address led to the peer.
        case failed(request: UInt64, [Failure])
        /// A kept peer was not reached; nil as time when it never will be and was dropped.
        case keptFailed(PeerID?, [Failure], retryIn: TimeAmount?)
    }

    private let own: PeerID
    private var entropy: Entropy
    private var ownAddresses = OwnAddresses()
    private var backoff = DialBackoff()
    private var kept = KeptPeers()
    private var connected: Set<PeerID> = []
    /// Oldest first.
    private var jobs: [DialJob] = []
    private var lastAttempt: UInt64 = 0
    private var outputs: Deque<Output> = []
    package private(set) var deadline = NIODeadline.distantFuture

    package init(own: PeerID, entropy: Entropy) {
        self.own = own
        self.entropy = entropy
    }

    package mutating func poll() -> Output? { outputs.popFirst() }

    package mutating func handle(_ input: consuming Input, now: NIODeadline) {
        switch input {
        case .dial(let peer, let addresses, let request, let isForced):
            dial(peer, addresses, request: request, isForced: isForced, now: now)
        case .cancel(let request): cancel(request)
        case .keep(let peer, let addresses):
            let addresses = Array(addresses.prefix(Limits.dialAddresses))
            guard peer != own else {
                outputs.append(.keptFailed(peer, Self.failures(addresses, .isSelf), retryIn: nil))
                break
            }
            kept.keep(peer, addresses, isConnected: peer.map(connected.contains) ?? false, now: now)
        case .forget(let peer):
            kept.forget(peer)
            for index in jobs.indices where jobs[index].peer == peer { jobs[index].isBackground = false }
            dropUnwanted()
        case .ownAddresses(let addresses): ownAddresses = OwnAddresses(addresses)
        case .attemptSucceeded(let attempt, let peer): succeeded(attempt, peer, now: now)
        case .attemptFailed(let attempt, let reason): failed(attempt, .failed(reason), now: now)
        case .connected(let peer): connected(to: peer, now: now)
        case .disconnected(let peer):
            connected.remove(peer)
            kept.disconnected(peer, now: now, entropy: &entropy)
        case .tick: break
        }
        advance(now: now)
    }

    // MARK: Requests

    private mutating func dial(
        _ given: PeerID?, _ addresses: [Multiaddr], request: UInt64?, isForced: Bool, now: NIODeadline
    ) {
        let peer = given ?? addresses.lazy.compactMap(\.peerID).first
        if let peer, connected.contains(peer) {
            if let request { outputs.append(.dialed(request: request, peer)) }
            return
        }
        let bare = addresses.map { $0.withoutPeerID ?? $0 }
        guard peer != own else { return refuse(request, Self.failures(bare, .isSelf)) }
        let tooMany = Self.failures(Array(bare.prefix(1)), .tooMany)
        let existing = jobs.firstIndex { job in
            peer != nil ? job.peer == peer : job.peer == nil && bare.contains(where: job.known.contains)
        }
        if existing == nil {
            guard jobs.count < Limits.dials else { return refuse(request, tooMany) }
            jobs.append(DialJob(peer: peer, now: now))
        }
        let index = existing ?? jobs.count - 1
        if let request {
            guard jobs[index].requests.count < Limits.dialRequests else { return refuse(request, tooMany) }
            jobs[index].requests.append(request)
        } else {
            jobs[index].isBackground = true
        }
        if isForced {
            for address in jobs[index].wakeResting() { plan(address, at: index, isForced: true, now: now) }
        }
        for (address, bare) in zip(addresses, bare) where jobs[index].note(bare) {
            if let peer, let named = address.peerID, named != peer {
                jobs[index].refuse(bare, .otherPeer(named))
            } else {
                plan(bare, at: index, isForced: isForced, now: now)
            }
        }
    }

    private mutating func plan(_ address: Multiaddr, at index: Int, isForced: Bool, now: NIODeadline) {
        if ownAddresses.contain(address) { return jobs[index].refuse(address, .isSelf) }
        switch DialCandidate.plan(address) {
        case .failure(let refusal): jobs[index].refuse(address, .unsupported(refusal.words))
        case .success(let candidate):
            if !isForced, let rest = backoff.rest(of: address, jobs[index].peer, now: now) {
                jobs[index].refuse(address, .backingOff(rest))
            } else {
                jobs[index].add(candidate)
            }
        }
    }

    private static func failures(_ addresses: [Multiaddr], _ reason: Reason) -> [Failure] {
        addresses.map { Failure(address: $0, reason: reason) }
    }

    private mutating func refuse(_ request: UInt64?, _ failures: [Failure]) {
        if let request { outputs.append(.failed(request: request, failures)) }
    }

    private mutating func cancel(_ request: UInt64) {
        for index in jobs.indices { jobs[index].requests.removeAll { $0 == request } }
        dropUnwanted()
    }

    private mutating func dropUnwanted() {
        for job in jobs where job.requests.isEmpty && !job.isBackground {
            for attempt in job.running { outputs.append(.cancelAttempt(attempt.id)) }
        }
        jobs.removeAll { $0.requests.isEmpty && !$0.isBackground }
    }

    // MARK: Attempts

    private mutating func succeeded(_ attempt: AttemptID, _ peer: PeerID, now: NIODeadline) {
        guard let index = jobs.firstIndex(where: { $0.running.contains { $0.id == attempt } }) else { return }
        if peer == own { return failed(attempt, .isSelf, now: now) }
        if let expected = jobs[index].peer, expected != peer { return failed(attempt, .otherPeer(peer), now: now) }
        guard let candidate = jobs[index].end(attempt, now: now) else { return }
        backoff.succeeded(candidate.address, jobs[index].peer)
        let job = jobs.remove(at: index)
        kept.reached(peer, by: job.known)
        finish(job, peer)
        connected(to: peer, now: now)
    }

    private mutating func failed(_ attempt: AttemptID, _ reason: Reason, now: NIODeadline) {
        guard let index = jobs.firstIndex(where: { $0.running.contains { $0.id == attempt } }),
            let candidate = jobs[index].end(attempt, now: now)
        else { return }
        jobs[index].refuse(candidate.address, reason)
        if reason != .isSelf { backoff.failed(candidate.address, jobs[index].peer, now: now, entropy: &entropy) }
    }

    private mutating func connected(to peer: PeerID, now: NIODeadline) {
        if connected.count < Limits.dialConnected { connected.insert(peer) }
        kept.connected(peer, now: now)
        // Safe when both sides dial at once: an attempt still open here is one that the other side, which finishes
        // the handshake last, does not count as a connection yet.
        while let index = jobs.firstIndex(where: { $0.peer == peer }) { finish(jobs.remove(at: index), peer) }
    }

    private mutating func finish(_ job: DialJob, _ peer: PeerID) {
        for attempt in job.running { outputs.append(.cancelAttempt(attempt.id)) }
        for request in job.requests { outputs.append(.dialed(request: request, peer)) }
    }

    // MARK: Time

    private mutating func advance(now: NIODeadline) {
        // Without room for another dial they stay due for later.
        for entry in kept.takeDue(atMost: Limits.dials - jobs.count, now: now) {
            dial(entry.peer, entry.addresses, request: nil, isForced: true, now: now)
        }
        expire(now: now)
        for index in jobs.indices {
            while runningAttempts < Limits.dialAttempts {
                let id = AttemptID(number: lastAttempt + 1)
                guard let candidate = jobs[index].start(id, now: now) else { break }
                lastAttempt += 1
                outputs.append(.attempt(id, candidate.address, jobs[index].peer))
            }
        }
        while let index = jobs.firstIndex(where: \.isOver) { giveUp(jobs.remove(at: index), now: now) }
        let mayStart = runningAttempts < Limits.dialAttempts
        let keptDeadline = jobs.count < Limits.dials ? kept.deadline : .distantFuture
        deadline = jobs.reduce(keptDeadline) { min($0, $1.deadline(mayStart: mayStart)) }
    }

    private var runningAttempts: Int { jobs.reduce(0) { $0 + $1.running.count } }

    private mutating func expire(now: NIODeadline) {
        let late = jobs.flatMap(\.running).filter { $0.deadline <= now }
        for attempt in late {
            outputs.append(.attemptTimedOut(attempt.id))
            failed(attempt.id, .timedOut, now: now)
        }
    }

    private mutating func giveUp(_ job: DialJob, now: NIODeadline) {
        for request in job.requests { outputs.append(.failed(request: request, job.failures)) }
        let isHopeless = job.failures.allSatisfy { failure in
            switch failure.reason {
            case .isSelf, .unsupported: true
            default: false
            }
        }
        let wait = kept.failed(job.peer, job.known, isHopeless: isHopeless, now: now, entropy: &entropy)
        guard let wait else { return }
        outputs.append(.keptFailed(job.peer, job.failures, retryIn: isHopeless ? nil : wait))
    }
}
