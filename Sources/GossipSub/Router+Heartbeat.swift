import NIOCore
import OrderedCollections
import Wire

/// What happens every second (libp2p/specs gossipsub v1.1, "Heartbeat").
extension Router {
    mutating func heartbeat(now: NIODeadline) {
        counts.heartbeats += 1
        for index in neighbours.values.indices { neighbours.values[index].spent = Neighbour.Budget() }
        backoffs.expire(now: now, slack: parameters.heartbeatInterval)
        seen.expire(now: now)
        fanout.expire(now: now, lifetime: parameters.fanoutTTL)
        for topic in mesh.topics.keys { maintain(topic, now: now) }
        emitGossip()
        cache.shift()

        // In step with the clock, unless the machine slept.
        let next = (nextHeartbeat ?? now) + parameters.heartbeatInterval
        nextHeartbeat = next > now ? next : now + parameters.heartbeatInterval
    }

    /// Brings one mesh into its bounds.
    private mutating func maintain(_ topic: Topic, now: NIODeadline) {
        let members = mesh[topic]
        let candidates = subscriptions.peers(in: topic).filter { canGraft($0, topic, now: now) }
        let outbound = Set(members.union(candidates).filter { neighbours[$0]?.outbound?.isDialed ?? false })
        let prunes = MeshChange.prunes(
            mesh: members, outbound: outbound, parameters: parameters, entropy: &entropy)
        for peer in prunes where mesh.remove(peer, topic) {
            outputs.append(.pruned(peer, topic))
            sendPrune(peer, topic, parameters.pruneBackoff, now: now)
        }
        guard prunes.isEmpty else { return }
        let grafts = MeshChange.grafts(
            mesh: members, candidates: Array(candidates), outbound: outbound, parameters: parameters,
            entropy: &entropy)
        for peer in grafts { graft(peer, topic) }
    }
}
