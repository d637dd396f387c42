import NIOCore
import Wire

/// A local and a remote candidate, and what is known of the way between them (RFC 8445 §6.1.2).
struct CandidatePair {
    /// RFC 8445 §6.1.2.6.
    enum State: Hashable {
        /// Another pair of the same foundation is tried first.
        case frozen
        case waiting
        case inProgress
        /// A check of ours was answered: the pair is valid.
        case succeeded
        case failed
    }

    /// Its place in the order of making; never used again.
    let id: Int
    /// A host or relayed candidate: reflexive ones are checked from their base.
    let local: ICECandidate
    var remote: ICECandidate
    var priority: UInt64
    var state = State.frozen
    /// The remote sent USE-CANDIDATE before the pair was valid.
    var isNominated = false
    /// The request that nominated it last.
    var nomination: STUNTransactionID?
    /// The last authentic check or answer.
    var lastChecked = NIODeadline.uptimeNanoseconds(0)
    /// Smoothed.
    var roundTrip: TimeAmount?
    /// What the remote saw of us, when that is not the base.
    var mapped: TransportAddress?

    init(id: Int, local: ICECandidate, remote: ICECandidate, role: ICERole) {
        (self.id, self.local, self.remote) = (id, local, remote)
        priority = Self.priority(local: local.priority, remote: remote.priority, role: role)
    }

    var path: ICEPath { ICEPath(local: local.address, remote: remote.address) }

    /// Whether a TURN server stands between, as far as is known.
    var isRelayed: Bool { local.type == .relayed || remote.type == .relayed }

    func sharesFoundation(with other: CandidatePair) -> Bool {
        local.foundation == other.local.foundation && remote.foundation == other.remote.foundation
    }

    /// RFC 8445 §6.1.2.3: 2^32·min(G,D) + 2·max(G,D) + (G>D). Priorities beyond the 31 bits that they have (§5.1.2)
    /// count as the highest: then the sum fits.
    static func priority(controlling: UInt32, controlled: UInt32) -> UInt64 {
        let (one, other) = (min(controlling, .max / 2), min(controlled, .max / 2))
        return UInt64(min(one, other)) << 32 + 2 * UInt64(max(one, other)) + (one > other ? 1 : 0)
    }

    static func priority(local: UInt32, remote: UInt32, role: ICERole) -> UInt64 {
        role == .controlling
            ? priority(controlling: local, controlled: remote) : priority(controlling: remote, controlled: local)
    }

    /// Whether datagrams could go from a base to an address: same family, and a loopback or link-local end is not
    /// asked to reach beyond.
    static func canReach(_ remote: IPAddress, from base: IPAddress) -> Bool {
        switch (base, remote) {
        case (.v4, .v4), (.v6, .v6): break
        default: return false
        }
        if base.isUnspecified { return true }
        if base.isLoopback { return remote.isLoopback }
        if case .v6 = base { return base.isLinkLocal == remote.isLinkLocal || remote.isLoopback }
        return true
    }

    /// Whether a relay can be asked to send there: not to itself, its own link or a private network, unless it lives
    /// there. A remote could have its services probed otherwise; and coturn ends a session that sends where it has no
    /// route to.
    static func canReach(_ remote: IPAddress, fromRelay relayed: IPAddress) -> Bool {
        relayed.isLoopback == remote.isLoopback && relayed.isLinkLocal == remote.isLinkLocal
            && (relayed.isPrivate || !remote.isPrivate)
    }

    /// RFC 6298: an eighth of the new.
    mutating func measured(_ sample: TimeAmount) {
        let sample = min(sample, Limits.iceRoundTrip)
        roundTrip = roundTrip.map { .nanoseconds(($0.nanoseconds * 7 + sample.nanoseconds) / 8) } ?? sample
    }
}
