import NIOCore
import Wire

/// One dial under way: the addresses of one peer, tried one after another and partly at once.
struct DialJob {
    struct Attempt {
        let id: Dialer.AttemptID
        let candidate: DialCandidate
        let deadline: NIODeadline
    }

    /// Whom to reach; nil when an address came without a name.
    let peer: PeerID?
    /// Who waits for it.
    var requests: [UInt64] = []
    /// Whether it goes on when nobody waits.
    var isBackground = false
    /// Everything that was ever asked to be tried, so that nothing is tried twice.
    private(set) var known: [Multiaddr] = []
    /// Not tried yet, best first.
    private(set) var waiting: [DialCandidate] = []
    private(set) var running: [Attempt] = []
    private(set) var failures: [Dialer.Failure] = []
    /// When the next attempt may start.
    private var nextStart: NIODeadline

    init(peer: PeerID?, now: NIODeadline) {
        self.peer = peer
        nextStart = now
    }

    var isOver: Bool { waiting.isEmpty && running.isEmpty }

    /// Whether `address` is new here; it is noted then.
    mutating func note(_ address: Multiaddr) -> Bool {
        guard !known.contains(address), known.count < Limits.dialAddresses else { return false }
        known.append(address)
        return true
    }

    /// Takes the refusals of addresses that rest back: a forced dial joined.
    mutating func wakeResting() -> [Multiaddr] {
        let resting = failures.filter { if case .backingOff = $0.reason { true } else { false } }
        failures.removeAll { resting.contains($0) }
        return resting.map(\.address)
    }

    mutating func add(_ candidate: DialCandidate) {
        // Of two addresses that lead to the same attempt one is enough.
        let isKnown = (waiting + running.map(\.candidate)).contains { $0.address == candidate.address }
        guard !isKnown else { return }
        let index = waiting.firstIndex { $0.rank > candidate.rank } ?? waiting.endIndex
        waiting.insert(candidate, at: index)
    }

    mutating func refuse(_ address: Multiaddr, _ reason: Dialer.Reason) {
        failures.append(Dialer.Failure(address: address, reason: reason))
    }

    /// The next address to try, when its time has come.
    mutating func start(_ id: Dialer.AttemptID, now: NIODeadline) -> DialCandidate? {
        guard hasRoom, let candidate = waiting.first, nextStart <= now || running.isEmpty else { return nil }
        waiting.removeFirst()
        running.append(Attempt(id: id, candidate: candidate, deadline: now + candidate.timeout))
        nextStart = now + candidate.stagger
        return candidate
    }

    /// An attempt is over; the next one need not wait any longer.
    mutating func end(_ id: Dialer.AttemptID, now: NIODeadline) -> DialCandidate? {
        guard let index = running.firstIndex(where: { $0.id == id }) else { return nil }
        nextStart = now
        return running.remove(at: index).candidate
    }

    private var hasRoom: Bool { running.count < Limits.dialAttemptsPerPeer }

    /// When it wants to be looked at; `mayStart` is whether the total allows another attempt.
    func deadline(mayStart: Bool) -> NIODeadline {
        let start = mayStart && hasRoom && !waiting.isEmpty ? nextStart : .distantFuture
        return running.reduce(start) { min($0, $1.deadline) }
    }
}
