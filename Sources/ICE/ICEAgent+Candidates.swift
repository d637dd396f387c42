import NIOCore
import Wire

/// Candidates of both sides, and the pairs they make.
extension ICEAgent {
    /// The addresses of our sockets, and ours at relays.
    var bases: some Sequence<ICECandidate> {
        localCandidates.lazy.filter { $0.type == .host || $0.type == .relayed }
    }

    func add(local candidate: ICECandidate, now: NIODeadline) {
        guard candidate.type == .host || candidate.type == .relayed, localCandidates.count < Limits.iceLocalCandidates,
            !localCandidates.contains(where: { $0.address == candidate.address })
        else { return }
        localCandidates.append(candidate)
        if candidate.type == .relayed {
            outputs.append(.candidate(candidate))
        } else if selected == nil {
            queries.add(candidate, now: now, entropy: &entropy)
        }
        guard remote != nil else { return }
        for other in remoteCandidates { pair(candidate, other) }
    }

    /// A relayed address is no more. The selected pair stays, silent, until another takes over or consent runs out.
    func lost(local address: TransportAddress) {
        guard localCandidates.contains(where: { $0.type == .relayed && $0.address == address }) else { return }
        localCandidates.removeAll { $0.address == address }
        for pair in list.pairs where pair.local.address == address && pair.id != selected?.pair {
            if nominating == pair.id { nominating = nil }
            list.remove(pair.id)
            forget(pair)
        }
        if let selected, selected.path.local == address, state == .connected {
            become(.disconnected)
            list.restart(except: selected.pair)
        }
    }

    /// A server told what it sees of us; the same again is no news.
    func add(reflexive candidate: ICECandidate) {
        guard localCandidates.count < Limits.iceLocalCandidates,
            !localCandidates.contains(where: { $0.address == candidate.address && $0.related == candidate.related })
        else { return }
        localCandidates.append(candidate)
        outputs.append(.candidate(candidate))
    }

    func add(remote candidate: ICECandidate) {
        // Nothing can be sent to these; a candidate that was read from a line is none of them.
        guard candidate.address.port > 0, !candidate.address.ip.isUnspecified, !candidate.address.ip.isMulticast else {
            return
        }
        if let index = remoteCandidates.firstIndex(where: { $0.address == candidate.address }) {
            // Learned from a check before it was named: now its type and priority are known (RFC 8838 §11).
            guard remoteCandidates[index].type == .peerReflexive else { return }
            remoteCandidates[index] = candidate
            for pair in list.pairs where pair.remote.address == candidate.address {
                list.update(pair.id) { $0.remote = candidate }
            }
            list.rank(role: role)
            return
        }
        guard remoteCandidates.count < Limits.iceRemoteCandidates else { return }
        remoteCandidates.append(candidate)
        guard remote != nil else { return }
        for base in bases { pair(base, candidate) }
    }

    /// The remote's credentials: checks can begin.
    func learned(_ credentials: ICECredentials, now: NIODeadline) {
        guard remote == nil else { return }
        remote = Remote(
            ufrag: credentials.ufrag, key: STUNKey(password: credentials.password),
            username: "\(credentials.ufrag):\(local.ufrag)")
        connectBy = now + configuration.connectTimeout
        become(.checking)
        for base in bases { for other in remoteCandidates { pair(base, other) } }
        for check in early where check.remoteUfrag == credentials.ufrag {
            checked(on: check.path, priority: check.priority, nomination: check.nomination, now: now)
        }
        early = []
    }

    /// Makes a pair, unless there is one, it cannot work, or there are too many better ones.
    @discardableResult
    func pair(_ base: ICECandidate, _ remote: ICECandidate) -> Int? {
        let path = ICEPath(local: base.address, remote: remote.address)
        if let known = list.pair(on: path) { return known.id }
        guard CandidatePair.canReach(remote.address.ip, from: base.address.ip),
            base.type != .relayed || CandidatePair.canReach(remote.address.ip, fromRelay: base.address.ip),
            !localCandidates.contains(where: { $0.type == .relayed && $0.address == remote.address })
        else { return nil }
        let kept = Set([selected?.pair, nominating].compactMap { $0 })
        guard let (id, evicted) = list.add(local: base, remote: remote, role: role, keeping: kept) else { return nil }
        if let evicted { forget(evicted) }
        return id
    }

    /// The pair of a path on which a genuine check came; its remote end may be new to us (RFC 8445 §7.3.1.3).
    func pair(checkedOn path: ICEPath, priority: UInt32?) -> Int? {
        if let known = list.pair(on: path) { return known.id }
        guard let base = bases.first(where: { $0.address == path.local }) else { return nil }
        if let known = remoteCandidates.first(where: { $0.address == path.remote }) { return pair(base, known) }
        makeRoomForLearned()
        learnedCount &+= 1
        let learned = ICECandidate(
            foundation: "p\(learnedCount)",
            priority: priority ?? ICECandidate.priority(.peerReflexive, localPreference: 0), address: path.remote,
            type: .peerReflexive)
        guard let id = pair(base, learned) else { return nil }
        remoteCandidates.append(learned)
        return id
    }

    /// Of too many learned candidates the oldest goes that is not in use, one without a valid pair first: somebody
    /// who sends copies from everywhere must not push out where the remote really is.
    private func makeRoomForLearned() {
        let learned = remoteCandidates.filter { $0.type == .peerReflexive }
        guard learned.count >= Limits.icePeerReflexive else { return }
        let used = Set([selected?.pair, nominating].compactMap { $0 }.compactMap { list[$0]?.remote.address })
        let idle = learned.filter { !used.contains($0.address) }
        let unproved = idle.first { candidate in
            !list.pairs.contains { $0.remote.address == candidate.address && $0.state == .succeeded }
        }
        guard let victim = unproved ?? idle.first else { return }
        remoteCandidates.removeAll { $0.address == victim.address }
        for pair in list.pairs where pair.remote.address == victim.address {
            list.remove(pair.id)
            forget(pair)
        }
    }

    /// A pair left the list: so does what hung on it.
    private func forget(_ pair: CandidatePair) {
        transactions.removeAll { $0.pair == pair.id }
        usable.remove(pair.path)
    }
}
