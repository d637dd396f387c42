import NIOCore
import OrderedCollections
import Wire

/// Joining, leaving, publishing.
extension Router {
    mutating func join(_ topic: Topic, now: NIODeadline) {
        guard !mesh.isJoined(topic) else { return }
        guard topic.isValid, mesh.topics.count < Limits.gossipTopicsJoined else {
            trace(.joinIgnored(topic))
            return
        }
        mesh.join(topic)
        announce(RPC.Subscription(isSubscribed: true, topic: topic))
        // The peers we published to come first, then others; those that must wait for a backoff are left out.
        let known = fanout.remove(topic).filter { canGraft($0, topic, now: now) }
        let others = subscriptions.peers(in: topic).filter { !known.contains($0) && canGraft($0, topic, now: now) }
        let missing = max(0, parameters.degree - known.count)
        for peer in known.prefix(parameters.degree) { graft(peer, topic) }
        for peer in others.shuffled(using: &entropy).prefix(missing) { graft(peer, topic) }
    }

    mutating func leave(_ topic: Topic, now: NIODeadline) {
        guard mesh.isJoined(topic) else { return }
        announce(RPC.Subscription(isSubscribed: false, topic: topic))
        for peer in mesh.leave(topic) {
            outputs.append(.pruned(peer, topic))
            sendPrune(peer, topic, parameters.unsubscribeBackoff, now: now)
        }
    }

    private mutating func announce(_ subscription: RPC.Subscription) {
        for (peer, neighbour) in neighbours where neighbour.outbound != nil {
            outbox[peer].subscriptions.append(subscription)
        }
    }

    mutating func publish(_ topic: Topic, _ data: ByteBuffer, request: UInt64, now: NIODeadline) {
        guard topic.isValid else {
            outputs.append(.publishFailed(request: request, reason: .invalidTopic))
            return
        }
        guard data.readableBytes <= Limits.gossipPublished else {
            let reason = PublishError.tooLong(data.readableBytes, limit: Limits.gossipPublished)
            outputs.append(.publishFailed(request: request, reason: reason))
            return
        }
        let sequenceNumber = nextSequenceNumber
        nextSequenceNumber &+= 1
        let wire = WireMessage(
            from: identity.peerID, data: data, sequenceNumber: sequenceNumber, topic: topic, signedBy: identity)
        let settled = wire.settled()
        let message = GossipMessage(
            id: MessageID(from: identity.peerID, sequenceNumber: sequenceNumber), topic: topic,
            from: identity.peerID, sequenceNumber: sequenceNumber, data: settled.data,
            receivedFrom: identity.peerID)
        let encoded = remember(message, settled.bytes, now: now)
        let peers = recipients(topic, now: now)
        for peer in peers { outbox[peer].messages.append(encoded) }
        recent.published(encoded, topic, isSent: !peers.isEmpty, now: now)
        counts.published += 1
        outputs.append(.published(request: request, id: message.id, peers: peers.count))
    }

    /// Who gets a message of ours: everyone in the topic, or mesh or fanout and the floodsub peers.
    private mutating func recipients(_ topic: Topic, now: NIODeadline) -> [PeerID] {
        let peers = subscriptions.peers(in: topic).filter { neighbours[$0]?.outbound != nil }
        if parameters.floodPublish { return Array(peers) }
        var recipients = OrderedSet(peers.filter { neighbours[$0]?.speaksGossip == false })
        if mesh.isJoined(topic) {
            recipients.formUnion(mesh[topic])
        } else {
            var known = fanout.publish(topic, now: now)
            let others = peers.filter { !known.contains($0) && neighbours[$0]?.speaksGossip == true }
            known.append(
                contentsOf: others.shuffled(using: &entropy).prefix(max(0, parameters.degree - known.count)))
            fanout.set(known, topic)
            recipients.formUnion(known)
        }
        return Array(recipients)
    }

    /// Marks a message as seen and keeps it for IWANT.
    mutating func remember(_ message: GossipMessage, _ bytes: ByteBuffer, now: NIODeadline) -> EncodedMessage {
        let foreign = dialects.ids(from: message.from, sequenceNumber: message.sequenceNumber, data: message.data)
        let encoded = EncodedMessage(number: nextMessageNumber, bytes: bytes)
        nextMessageNumber &+= 1
        seen.insert(message.id, foreign: foreign, from: message.receivedFrom, now: now)
        cache.insert(message, encoded, foreign: foreign)
        return encoded
    }
}
