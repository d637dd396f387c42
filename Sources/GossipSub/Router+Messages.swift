import NIOCore
import OrderedCollections
import Wire

/// Messages of others: judged once, delivered once, forwarded once.
extension Router {
    /// The cheap checks come first. A message counts as seen only when its signature is right, so nobody can make us
    /// miss a message by sending a forged one before it.
    mutating func received(_ wire: WireMessage, from peer: PeerID, now: NIODeadline) {
        do throws(MessageRejection) {
            let header = try wire.header
            guard mesh.isJoined(header.topic) else { return trace(.notJoined(from: peer)) }
            guard header.from != identity.peerID else { return trace(.own(from: peer)) }
            guard !seen.contains(header.id) else {
                counts.duplicates += 1
                return trace(.duplicate(from: peer, header.id))
            }
            guard neighbours[peer]?.spent.invalid ?? .max < Limits.gossipInvalidPerHeartbeat else {
                throw MessageRejection.unchecked
            }
            try wire.verify(from: header.from)
            accept(header, wire, from: peer, now: now)
        } catch {
            neighbours[peer]?.spent.invalid += 1
            counts.rejected += 1
            trace(.rejected(from: peer, error))
        }
    }

    private mutating func accept(_ header: MessageHeader, _ wire: WireMessage, from peer: PeerID, now: NIODeadline) {
        let settled = wire.settled()
        let message = GossipMessage(
            id: header.id, topic: header.topic, from: header.from, sequenceNumber: header.sequenceNumber,
            data: settled.data, receivedFrom: peer)
        let encoded = remember(message, settled.bytes, now: now)
        counts.delivered += 1
        outputs.append(.message(message))

        var peers = 0
        for target in mesh[header.topic] where target != peer && target != header.from {
            outbox[target].messages.append(encoded)
            peers += 1
        }
        // Peers of floodsub are in no mesh and get everything.
        for target in subscriptions.peers(in: header.topic) where target != peer && target != header.from {
            guard let outbound = neighbours[target]?.outbound, outbound.version == .floodsub else { continue }
            outbox[target].messages.append(encoded)
            peers += 1
        }
        counts.forwarded += peers
        trace(.forwarded(header.id, peers: peers))
    }
}
