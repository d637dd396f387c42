import Channels
import DequeModule
import GossipSub
import NIOCore
import OrderedCollections
import Wire

/// GossipSub's two streams per peer, and what its router says.
extension NodeCore {
    /// Opens the stream that carries our GossipSub to a peer, when it speaks any and none is open yet.
    ///
    /// `spoken` is what the peer is known to speak; nil when identify failed: then everything is offered.
    func openGossip(on connection: NodeConnection, spoken: [String]?, now: NIODeadline) {
        guard let peer = connection.peer, connection.gossipAttempts < Limits.gossipStreamAttempts else { return }
        let holders = openConnections(to: peer).filter { $0.gossipOutbound != nil }
        guard holders.allSatisfy({ $0 !== connection && $0.isDoubtful && !connection.isDoubtful }) else { return }
        guard let best = openGossipStream(on: connection, spoken: spoken, now: now) else { return }
        // Whatever still waits there is said again on the new stream.
        for holder in holders { leaveGossip(on: holder, now: now) }
        let agent = connection.identified?.agentVersion ?? ""
        // What a relay's limit would end is not worth beginning.
        let limit = connection.circuit?.limit.map(\.bytes).flatMap { $0 > 0 ? Int(exactly: $0 / 4) : nil }
        router.handle(
            .peerConnected(
                peer, version: best, dialed: connection.direction == .outbound,
                dialect: MessageIDDialect(agent: agent),
                memory: agent.hasPrefix("swift-peer") ? Limits.gossipSeenHere : Limits.gossipSeenElsewhere,
                room: min(limit ?? .max, Limits.gossipRecentBytes)),
            now: now)
    }

    /// Gives up our stream on a connection that is in doubt.
    private func leaveGossip(on connection: NodeConnection, now: NIODeadline) {
        let stream = connection.gossipOutbound.flatMap { connection.streams[$0] }
        (connection.gossipOutbound, connection.gossipRetry) = (nil, .distantFuture)
        if let stream { reset(stream, of: connection, now: now) }
    }

    /// Opens the stream; nil when the peer speaks none of the versions, or the connection takes no more streams.
    func openGossipStream(on connection: NodeConnection, spoken: [String]?, now: NIODeadline) -> GossipVersion? {
        let offered = GossipVersion.supported.filter { spoken?.contains($0.protocolID) ?? true }
        guard let best = offered.first else { return nil }
        // With one proposal the stream is lazy: the hello goes out in the same flight.
        let proposals = spoken == nil ? offered.map(\.protocolID) : [best.protocolID]
        connection.gossipAttempts += 1
        guard let stream = open(proposals, on: connection, as: .gossipOutbound, now: now) else { return nil }
        connection.gossipOutbound = stream.id
        return best
    }

    /// A peer opened the stream that carries its GossipSub to us: the newest one counts. Only what a peer says on a
    /// better connection waits for the end of what it says on a worse one: it moves, and nothing is to be lost. Who goes
    /// back to a relay does so because the better way is dead, as it sees it: ours ends there too.
    func gossipAccepted(
        _ stream: NodeStream, _ version: GossipVersion, on connection: NodeConnection, _ peer: PeerID,
        now: NIODeadline
    ) {
        for other in openConnections(to: peer) {
            guard let old = other.gossipInbound, let replaced = other.streams[old] else { continue }
            if other.rank < connection.rank, !other.isDoubtful {
                connection.gossipHold = now + Limits.gossipHold
            } else {
                reset(replaced, of: other, now: now)
                if connection.isRelayed, other !== connection { other.isAbandoned = true }
            }
        }
        if connection.isAbandoned {
            connection.isAbandoned = false
            takeOver(connection, now: now)
        }
        stream.role = .gossipInbound
        connection.gossipInbound = stream.id
        // It speaks GossipSub, whatever identify says or does not say.
        openGossip(on: connection, spoken: [version.protocolID], now: now)
    }

    /// A GossipSub stream is gone; while the connection lives, ours is tried again.
    func gossipEnded(_ stream: NodeStream, on connection: NodeConnection, now: NIODeadline) {
        guard let peer = connection.peer else { return }
        if connection.gossipInbound == stream.id {
            connection.gossipInbound = nil
            connection.gossipHold = .distantFuture
            router.handle(.inboundClosed(peer), now: now)
            releaseGossip(of: peer, now: now)
        }
        guard connection.gossipOutbound == stream.id else { return }
        guard connection.state == .open else { return }  // `moveGossip` follows
        connection.gossipOutbound = nil
        guard !stream.isRefused, connection.gossipAttempts < Limits.gossipStreamAttempts else {
            return router.handle(.peerDisconnected(peer), now: now)
        }
        // What the peer told us on its own stream still holds: only our half is made again, hello first.
        connection.gossipRetry = now + Limits.gossipStreamRetry
    }

