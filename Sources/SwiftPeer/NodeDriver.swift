import NIOCore
import Node
import Runtime
import Wire

/// The bridge between a synchronous loop on the main thread and the peer on its event loop.
///
/// Requests that must keep their order (texts, joining, leaving) go one after the other through one task; those that
/// take long (dialling, pinging) get a task of their own. Every request is answered once, in the inbox.
final class NodeDriver: Sendable {
    /// What the loop hears from here.
    enum Report: Sendable {
        case started([Multiaddr])
        case failed(Failure)
        case answer(NodeAnswer)
        /// The peer has left.
        case finished
    }

    /// The peer itself, for its mailbox.
    let peer: Peer
    /// Reports on their way to the loop.
    let inbox: Inbox<Report>
    private let peers: PeersFile?
    private let requests: AsyncStream<NodeRequest>
    private let order: AsyncStream<NodeRequest>.Continuation

    /// A driver for a peer that has not started.
    init(_ settings: Settings, identity: KeyPair) throws(Failure) {
        do {
            peers = PeersFile(settings)
            var configuration = PeerConfiguration(settings)
            configuration.remembered = peers?.read() ?? []
            peer = try Peer(identity: identity, configuration: configuration, security: settings.security)
        } catch { throw Failure(.system, error.message) }
        inbox = try Inbox()
        // Bounded by ``BotSession/isHungry``, and by what a person can type.
        (requests, order) = AsyncStream.makeStream(of: NodeRequest.self)
    }

    /// Starts the peer and joins the rooms, then carries out requests.
    func start(listening addresses: [Multiaddr], rooms: [String]) {
        Task { [peer, inbox, requests] in
            do {
                let addresses = try await peer.start(listening: addresses)
                for room in rooms { try await peer.join(room) }
                inbox.send(.started(addresses))
            } catch {
                let message = (error as? PeerError)?.message ?? "\(error)"
                return inbox.send(.failed(Failure(.system, message)))
            }
            var courier = Courier(peer: peer)
            for await request in requests {
                inbox.send(.answer(await courier.answer(request)))
            }
        }
    }

    /// Hands a request over; its answer comes by the inbox.
    func ask(_ request: NodeRequest) {
        switch request.action {
        case .publish, .join, .leave, .listPeers, .listConnections, .resync, .settle: order.yield(request)
        case .connect, .disconnect, .ping, .pingAddress:
            Task { [peer, inbox] in
                var courier = Courier(peer: peer)
                inbox.send(.answer(await courier.answer(request)))
            }
        }
    }

    /// Reports all connections every second, with their newest numbers.
    func watchConnections() {
        Task { [peer, inbox] in
            while !Task.isCancelled {
                try? await Task.sleep(for: .seconds(1))
                let connections = await peer.snapshot().connections
                inbox.send(.answer(NodeAnswer(outcome: .connections(connections), endsRequest: false)))
            }
        }
    }

    /// Lets the peer leave; ``Report/finished`` follows within its two seconds.
    func shutdown() {
        order.finish()
        Task { [peer, inbox, peers] in
            // Lost peers of last time are no reason to stay.
            if let peers { try? peers.write(await peer.snapshot().connections) }
            await peer.shutdown()
            inbox.send(.finished)
        }
    }
}

extension PeerConfiguration {
    /// What the settings say about the peer.
    init(_ settings: Settings) {
        self.init(agentVersion: Version.agent)
        servesPerf = settings.perf
        discoversLocally = settings.mdns
        discoversOverPubsub = settings.discovery
        bootstrap = settings.connect
        webRTCDirectVersion = settings.webRTCDirectVersion
        stunServers = settings.stun
        turnServers = settings.turn
        externalAddresses = settings.externalAddresses
        relay = settings.relay
        // Who serves as a relay is there for strangers: it tells them too whether they can be dialled.
        servesAutoNAT = settings.relay != nil
        seeksRelays = settings.autoRelay
        logLevel = LogLevel(settings.logLevel)
    }
}
