import Channels
import DequeModule
import GossipSub
package import NIOCore
import OrderedCollections
import Wire

/// What the owner asks for, and the answers.
extension NodeCore {
    func handle(_ request: Request, id: RequestID, now: NIODeadline) {
        guard phase == .running else { return refuse(id, .shutDown, "this peer is leaving") }
        guard requests.begin(id) else { return refuse(id, .limit, "too many requests are under way") }
        switch request {
        case .connect(let address): connect(address, request: id, now: now)
        case .findPeer(let peer): find(peer, for: .addresses, request: id, now: now)
        case .disconnect(let peer): disconnect(peer, request: id, now: now)
        case .ping(let peer): ping(peer, request: id, now: now)
        case .identify(let peer): identify(peer, request: id, now: now)
        case .perf(let peer, let upload, let download):
            perf(peer, upload: upload, download: download, request: id, now: now)
        case .join(let topic): join(topic, request: id, now: now)
        case .leave(let topic): leave(topic, request: id, now: now)
        case .publish(let topic, let data): publish(data, on: topic, request: id, now: now)
        case .openStream(let peer, let protocols): openStream(to: peer, protocols, request: id, now: now)
        case .shutdown: shutdown(id, now: now)
        }
    }

    /// Answers a request, once; a second answer, or one to a cancelled request, is nobody's.
    func complete(_ id: RequestID, _ result: Result<Response, PeerError>) {
        guard requests.end(id) else { return }
        outputs.append(.completed(id, result))
    }

    func fail(_ id: RequestID, _ code: PeerError.Code, _ message: String) {
        complete(id, .failure(PeerError(code, message)))
    }

    /// Answers a request that was never begun.
    private func refuse(_ id: RequestID, _ code: PeerError.Code, _ message: String) {
        outputs.append(.completed(id, .failure(PeerError(code, message))))
    }

    /// The owner withdrew: it hears so at once, what was begun for it ends on its own.
    func cancel(_ id: RequestID, now: NIODeadline) {
        dialer.handle(.cancel(id), now: now)
        resolver.handle(.cancel(id), now: now)
        endSearch(id, now: now)
        fail(id, .cancelled, "cancelled")
    }

    // MARK: Connections

    private func connect(_ address: Multiaddr, request id: RequestID, now: NIODeadline) {
        if let peer = address.peerID, address.withoutPeerID == nil { return connect(to: peer, request: id, now: now) }
        guard address.needsResolution else {
            return dialer.handle(
                .dial(address.peerID, [address.withoutPeerID ?? address], request: id, isForced: true), now: now)
        }
        resolver.handle(.resolve(address, .request(id)), now: now)
    }

    private func disconnect(_ peer: PeerID, request id: RequestID, now: NIODeadline) {
        let open = openConnections(to: peer)
        guard !open.isEmpty else { return fail(id, .notConnected, "there is no connection to \(peer)") }
        dialer.handle(.forget(peer), now: now)
        comebacks.forget(peer)
        deferredDials[peer] = nil
        for connection in open { close(connection, reason: nil, now: now) }
        complete(id, .success(.done))
    }

    // MARK: Topics

    private func join(_ topic: String, request id: RequestID, now: NIODeadline) {
        let topic = Topic(topic)
        guard topic.isValid else { return fail(id, .invalid, "that is no name for a room") }
        guard !router.joined.contains(topic) || !isShown(topic) else { return complete(id, .success(.done)) }
        if topic == Self.discoveryTopic { showsDiscovery = true }
        router.handle(.join(topic), now: now)
        // Those who were there before us are news to the owner.
        for peer in router.peers(in: topic) {
            outputs.append(.event(.topicPeer(peer, topic: topic.name, joined: true)))
        }
        complete(id, .success(.done))
    }

    private func leave(_ topic: String, request id: RequestID, now: NIODeadline) {
        let topic = Topic(topic)
        guard topic.isValid else { return fail(id, .invalid, "that is no name for a room") }
        if topic == Self.discoveryTopic, discovery != nil {
            showsDiscovery = false
        } else {
            router.handle(.leave(topic), now: now)
        }
        complete(id, .success(.done))
    }

    private func publish(_ data: ByteBuffer, on topic: String, request id: RequestID, now: NIODeadline) {
        let topic = Topic(topic)
        guard topic.isValid else { return fail(id, .invalid, "that is no name for a room") }
        router.handle(.publish(topic, data, request: id), now: now)
    }

    // MARK: Leaving

    private func shutdown(_ id: RequestID, now: NIODeadline) {
        phase = .leaving(id, deadline: now + Limits.shutdownTimeout)
        for waiting in requests.all where waiting != id { fail(waiting, .shutDown, "this peer is leaving") }
        deferredDials = [:]
        comebacks.forgetAll()
        searches = PeerSearches()
        (mdns, discovery, bootstrap) = (nil, nil, nil)
        for topic in router.joined { router.handle(.leave(topic), now: now) }
        isClosingAfterPump = true
    }

    /// Closes every connection once the router's farewells are on their way, and leaves when the last is gone.
    func leaveWhenDone(now: NIODeadline) {
        guard case .leaving = phase else { return }
        if isClosingAfterPump {
            isClosingAfterPump = false
            for connection in connections.values { close(connection, reason: nil, now: now) }
            pump(now: now)
        }
        if connections.isEmpty { leave(now: now) }
    }

    func leave(now: NIODeadline) {
        guard case .leaving(let id, _) = phase else { return }
        phase = .left
        for connection in connections.values { finish(connection, reason: nil, now: now) }
        complete(id, .success(.done))
    }

    // MARK: Looking

    /// Addresses, connections and topics as they stand now.
    package func snapshot(now: NIODeadline) -> PeerSnapshot {
        PeerSnapshot(
            addresses: ownAddresses,
            connections: connections.values.filter { $0.dialBack == nil }.map { $0.info(now: now) },
            topics: router.joined.filter(isShown).map { topic in
                PeerSnapshot.Topic(name: topic.name, peers: router.peers(in: topic), mesh: router.mesh(of: topic))
            })
    }
}
