import NIOCore
import OrderedCollections
import Wire

/// GRAFT and PRUNE (libp2p/specs gossipsub v1.1, "Prune Backoff", "Outbound Mesh Quotas").
extension Router {
    /// Whether the heartbeat or a join may graft the peer.
    func canGraft(_ peer: PeerID, _ topic: Topic, now: NIODeadline) -> Bool {
        neighbours[peer]?.speaksGossip == true && !mesh.contains(peer, topic)
            && backoffs.allow(peer, topic, now: now, slack: parameters.heartbeatInterval)
    }

    mutating func graft(_ peer: PeerID, _ topic: Topic) {
        guard mesh.insert(peer, topic) else { return }
        outbox[peer].graft.append(topic)
        outputs.append(.grafted(peer, topic))
    }

    /// Tells a peer that is not, or no longer, in the mesh, and starts the backoff on our side.
    mutating func sendPrune(_ peer: PeerID, _ topic: Topic, _ backoff: TimeAmount, now: NIODeadline) {
        guard let outbound = neighbours[peer]?.outbound, outbound.version > .floodsub else { return }
        backoffs.set(peer, topic, backoff, now: now)
        let seconds = outbound.version > .v10 ? UInt64(max(0, backoff.nanoseconds / 1_000_000_000)) : nil
        outbox[peer].prune.append(RPC.Prune(topic: topic, backoff: seconds))
    }

    /// GRAFT of a topic we have not joined is ignored: answering would make us an amplifier.
    mutating func grafted(by peer: PeerID, _ topics: [Topic], now: NIODeadline) {
        guard neighbours[peer]?.outbound != nil else {
            for topic in topics where mesh.isJoined(topic) { neighbours[peer]?.earlyGrafts.append(topic) }
            return
        }
        guard neighbours[peer]?.speaksGossip == true else { return }
        for topic in OrderedSet(topics) where mesh.isJoined(topic) && !mesh.contains(peer, topic) {
            guard let refusal = refusal(of: peer, topic, now: now) else {
                if mesh.insert(peer, topic) { outputs.append(.grafted(peer, topic)) }
                continue
            }
            trace(.graftRefused(peer, topic, refusal))
            guard neighbours[peer]?.spent.prunes ?? .max < Limits.gossipPrunesPerHeartbeat else { continue }
            neighbours[peer]?.spent.prunes += 1
            sendPrune(peer, topic, parameters.pruneBackoff, now: now)
        }
    }

    private func refusal(of peer: PeerID, _ topic: Topic, now: NIODeadline) -> GraftRefusal? {
        guard subscriptions.contains(peer, topic) else { return .notSubscribed }
        if let since = backoffs.running(peer, topic, now: now) {
            return .backoff(isFlood: now < since + parameters.graftFloodThreshold)
        }
        let isDialed = neighbours[peer]?.outbound?.isDialed ?? false
        if mesh[topic].count >= parameters.degreeHigh, !isDialed { return .meshFull }
        return nil
    }

    /// The backoff a peer asks for is kept to `Limits.gossipBackoff`; none or zero means ours.
    mutating func pruned(by peer: PeerID, _ prunes: [RPC.Prune], now: NIODeadline) {
        for prune in prunes where mesh.isJoined(prune.topic) {
            neighbours[peer]?.earlyGrafts.remove(prune.topic)
            if mesh.remove(peer, prune.topic) { outputs.append(.pruned(peer, prune.topic)) }
            var backoff = parameters.pruneBackoff
            if let seconds = prune.backoff, seconds > 0 {
                let limit = UInt64(Limits.gossipBackoff.nanoseconds / 1_000_000_000)
                backoff = .seconds(Int64(min(seconds, limit)))
            }
            backoffs.set(peer, prune.topic, backoff, now: now)
        }
    }
}