    /// The connection that carried our GossipSub to a peer is over: another one to the same peer takes over.
    func moveGossip(from connection: NodeConnection, of peer: PeerID, now: NIODeadline) {
        guard let other = openConnections(to: peer).first else {
            return router.handle(.peerDisconnected(peer), now: now)
        }
        openGossip(on: other, spoken: other.identified?.protocols, now: now)
    }

    func perform(_ output: Router.Output, now: NIODeadline) {
        switch output {
        case .send(let bytes, let peer): sendGossip(bytes, to: peer, now: now)
        case .message(let message):
            if message.topic == Self.discoveryTopic {
                discovery?.handle(.heard(message.data, author: message.from), now: now)
            }
            guard isShown(message.topic) else { return }
            outputs.append(
                .event(
                    .message(
                        TopicMessage(
                            topic: message.topic.name, id: message.id.bytes, author: message.from,
                            sequenceNumber: message.sequenceNumber, data: Array(message.data.readableBytesView),
                            receivedFrom: message.receivedFrom))))
        case .published(let request, let id, let count):
            // Our own ids are author ‖ sequence number, eight bytes in network order.
            let number = id.bytes.suffix(8).reduce(0) { $0 << 8 | UInt64($1) }
            complete(request, .success(.published(Published(id: id.bytes, sequenceNumber: number, peers: count))))
        case .publishFailed(let request, let reason): fail(request, .invalid, Self.describe(reason))
        case .subscribed(let peer, let topic): tell(peer, of: topic, joined: true)
        case .unsubscribed(let peer, let topic): tell(peer, of: topic, joined: false)
        case .misbehaved(let peer, let error): gossipMisbehaved(peer, error, now: now)
        case .grafted(let peer, let topic): log(.debug, "\(peer.suffix()) is in the mesh of \(topic)")
        case .pruned(let peer, let topic): log(.debug, "\(peer.suffix()) left the mesh of \(topic)")
        case .trace(let trace): log(.trace, "\(trace)")
        }
    }

    private func tell(_ peer: PeerID, of topic: Topic, joined: Bool) {
        guard router.joined.contains(topic), isShown(topic) else { return }
        outputs.append(.event(.topicPeer(peer, topic: topic.name, joined: joined)))
    }

    /// Queues an RPC on our stream to a peer.
    ///
    /// A peer that does not keep up loses the stream and what waits in it, not the connection: a single RPC cannot be
    /// left out, it may carry a GRAFT or a subscription. The next stream starts with the hello again.
    private func sendGossip(_ bytes: ByteBuffer, to peer: PeerID, now: NIODeadline) {
        guard let connection = openConnections(to: peer).first(where: { $0.gossipOutbound != nil }),
            let id = connection.gossipOutbound, let machine = connection.machine
        else { return }
        let share = Limits.gossipQueueTotal / max(1, connections.count)
        let limit = min(Limits.gossipQueue, max(share, Limits.gossipQueueLeast))
        guard machine.bufferedAmount(of: id) + bytes.readableBytes <= limit else {
            log(.warning, "\(peer.suffix()) does not keep up: what waited for it was dropped")
            if let stream = connection.streams[id] { reset(stream, of: connection, now: now) }
            return
        }
        machine.write(bytes, to: id, now: now)
        touch(connection)
    }

    /// What a peer sent is no RPC: its stream ends, its connection stays (protocols reference, bad-input policy).
    private func gossipMisbehaved(_ peer: PeerID, _ error: GossipError, now: NIODeadline) {
        log(.notice, "\(peer.suffix()) broke the GossipSub protocol: \(error)")
        for connection in openConnections(to: peer) {
            guard let id = connection.gossipInbound, let stream = connection.streams[id] else { continue }
            reset(stream, of: connection, now: now)
        }
    }

    private static func describe(_ error: PublishError) -> String {
        switch error {
        case .tooLong(let count, let limit): "a message of \(count) bytes is too long: \(limit) is the most"
        case .invalidTopic: "that is no name for a room"
        }
    }

    /// Tells the owner; the text is made only when somebody wants it.
    func log(_ level: LogLevel, _ text: @autoclosure () -> String) {
        guard level >= configuration.logLevel else { return }
        outputs.append(.event(.log(level, text())))
    }
}
