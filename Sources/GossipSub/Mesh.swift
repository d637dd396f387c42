import NIOCore
import OrderedCollections
import Wire

/// The meshes of the topics we joined: the neighbours that get every message of a topic as it comes.
struct Mesh {
    private(set) var topics: OrderedDictionary<Topic, OrderedSet<PeerID>> = [:]
    /// Members since the last heartbeat: they have missed what was said just before.
    private(set) var newcomers: [Topic: OrderedSet<PeerID>] = [:]  // never iterated

    func isJoined(_ topic: Topic) -> Bool { topics[topic] != nil }
    subscript(topic: Topic) -> OrderedSet<PeerID> { topics[topic] ?? [] }
    func contains(_ peer: PeerID, _ topic: Topic) -> Bool { topics[topic]?.contains(peer) ?? false }

    mutating func join(_ topic: Topic) { topics[topic] = [] }
    mutating func leave(_ topic: Topic) -> OrderedSet<PeerID> {
        newcomers.removeValue(forKey: topic)
        return topics.removeValue(forKey: topic) ?? []
    }

    /// True when the peer is new in the topic's mesh; the topic must be joined.
    mutating func insert(_ peer: PeerID, _ topic: Topic) -> Bool {
        guard topics[topic]?.append(peer).inserted == true else { return false }
        newcomers[topic, default: []].append(peer)
        return true
    }

    /// True when the peer was in the topic's mesh.
    mutating func remove(_ peer: PeerID, _ topic: Topic) -> Bool {
        newcomers[topic]?.remove(peer)
        return topics[topic]?.remove(peer) != nil
    }

    /// A heartbeat is over: newcomers are members like others.
    mutating func settle() { newcomers.removeAll() }
}

/// How a mesh is to change at a heartbeat, without regard to how its members are told; `outbound` are the peers we
/// dialed, in the mesh and outside.
enum MeshChange {
    /// The peers to graft: up to the degree when there are too few, else as many of those we dialed as are missing.
    static func grafts(
        mesh: OrderedSet<PeerID>, candidates: [PeerID], outbound: Set<PeerID>, parameters: GossipParameters,
        entropy: inout Entropy
    ) -> [PeerID] {
        if mesh.count < parameters.degreeLow {
            return Array(candidates.shuffled(using: &entropy).prefix(max(0, parameters.degree - mesh.count)))
        }
        let dialed = mesh.lazy.filter { outbound.contains($0) }.count
        guard dialed < parameters.degreeOut, mesh.count < parameters.degreeHigh else { return [] }
        return Array(
            candidates.filter { outbound.contains($0) }.shuffled(using: &entropy).prefix(parameters.degreeOut - dialed))
    }

    /// The peers to prune: random ones down to the degree, leaving `degreeOut` of those we dialed.
    static func prunes(
        mesh: OrderedSet<PeerID>, outbound: Set<PeerID>, parameters: GossipParameters, entropy: inout Entropy
    ) -> [PeerID] {
        guard mesh.count > parameters.degreeHigh else { return [] }
        let shuffled = Array(mesh).shuffled(using: &entropy)
        let reserved = shuffled.filter { outbound.contains($0) }.prefix(parameters.degreeOut)
        let others = shuffled.filter { !reserved.contains($0) }
        return Array(others.dropFirst(max(0, parameters.degree - reserved.count)))
    }
}
