import DequeModule
package import NIOCore
package import Wire

/// Finds a peer's addresses by its id: asks the peers closest to it, of those who are known, for closer ones
/// (libp2p/specs kad-dht, "peer routing"; the iterative lookup of Kademlia).
///
///     candidate: waiting ─query─▶ asked ─▶ answered
///                                   └────▶ failed
///     lookup:    running ──▶ finished, once
///
/// It ends when ``Limits/kademliaWitnesses`` peers named addresses; or some time after the first did; or when the
/// closest ``Limits/kademliaClosest`` candidates have all answered; or when there is nobody left to ask; or at its
/// deadline. Who is asked, and how many at once: `Limits.kademlia…`. Peer ids in answers are not proven: whoever
/// makes the queries connects to them, which proves them.
///
/// Does not keep a routing table, does not look for values or providers, and asks nobody twice.
package struct KademliaLookup: Machine {
    package enum Input {
        /// Connected peers that speak the protocol: those to start from.
        case knows([PeerID])
        /// A query's answer, and how far its addresses are believed.
        case answered(PeerID, [KademliaMessage.Peer], AddressScope)
        /// The peer was not reached, or did not answer.
        case failed(PeerID)
        case tick
    }
    package enum Output: Equatable {
        /// Connect to the peer, unless there is a connection, and ask; answer with `answered` or `failed`.
        case query(PeerID, [Multiaddr])
        /// The addresses found, without `/p2p`; none when nobody knows any. Nothing follows.
        case finished([Multiaddr])
    }

    private struct Candidate {
        enum Progress { case waiting, asked, answered, failed }
        let peer: PeerID
        let distance: KademliaKey
        var addresses: [Multiaddr]
        var progress = Progress.waiting
    }

    private let own: PeerID
    private let target: PeerID
    private let place: KademliaKey
    /// Closest first, each peer once.
    private var candidates: [Candidate] = []
    private var found: [Multiaddr] = []
    /// How many peers named an address of the target.
    private var witnesses = 0
    private var queries = 0
    private var hosts: [IPAddress: Int] = [:]
    private var isFinished = false
    private var outputs: Deque<Output> = []
    package private(set) var deadline: NIODeadline

    /// A lookup that knows nobody yet.
    package init(of target: PeerID, own: PeerID, now: NIODeadline) {
        (self.own, self.target) = (own, target)
        place = KademliaKey(target)
        deadline = now + Limits.kademliaLookupTimeout
    }

    /// Peers that were asked and have not answered.
    package var pending: Int { candidates.count { $0.progress == .asked } }

    package mutating func poll() -> Output? { outputs.popFirst() }

    package mutating func handle(_ input: consuming Input, now: NIODeadline) {
        guard !isFinished else { return }
        switch input {
        case .knows(let peers): for peer in peers { add(peer, []) }
        case .answered(let peer, let closer, let scope):
            guard settle(peer, .answered) else { return }
            take(closer, scope, now: now)
        case .failed(let peer): _ = settle(peer, .failed)
        case .tick:
            if deadline <= now { return finish() }
        }
        advance()
    }

    private mutating func settle(_ peer: PeerID, _ progress: Candidate.Progress) -> Bool {
        guard let index = candidates.firstIndex(where: { $0.peer == peer && $0.progress == .asked }) else {
            return false
        }
        candidates[index].progress = progress
        return true
    }

    private mutating func take(_ closer: [KademliaMessage.Peer], _ scope: AddressScope, now: NIODeadline) {
        var isWitness = false
        for peer in closer.prefix(Limits.kademliaTaken) {
            let limit = peer.id == target ? Limits.kademliaFound : Limits.kademliaAddresses
            let all = Self.admitted(peer, scope, limit: limit)
            // Nobody is asked through a relay: that would use up what the relay lends.
            let addresses = peer.id == target ? all : all.filter { !$0.isCircuit }
            guard !addresses.isEmpty else { continue }
            if peer.id != target {
                add(peer.id, addresses)
            } else if !isWitness {
                isWitness = true
                if found.isEmpty { deadline = min(deadline, now + Limits.kademliaSettle) }
                for address in addresses where found.count < Limits.kademliaFound && !found.contains(address) {
                    found.append(address)
                }
            }
        }
        if isWitness { witnesses += 1 }
    }

    /// Addresses that lead to the peer and nobody else, without `/p2p`.
    private static func admitted(_ peer: KademliaMessage.Peer, _ scope: AddressScope, limit: Int) -> [Multiaddr] {
        var result: [Multiaddr] = []
        for address in peer.addresses where result.count < limit {
            if let named = address.peerID, named != peer.id { continue }
            // Only the peer's own id is dropped: behind a `/p2p-circuit` there may be none.
            let bare = address.peerID == nil ? address : address.withoutPeerID
            guard let bare, scope.admits(bare), !result.contains(bare) else { continue }
            result.append(bare)
        }
        return result
    }

    private mutating func add(_ peer: PeerID, _ addresses: [Multiaddr]) {
        guard peer != own, peer != target, !candidates.contains(where: { $0.peer == peer }) else { return }
        let distance = KademliaKey(peer).distance(to: place)
        let index = candidates.firstIndex { $0.distance > distance } ?? candidates.endIndex
        if candidates.count >= Limits.kademliaCandidates {
            // Room is made by the furthest that is not asked yet, unless this one is further still.
            guard let last = candidates.lastIndex(where: { $0.progress == .waiting }), last >= index else { return }
            candidates.remove(at: last)
        }
        candidates.insert(Candidate(peer: peer, distance: distance, addresses: addresses), at: index)
    }

    /// Asks whom there is to ask, and ends when there is nothing more to learn.
    private mutating func advance() {
        guard witnesses < Limits.kademliaWitnesses else { return finish() }
        var closest = 0
        var running = pending
        scan: for index in candidates.indices {
            guard closest < Limits.kademliaClosest else { break }
            switch candidates[index].progress {
            case .failed: continue
            case .answered, .asked: closest += 1
            case .waiting:
                guard running < Limits.kademliaParallel, queries < Limits.kademliaQueries else { break scan }
                guard countHosts(of: index) else {
                    candidates[index].progress = .failed
                    continue
                }
                closest += 1
                running += 1
                queries += 1
                candidates[index].progress = .asked
                outputs.append(.query(candidates[index].peer, candidates[index].addresses))
            }
        }
        if running == 0 { finish() }
    }

    /// Whether no public host of a candidate is asked too often; each counts once more then.
    private mutating func countHosts(of index: Int) -> Bool {
        var mine: [IPAddress] = []
        for address in candidates[index].addresses {
            if let ip = address.ip?.unmapped, ip.isPublic, !mine.contains(ip) { mine.append(ip) }
        }
        guard mine.allSatisfy({ hosts[$0, default: 0] < Limits.kademliaQueriesPerHost }) else { return false }
        for ip in mine { hosts[ip, default: 0] += 1 }
        return true
    }

    private mutating func finish() {
        isFinished = true
        deadline = .distantFuture
        candidates = []
        outputs.append(.finished(found))
    }
}
