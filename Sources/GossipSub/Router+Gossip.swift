import NIOCore
import OrderedCollections
import Wire

/// IHAVE and IWANT: how a message that the mesh lost arrives after all.
extension Router {
    /// Asks for the offered messages that are news, within the budget of a heartbeat.
    mutating func offered(by peer: PeerID, _ offers: [RPC.IHave]) {
        guard !offers.isEmpty, var spent = neighbours[peer]?.spent, neighbours[peer]?.speaksGossip == true else {
            return
        }
        guard spent.ihaves < Limits.gossipIHavesPerHeartbeat else { return trace(.gossipIgnored(peer)) }
        spent.ihaves += 1
        var wanted: OrderedSet<MessageID> = []
        var isIgnored = false
        for offer in offers where mesh.isJoined(offer.topic) {
            let ids = offer.ids.prefix(Limits.gossipIDsPerHeartbeat - spent.advertisedIDs)
            spent.advertisedIDs += ids.count
            if ids.count < offer.ids.count { isIgnored = true }
            for id in ids where !isSeen(id) { wanted.append(MessageID(bytes: id.readableBytesView)) }
        }
        neighbours[peer]?.spent = spent
        if isIgnored { trace(.gossipIgnored(peer)) }
        guard !wanted.isEmpty else { return }
        outbox[peer].iwant += wanted
        trace(.asked(peer, wanted.count))
    }

    /// Whether an id, of whatever dialect, names a message that was here.
    private mutating func isSeen(_ bytes: ByteBuffer) -> Bool {
        switch ForeignID(bytes) {
        case .resolved(let id): return seen.contains(id)
        case .sha256OfSequence(let id):
            use(.sha256OfSequence)
            return seen.containsForeign(id) || cache.message(foreign: id) != nil
        case .sipHashOfData(let id):
            use(.sipHashOfData)
            return seen.containsForeign(id) || cache.message(foreign: id) != nil
        case .unknown: return false
        }
    }

    /// Sends what is asked for, if it is still there, within the budget of a heartbeat.
    mutating func asked(by peer: PeerID, _ ids: [ByteBuffer]) {
        guard !ids.isEmpty, var spent = neighbours[peer]?.spent, neighbours[peer]?.outbound != nil else { return }
        let looked = ids.prefix(Limits.gossipIDsPerHeartbeat - spent.wantedIDs)
        spent.wantedIDs += looked.count
        var isIgnored = looked.count < ids.count
        var answers: OrderedSet<MessageID> = []
        for bytes in looked {
            guard let message = cached(bytes), !answers.contains(message.id) else { continue }
            let size = message.encoded.bytes.readableBytes
            guard size <= Limits.gossipAnswerBytesPerHeartbeat - spent.answerBytes,
                cache.countAnswer(message.id, to: peer)
            else {
                isIgnored = true
                continue
            }
            spent.answerBytes += size
            answers.append(message.id)
            outbox[peer].messages.append(message.encoded)
        }
        neighbours[peer]?.spent = spent
        if isIgnored { trace(.gossipIgnored(peer)) }
        guard !answers.isEmpty else { return }
        counts.answered += answers.count
        trace(.answered(peer, answers.count))
    }

    private mutating func cached(_ bytes: ByteBuffer) -> MessageCache.Message? {
        switch ForeignID(bytes) {
        case .resolved(let id): return cache.message(id)
        case .sha256OfSequence(let id):
            use(.sha256OfSequence)
            return cache.message(foreign: id)
        case .sipHashOfData(let id):
            use(.sipHashOfData)
            return cache.message(foreign: id)
        case .unknown: return nil
        }
    }

    /// Advertises the last windows of each topic to some of the peers outside its mesh, and to those who are new in
    /// it: what was said before they came would otherwise reach them from nobody.
    mutating func emitGossip() {
        let advertised = cache.advertised()
        for (topic, messages) in advertised {
            let inside = mesh.isJoined(topic) ? mesh[topic] : fanout.topics[topic]?.peers ?? []
            let outside = subscriptions.peers(in: topic)
                .filter { neighbours[$0]?.speaksGossip == true && !inside.contains($0) }
            let share = Int(parameters.gossipFactor * Double(outside.count))
            let targets = outside.shuffled(using: &entropy).prefix(max(parameters.degreeLazy, share))
            for peer in targets { advertise(messages, topic, to: peer) }
            for peer in mesh.newcomers[topic] ?? [] { advertise(messages, topic, to: peer) }
        }
        mesh.settle()
    }

    private mutating func advertise(_ messages: [MessageCache.Message], _ topic: Topic, to peer: PeerID) {
        guard let dialect = neighbours[peer]?.dialect else { return }
        var chosen = messages
        if chosen.count > Limits.gossipIDsAdvertised {
            chosen = Array(chosen.shuffled(using: &entropy).prefix(Limits.gossipIDsAdvertised))
        }
        let ids = chosen.compactMap { message in
            switch dialect {
            case .fromSequence: message.id
            case .sha256OfSequence: message.foreign.sha256OfSequence
            case .sipHashOfData: message.foreign.sipHashOfData
            case .hexSequenceFrom:
                dialect.id(from: message.from, sequenceNumber: message.sequenceNumber, data: message.data)
            }
        }
        guard !ids.isEmpty else { return }
        outbox[peer].ihave.append((topic, ids))
    }
}
