import Channels
import DequeModule
import GossipSub
import NIOCore
import OrderedCollections
import Wire

/// Reaching a peer by its id alone: what is known of it, then Kademlia, as a client that never serves.
extension NodeCore {
    /// Connects to a peer that nobody gave an address for.
    func connect(to peer: PeerID, request id: RequestID, now: NIODeadline) {
        let known = peers.addresses(of: peer)
        guard peer != identity.peerID, openConnections(to: peer).isEmpty else {
            return dialer.handle(.dial(peer, known, request: id, isForced: true), now: now)
        }
        guard !known.isEmpty else { return find(peer, for: .connection, request: id, now: now) }
        guard !searches.isFull else { return fail(id, .limit, Self.tooManySearches) }
        searches[id] = PeerSearches.Search(target: peer, purpose: .connection, stage: .dialingKnown)
        dialer.handle(.dial(peer, known, request: id, isForced: true), now: now)
    }

    /// Asks the connected peers that speak Kademlia.
    func find(_ peer: PeerID, for purpose: PeerSearches.Purpose, request id: RequestID, now: NIODeadline) {
        guard peer != identity.peerID else { return fail(id, .dialsItself, "that is this peer itself") }
        guard searches[id] != nil || !searches.isFull else { return fail(id, .limit, Self.tooManySearches) }
        let servers = connections.values.filter { connection in
            connection.state == .open && connection.peer.map { !searches.isShunned($0, now: now) } == true
                && connection.identified?.protocols.contains(KademliaQuery.protocolID) == true
        }.compactMap(\.peer)
        guard !servers.isEmpty else {
            searches[id] = nil
            return fail(
                id, .unreachable, "no address of \(peer.suffix()) is known, and no connected peer can be asked for one")
        }
        searches[id] = PeerSearches.Search(
            target: peer, purpose: purpose, stage: .lookingUp,
            lookup: KademliaLookup(of: peer, own: identity.peerID, now: now))
        log(.info, "looking for \(peer.suffix()), starting from \(servers.count) connected peer(s)")
        searches.give(.knows(servers), to: id, now: now)
    }

    private static var tooManySearches: String { "too many peers are being looked for" }

    func perform(_ output: KademliaLookup.Output, of search: RequestID, now: NIODeadline) {
        switch output {
        case .query(let peer, let addresses):
            guard !searches.isShunned(peer, now: now) else {
                return searches.give(.failed(peer), to: search, now: now)
            }
            if openConnections(to: peer).isEmpty {
                let dial = searches.beginDial(of: peer, for: search)
                dialer.handle(.dial(peer, addresses, request: dial, isForced: false), now: now)
            } else {
                query(peer, for: search, now: now)
            }
        case .finished(let addresses): lookupFinished(search, addresses, now: now)
        }
    }

    /// A dial succeeded that was made for a search; false when it was another's.
    func searchReached(_ peer: PeerID, by request: RequestID, now: NIODeadline) -> Bool {
        if let dial = searches.endDial(request) {
            if searches[dial.search] != nil {
                searches[dial.search]?.visited.append(peer)
                query(peer, for: dial.search, now: now)
            }
            return true
        }
        endSearch(request, now: now)
        return false
    }

    /// A dial failed that was made for a search, which goes on; false when it was another's, or the last hope.
    func searchFailed(_ request: RequestID, _ failures: [Dialer.Failure], now: NIODeadline) -> Bool {
        if let dial = searches.endDial(request) {
            searches.give(.failed(dial.peer), to: dial.search, now: now)
            return true
        }
        guard let search = searches[request] else { return false }
        guard case .dialingKnown = search.stage else {
            endSearch(request, now: now)
            return false
        }
        find(search.target, for: search.purpose, request: request, now: now)
        return true
    }

    private func query(_ peer: PeerID, for search: RequestID, now: NIODeadline) {
        guard let target = searches[search]?.target else { return }
        let query = KademliaQuery(finding: target, now: now)
        guard let connection = openConnections(to: peer).first,
            let stream = open([KademliaQuery.protocolID], on: connection, as: .kademlia(query, peer, search), now: now)
        else { return searches.give(.failed(peer), to: search, now: now) }
        write(query.question, to: stream, of: connection, now: now)
        closeWrite(stream, of: connection, now: now)
    }

    func advanceKademlia(_ stream: NodeStream, of connection: NodeConnection, now: NIODeadline) {
        guard case .kademlia(var machine, let peer, let search) = stream.role else { return }
        var action = machine.received(&stream.inbox)
        if action == .none, stream.isEnded { action = machine.closed() }
        stream.role = .kademlia(machine, peer, search)
        guard action != .none else { return }
        stream.role = .finished
        queryEnded(action, of: peer, search: search, on: connection, now: now)
        if case .failed = action { reset(stream, of: connection, now: now) }
    }

    /// What a query brought is the lookup's; a peer that broke the protocol is not asked again for a while.
    func queryEnded(
        _ action: KademliaQuery.Action, of peer: PeerID, search: RequestID, on connection: NodeConnection,
        now: NIODeadline
    ) {
        switch action {
        case .none: break
        case .answered(let closer):
            let scope = AddressScope(metAt: connection.address)
            searches.give(.answered(peer, closer, scope), to: search, now: now)
        case .failed(let error):
            log(.debug, "\(peer.suffix()): no answer about other peers: \(error)")
            if error.isMisbehaviour { searches.shun(peer, now: now) }
            searches.give(.failed(peer), to: search, now: now)
        }
    }

    private func lookupFinished(_ id: RequestID, _ addresses: [Multiaddr], now: NIODeadline) {
        guard let search = searches[id] else { return }
        searches[id]?.lookup = nil
        for dial in searches.dropDials(of: id) { dialer.handle(.cancel(dial), now: now) }
        leaveVisited(search, now: now)
        guard !addresses.isEmpty else {
            searches[id] = nil
            return fail(id, .unreachable, "none of the peers that were asked knows where \(search.target.suffix()) is")
        }
        log(.info, "\(search.target.suffix()) was found at \(addresses.count) address(es)")
        switch search.purpose {
        case .addresses:
            searches[id] = nil
            complete(id, .success(.addresses(addresses)))
        case .connection:
            searches[id]?.stage = .dialingFound
            dialer.handle(.dial(search.target, addresses, request: id, isForced: true), now: now)
        }
    }

    /// Nobody waits for the search any longer.
    func endSearch(_ id: RequestID, now: NIODeadline) {
        guard let search = searches[id] else { return }
        searches[id] = nil
        for dial in searches.dropDials(of: id) { dialer.handle(.cancel(dial), now: now) }
        leaveVisited(search, now: now)
    }

    /// Hangs up on those who were called only to be asked, unless something else came of it.
    private func leaveVisited(_ search: PeerSearches.Search, now: NIODeadline) {
        for peer in search.visited where peer != search.target {
            guard !router.joined.contains(where: { router.peers(in: $0).contains(peer) }) else { continue }
            for connection in openConnections(to: peer) where !isInUse(connection) {
                close(connection, reason: nil, now: now)
            }
        }
    }

    /// Whether somebody's work goes on there: streams that stay open for as long as the connection are none.
    private func isInUse(_ connection: NodeConnection) -> Bool {
        connection.direction == .inbound
            || connection.streams.values.contains { stream in
                switch stream.role {
                case .opening, .application, .perf, .perfServer, .reserve, .circuitRequest, .stopResponder, .circuit:
                    true
                case .hop, .stopRequest, .relaying: true
                case .kademlia(_, _, let search): searches[search]?.lookup != nil
                default: false
                }
            }
    }
}
