import NIOCore
import OrderedCollections
import Wire

/// Peers come, go, and send bytes.
extension Router {
    mutating func connected(
        _ peer: PeerID, _ outbound: Neighbour.Outbound, _ dialect: MessageIDDialect, now: NIODeadline
    ) {
        guard admit(peer) else { return }
        // A second outbound stream replaces the first: the peer forgot what the first one told it, and did not get what
        // was last in it.
        let isReplaced = neighbours[peer]?.outbound != nil
        if isReplaced { withdraw(peer) }
        neighbours[peer]?.outbound = outbound
        speaks(peer, dialect)
        for topic in mesh.topics.keys {
            outbox[peer].subscriptions.append(RPC.Subscription(isSubscribed: true, topic: topic))
        }
        if isReplaced { repeatRecent(in: subscriptions.topics(of: peer), to: peer, now: now) }
        welcome(peer, now: now)
        let early = neighbours[peer]?.earlyGrafts ?? []
        neighbours[peer]?.earlyGrafts = []
        grafted(by: peer, Array(early), now: now)
    }

    /// Tells a peer that is back what it may have missed.
    private mutating func welcome(_ peer: PeerID, now: NIODeadline) {
        guard neighbours[peer]?.outbound != nil else { return }
        repeatRecent(in: recent.returned(peer, to: subscriptions.topics(of: peer), now: now), to: peer, now: now)
    }

    private mutating func repeatRecent(in topics: OrderedSet<Topic>, to peer: PeerID, now: NIODeadline) {
        guard !topics.isEmpty, let outbound = neighbours[peer]?.outbound else { return }
        let messages = recent.missed(in: topics, memory: outbound.memory, room: outbound.room, now: now)
        guard !messages.isEmpty else { return }
        outbox[peer].messages += messages
        counts.repeated += messages.count
        trace(.repeated(peer, messages.count))
    }

    mutating func moved(_ peer: PeerID, isNewStream: Bool, now: NIODeadline) {
        guard neighbours[peer]?.outbound != nil else { return }
        for topic in mesh.topics.keys {
            outbox[peer].subscriptions.append(RPC.Subscription(isSubscribed: true, topic: topic))
            if mesh.contains(peer, topic) { outbox[peer].graft.append(topic) }
        }
        if isNewStream { repeatRecent(in: subscriptions.topics(of: peer), to: peer, now: now) }
    }

    mutating func speaks(_ peer: PeerID, _ dialect: MessageIDDialect) {
        guard neighbours[peer] != nil else { return }
        neighbours[peer]?.dialect = dialect
        use(dialect)
    }

    /// Makes sure that messages can be found under the dialect's ids from now on.
    mutating func use(_ dialect: MessageIDDialect) {
        if dialects.insert(dialect) { cache.index(dialects) }
    }

    mutating func disconnected(_ peer: PeerID, now: NIODeadline) {
        guard neighbours[peer] != nil else { return }
        withdraw(peer)
        emptyInbox(of: peer)
        neighbours.removeValue(forKey: peer)
        let topics = subscriptions.remove(peer)
        let spokenIn = recent.topics
        recent.lost(peer, topics.filter { mesh.isJoined($0) || spokenIn.contains($0) }, now: now)
        for topic in topics { outputs.append(.unsubscribed(peer, topic)) }
    }

    /// Takes a peer that can no longer be sent anything out of meshes and fanouts.
    private mutating func withdraw(_ peer: PeerID) {
        outbox.discard(peer)
        fanout.remove(peer)
        for topic in mesh.topics.keys where mesh.remove(peer, topic) { outputs.append(.pruned(peer, topic)) }
    }

    mutating func inboundClosed(_ peer: PeerID, now: NIODeadline) {
        guard let neighbour = neighbours[peer] else { return }
        emptyInbox(of: peer)
        neighbours[peer]?.isInboundBroken = false
        if neighbour.outbound == nil { disconnected(peer, now: now) }
    }

    /// Whether the peer has a state, now if not before.
    private mutating func admit(_ peer: PeerID) -> Bool {
        if neighbours[peer] != nil { return true }
        guard neighbours.count < Limits.gossipPeers, peer != identity.peerID else { return false }
        neighbours[peer] = Neighbour()
        return true
    }

