import NIOCore
import Wire

/// The pairs of a session, best first, and which is to be checked next (RFC 8445 §6.1.2, §6.1.4).
///
/// A collection with rules, no machine. Limits: `Limits.icePairs`; of more, the worst that is of no use yet goes.
struct CheckList {
    /// By falling priority, of equals the older first.
    private(set) var pairs: [CandidatePair] = []
    private var nextID = 0
    /// Pairs whose check was asked for by one of the remote's, in order, each once; never more than there are pairs.
    private(set) var triggered: [Int] = []

    subscript(id: Int) -> CandidatePair? { pairs.first { $0.id == id } }

    func pair(on path: ICEPath) -> CandidatePair? { pairs.first { $0.path == path } }

    /// Changes a pair; nothing when there is none of that id. Priorities stay as they are.
    mutating func update(_ id: Int, _ change: (inout CandidatePair) -> Void) {
        guard let index = pairs.firstIndex(where: { $0.id == id }) else { return }
        change(&pairs[index])
    }

    /// Adds a pair. Returns its id, and the pair that had to go for it; nil when it is itself the worst.
    mutating func add(
        local: ICECandidate, remote: ICECandidate, role: ICERole, keeping kept: Set<Int>
    ) -> (id: Int, evicted: CandidatePair?)? {
        let new = CandidatePair(id: nextID, local: local, remote: remote, role: role)
        var evicted: CandidatePair?
        if pairs.count >= Limits.icePairs {
            let worst = pairs.last { $0.state != .succeeded && !kept.contains($0.id) }
            guard let worst, worst.priority < new.priority else { return nil }
            remove(worst.id)
            evicted = worst
        }
        nextID += 1
        insert(new)
        return (new.id, evicted)
    }

    private mutating func insert(_ new: CandidatePair) {
        let index = pairs.firstIndex { $0.priority < new.priority } ?? pairs.endIndex
        pairs.insert(new, at: index)
    }

    mutating func remove(_ id: Int) {
        pairs.removeAll { $0.id == id }
        triggered.removeAll { $0 == id }
    }

    mutating func removeAll() { (pairs, triggered) = ([], []) }

    /// Our role changed, or what is known of a remote candidate: priorities anew.
    mutating func rank(role: ICERole) {
        for index in pairs.indices {
            pairs[index].priority = CandidatePair.priority(
                local: pairs[index].local.priority, remote: pairs[index].remote.priority, role: role)
        }
        pairs.sort { ($1.priority, $0.id) < ($0.priority, $1.id) }
    }

    // MARK: Order

    mutating func trigger(_ id: Int) {
        update(id) { $0.state = .waiting }
        if !triggered.contains(id) { triggered.append(id) }
    }

    mutating func nextTriggered() -> Int? { triggered.isEmpty ? nil : triggered.removeFirst() }

    /// The pair an ordinary check is due for: the best waiting one, else the best frozen one whose foundation
    /// nothing is under way for. `isLate` tells of a pair under way that it needed a retransmission: one that may
    /// well be dead holds up nobody.
    func nextOrdinary(isLate: (Int) -> Bool) -> Int? {
        if let waiting = pairs.first(where: { $0.state == .waiting }) { return waiting.id }
        let busy = pairs.filter { $0.state == .inProgress && !isLate($0.id) }
        return pairs.first { frozen in
            frozen.state == .frozen && !busy.contains { $0.sharesFoundation(with: frozen) }
        }?.id
    }

    /// A pair became valid: those of its foundation need not wait any longer (RFC 8445 §7.2.5.3.3).
    mutating func thaw(like pair: CandidatePair) {
        for index in pairs.indices where pairs[index].state == .frozen && pairs[index].sharesFoundation(with: pair) {
            pairs[index].state = .waiting
        }
    }

    /// Everything but `kept` is to be checked again; a check under way goes on.
    mutating func restart(except kept: Int?) {
        for index in pairs.indices where pairs[index].id != kept && pairs[index].state != .inProgress {
            pairs[index].state = .waiting
        }
    }

    /// Whether there are pairs besides `kept`, and all of them failed.
    func isExhausted(but kept: Int?) -> Bool {
        let others = pairs.lazy.filter { $0.id != kept }
        return !others.isEmpty && others.allSatisfy { $0.state == .failed }
    }

    var bestValid: CandidatePair? { pairs.first { $0.state == .succeeded } }

    /// Whether a check that is still to be answered could give a better pair than `pair`.
    func hasPending(betterThan pair: CandidatePair) -> Bool {
        pairs.contains { $0.priority > pair.priority && $0.state != .failed && $0.state != .succeeded }
    }
}
