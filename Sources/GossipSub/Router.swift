import DequeModule
package import NIOCore
import OrderedCollections
package import Wire

/// The GossipSub 1.1 router (libp2p/specs gossipsub v1.0 and v1.1, pubsub for signing): an engine.
///
/// In go subscriptions, publications and the bytes of inbound streams; out come frames for outbound streams and
/// messages. It knows no streams, only peers: the node opens one outbound stream per peer, says `peerConnected` once
/// it is negotiated, and feeds whatever the peer's inbound stream brings.
///
/// ```
/// received ─ frame ─ RPC ┬ subscriptions ─ Subscriptions
///                        ├ messages ─ seen? ─ signature ─ deliver, keep, forward to the mesh
///                        └ control ─ GRAFT, PRUNE: Mesh, Backoffs · IHAVE, IWANT: caches
/// heartbeat ─ keep the meshes in bounds ─ IHAVE to some outside them ─ forget
/// ```
///
/// Every memory and every automatic answer has its limit in `Limits`. Not here: scores and peer exchange (peers
/// offered in PRUNE are ignored, none are offered), IDONTWANT, who may connect, and how much waits in a stream.
package struct Router: Machine {
    package enum Input: Sendable {
        /// Listens to a topic, and tells everyone.
        case join(Topic)
        case leave(Topic)
        /// Signs and sends; answered by `published` or `publishFailed` with the same number.
        case publish(Topic, ByteBuffer, request: UInt64)
        /// The outbound stream to a peer is ready; `dialed` when we dialed the connection. Said again of a peer that is
        /// connected, it means a new stream in place of a broken one: the peer's subscriptions stay known. `memory` is
        /// how long it remembers the ids of messages, `room` what may be sent again in bytes.
        case peerConnected(
            PeerID, version: GossipVersion, dialed: Bool, dialect: MessageIDDialect,
            memory: TimeAmount = Limits.gossipSeenElsewhere, room: Int = Limits.gossipRecentBytes)
        /// Our outbound stream to a peer goes over another connection: the peer may have forgotten what the one before
        /// told it, and is told again. Nothing is forgotten here: what was sent before still arrives. `isNewStream` when
        /// what follows is the first on a stream, whose predecessor may yet break before it is read to its end.
        case peerMoved(PeerID, isNewStream: Bool = false)
        /// The agent of the peer's identify message, which decides its dialect.
        case peerAgent(PeerID, agent: String)
        /// The peer is gone; everything about it but backoffs and seen messages is forgotten.
        case peerDisconnected(PeerID)
        /// Bytes of the peer's inbound stream, in whatever pieces.
        case received(ByteBuffer, from: PeerID)
        case inboundClosed(PeerID)
        /// The deadline was reached.
        case tick
    }
    package typealias Output = RouterOutput

    let identity: KeyPair
    let parameters: GossipParameters
    var entropy: Entropy
    var nextSequenceNumber: UInt64
    var nextMessageNumber: UInt64 = 0
    /// Nil until the first event: there is no clock before.
    var nextHeartbeat: NIODeadline?

    var neighbours: OrderedDictionary<PeerID, Neighbour> = [:]
    var subscriptions = Subscriptions()
    var mesh = Mesh()
    var fanout = Fanout()
    var backoffs = Backoffs()
    var seen: SeenCache
    var cache: MessageCache
    var recent = RecentLines()
    var dialects = DialectsInUse()
    var counts = GossipStatistics()

    /// Bytes in all inboxes.
    var unfinished = 0
    var outbox = Outbox()
    /// Drained by the caller after every `handle`; holds what one input caused.
    var outputs: Deque<Output> = []

    /// A router that has joined nothing and knows nobody.
    ///
    /// - Parameter firstSequenceNumber: unix nanoseconds: other peers make ids of the number alone, so it must never
    ///   repeat, neither over restarts nor between peers.
    package init(
        identity: KeyPair, parameters: GossipParameters = .init(), firstSequenceNumber: UInt64, entropy: Entropy
    ) {
        self.identity = identity
        self.parameters = parameters
        self.entropy = entropy
        nextSequenceNumber = firstSequenceNumber
        seen = SeenCache(lifetime: parameters.seenTTL)
        cache = MessageCache(length: parameters.historyLength, gossip: parameters.historyGossip)
    }

    package var deadline: NIODeadline { nextHeartbeat ?? .distantFuture }

    package mutating func poll() -> Output? { outputs.popFirst() }

    package mutating func handle(_ input: consuming Input, now: NIODeadline) {
        switch input {
        case .join(let topic): join(topic, now: now)
        case .leave(let topic): leave(topic, now: now)
        case .publish(let topic, let data, let request): publish(topic, data, request: request, now: now)
        case .peerConnected(let peer, let version, let dialed, let dialect, let memory, let room):
            let outbound = Neighbour.Outbound(version: version, isDialed: dialed, memory: memory, room: room)
            connected(peer, outbound, dialect, now: now)
        case .peerMoved(let peer, let isNewStream): moved(peer, isNewStream: isNewStream, now: now)
        case .peerAgent(let peer, let agent): speaks(peer, MessageIDDialect(agent: agent))
        case .peerDisconnected(let peer): disconnected(peer, now: now)
        case .received(let bytes, let peer): received(bytes, from: peer, now: now)
        case .inboundClosed(let peer): inboundClosed(peer, now: now)
        case .tick: break
        }
        if let due = nextHeartbeat {
            if now >= due { heartbeat(now: now) }
        } else {
            nextHeartbeat = now + parameters.heartbeatDelay
        }
        flush()
    }

    private mutating func flush() {
        outbox.flush { frame, peer in
            counts.sent += 1
            outputs.append(.send(frame, to: peer))
        }
    }

    mutating func trace(_ trace: GossipTrace) { outputs.append(.trace(trace)) }
}

// MARK: What the node and the screen ask

extension Router {
    /// Whether the peer has an outbound stream of ours.
    package func knows(_ peer: PeerID) -> Bool { neighbours[peer]?.outbound != nil }

    /// Whether the peer is in a topic.
    package func isSubscribed(_ peer: PeerID, to topic: Topic) -> Bool { subscriptions.contains(peer, topic) }

    /// The peers subscribed to a topic, in order.
    package func peers(in topic: Topic) -> [PeerID] { subscriptions.peers(in: topic).sorted() }

    /// The peers in our mesh of a topic, in order.
    package func mesh(of topic: Topic) -> [PeerID] { mesh[topic].sorted() }

    /// The topics we joined, in the order of joining.
    package var joined: [Topic] { Array(mesh.topics.keys) }

    /// Counts and sizes.
    package var statistics: GossipStatistics {
        var statistics = counts
        statistics.peers = neighbours.count
        statistics.topics = subscriptions.topicCount
        statistics.seen = seen.count
        statistics.cachedMessages = cache.count
        statistics.cachedBytes = cache.byteCount
        statistics.backoffs = backoffs.count
        statistics.recentMessages = recent.count
        statistics.recentBytes = recent.byteCount
        statistics.inboxBytes = unfinished
        return statistics
    }
}