    mutating func received(_ bytes: ByteBuffer, from peer: PeerID, now: NIODeadline) {
        guard admit(peer) else {
            outputs.append(.misbehaved(peer, .tooManyPeers))
            return
        }
        unfinished -= neighbours[peer]?.inbox.readableBytes ?? 0
        guard var inbox = neighbours[peer]?.takeInbox(appending: bytes) else { return }
        do throws(GossipError) {
            while let frame = try Self.nextFrame(&inbox) {
                guard frame.readableBytes > 0 else { continue }
                let rpc: RPC
                do { rpc = try RPC(frame) } catch { throw GossipError.rpc(error) }
                counts.received += 1
                handle(rpc, from: peer, now: now)
            }
        } catch {
            giveUp(peer, error)
            return
        }
        neighbours[peer]?.putBack(inbox)
        unfinished += inbox.readableBytes
        while unfinished > Limits.gossipUnfinished, let longest = longestInbox { giveUp(longest, .tooMuchUnfinished) }
    }

    /// Ignores the peer's inbound stream until the node has reset it.
    private mutating func giveUp(_ peer: PeerID, _ error: GossipError) {
        emptyInbox(of: peer)
        neighbours[peer]?.isInboundBroken = true
        outputs.append(.misbehaved(peer, error))
    }

    private mutating func emptyInbox(of peer: PeerID) {
        unfinished -= neighbours[peer]?.inbox.readableBytes ?? 0
        neighbours[peer]?.inbox = ByteBuffer()
    }

    private var longestInbox: PeerID? {
        neighbours.elements.max { $0.value.inbox.readableBytes < $1.value.inbox.readableBytes }?.key
    }

    private static func nextFrame(_ inbox: inout ByteBuffer) throws(GossipError) -> ByteBuffer? {
        do { return try inbox.readFrame(limit: Limits.gossipReceived) } catch { throw .framing(error) }
    }

    /// Subscriptions first, since a GRAFT behind them counts on them; messages before control, lest we ask for them.
    private mutating func handle(_ rpc: RPC, from peer: PeerID, now: NIODeadline) {
        for subscription in rpc.subscriptions { noted(subscription, of: peer) }
        if !rpc.subscriptions.isEmpty { welcome(peer, now: now) }
        for message in rpc.messages { received(message, from: peer, now: now) }
        grafted(by: peer, rpc.graft, now: now)
        pruned(by: peer, rpc.prune, now: now)
        offered(by: peer, rpc.ihave)
        asked(by: peer, rpc.iwant)
    }

    private mutating func noted(_ subscription: RPC.Subscription, of peer: PeerID) {
        let topic = subscription.topic
        if subscription.isSubscribed {
            if subscriptions.insert(peer, topic, isJoined: mesh.isJoined(topic)) {
                outputs.append(.subscribed(peer, topic))
            } else if !subscriptions.contains(peer, topic) {
                trace(.topicIgnored(peer))
            }
        } else if subscriptions.remove(peer, topic) {
            if mesh.remove(peer, topic) { outputs.append(.pruned(peer, topic)) }
            fanout.remove(peer, topic)
            outputs.append(.unsubscribed(peer, topic))
        }
    }
}

extension Neighbour {
    /// The inbox with more bytes behind it, to be read and put back; nil when the stream is broken.
    fileprivate mutating func takeInbox(appending bytes: ByteBuffer) -> ByteBuffer? {
        guard !isInboundBroken else { return nil }
        guard inbox.readableBytes > 0 else { return bytes }
        var taken = inbox
        inbox = ByteBuffer()
        taken.writeImmutableBuffer(bytes)
        return taken
    }

    /// Keeps an unfinished frame, in a buffer of its own when what was read before it is most of this one.
    fileprivate mutating func putBack(_ rest: ByteBuffer) {
        if rest.readableBytes == 0 {
            inbox = ByteBuffer()
        } else if rest.storageCapacity > 4 * rest.readableBytes + 4096 {
            inbox = ByteBuffer(bytes: rest.readableBytesView)
        } else {
            inbox = rest
        }
    }
}
