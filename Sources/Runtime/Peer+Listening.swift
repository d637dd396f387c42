package import NIOCore
import NIOPosix
public import Node
public import Wire

/// Byte pipes that others make: listening and accepting.
extension Peer {
    /// Starts listening, announcing and looking for peers.
    ///
    /// TCP and WebSocket addresses of one host and one port, other than 0, share a socket: what comes is told apart by
    /// its first bytes.
    ///
    /// `…/p2p/RELAY/p2p-circuit` keeps a reservation with that relay, `/p2p-circuit` with relays that this peer is
    /// connected to.
    ///
    /// - Parameter addresses: where to listen; port 0 takes any free one. None: dial only.
    /// - Returns: where others can reach this peer, wildcards expanded, each with `/p2p/<own id>`.
    @discardableResult
    public func start(listening addresses: [Multiaddr] = []) async throws(PeerError) -> [Multiaddr] {
        var sockets: [ListeningPlace] = []
        var relays: [Multiaddr] = []
        for address in addresses {
            if case .webRTCDirect(let ip, let port, _) = address.dialTarget {
                try listen(on: ip, webRTCDirect: port)
            } else if address.isAnyRelay {
                relays.append(address)
            } else if case .circuit = address.dialTarget, address.peerID == nil {
                relays.append(address)
            } else if let place = ListeningPlace(address) {
                guard !place.kinds.contains(.secureWebSocket) || security.hasCertificate else {
                    throw PeerError(.invalid, "\(address): WebSocket over TLS needs a certificate")
                }
                let index = place.port == 0 ? nil : sockets.firstIndex { $0.ip == place.ip && $0.port == place.port }
                if let index { sockets[index].add(place) } else { sockets.append(place) }
            } else {
                throw PeerError(.invalid, "\(address): listening there is not available in this version")
            }
        }
        for socket in sockets { try await listen(on: socket) }
        if core.discoversLocally { await startMulticast() }
        handle(.listening(listenAddresses))
        for relay in relays { handle(.listenThrough(relay)) }
        return core.ownAddresses
    }

    private func listen(on place: ListeningPlace) async throws(PeerError) {
        let kinds = place.kinds
        do {
            var bootstrap = ServerBootstrap(group: loop)
                .serverChannelOption(.backlog, value: 128)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
                .childChannelOption(.writeBufferWaterMark, value: Self.waterMark)
                .childChannelOption(.recvAllocator, value: Self.receiveBuffers)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try self.assumeIsolated { try $0.arrived(channel, among: kinds) }
                    }
                }
            if case .v6 = place.ip {
                // One port for both versions means two sockets: the IPv6 one must leave IPv4 to the other.
                bootstrap = bootstrap.serverChannelOption(
                    ChannelOptions.Types.SocketOption(level: .ipv6, name: .ipv6_v6only), value: 1)
            }
            let address = try SocketAddress(ipAddress: place.ip.description, port: Int(place.port))
            let channel = try await bootstrap.bind(to: address).get()
            // Only now: our dials may share the port with the listener, but no other program's listener may.
            try await channel.setOption(Self.sharedPort, value: 1).get()
            listeners.append(channel)
            if let local = channel.localAddress { listenAddresses += expand(local, place.tails) }
        } catch {
            throw PeerError(.system, "\(place.given): \(describe(error))")
        }
    }

    /// A bound socket's addresses; for a wildcard, those of every interface, loopback last.
    private func expand(_ bound: SocketAddress, _ tails: [[Multiaddr.Component]]) -> [Multiaddr] {
        guard let port = bound.port.flatMap(UInt16.init(exactly:)), let ip = bound.ipAddress.flatMap({ IPAddress($0) })
        else { return [] }
        return tails.flatMap { tail in
            expand(ip).compactMap { try? Multiaddr(Multiaddr($0, tcp: port).components + tail) }
        }
    }

    /// An address, or for the unspecified one that of every interface, loopback last.
    func expand(_ ip: IPAddress) -> [IPAddress] {
        guard ip.isUnspecified else { return [ip] }
        let devices = (try? System.enumerateDevices()) ?? []
        let found = devices.compactMap { $0.address?.ipAddress.flatMap { IPAddress($0) } }
            .filter { $0.isSameVersion(as: ip) && !$0.isLinkLocal }
        return found.filter { !$0.isLoopback } + found.filter(\.isLoopback)
    }

    // MARK: Accepting

    /// Gives sockets less time, or more, than ``Limits/webSocketUpgradeTimeout`` to become pipes.
    package func limitArrivals(to time: TimeAmount) { arrivalTimeout = time }

    /// What a socket is said to be once that is known.
    enum Accepted {
        case tcp, webSocket, secureWebSocket

        var transport: String {
            switch self {
            case .tcp: "tcp"
            case .webSocket: "ws"
            case .secureWebSocket: "wss"
            }
        }

        var tail: [Multiaddr.Component] {
            switch self {
            case .tcp: []
            case .webSocket: [.ws]
            case .secureWebSocket: [.tls, .ws]
            }
        }
    }

    /// A socket came; what it is may be known already.
    private func arrived(_ channel: any Channel, among kinds: PipeKinds) throws {
        if kinds == .tcp { return try accept(channel, as: .tcp) }
        guard arrivals.count < Limits.arrivals, !isShutDown else { return channel.close(promise: nil) }
        let key = ObjectIdentifier(channel)
        let timeout = loop.scheduleTask(in: arrivalTimeout) { channel.close(promise: nil) }
        arrivals[key] = Arrival(channel: channel, timeout: timeout)
        channel.closeFuture.whenComplete { _ in self.assumeIsolated { $0.settle(key) } }
        try channel.pipeline.syncOperations.addHandler(ArrivalHandler(kinds, peer: self))
    }

    private func settle(_ key: ObjectIdentifier) { arrivals.removeValue(forKey: key)?.timeout.cancel() }

    /// A socket became a pipe.
    func accept(_ channel: any Channel, as kind: Accepted) throws {
        settle(ObjectIdentifier(channel))
        guard let remote = channel.remoteAddress?.tcpAddress,
            let address = try? Multiaddr(remote.components + kind.tail),
            let id = core.accept(from: address, transport: kind.transport, now: .now())
        else { return channel.close(promise: nil) }
        pipes[id] = .open(channel)
        try channel.pipeline.syncOperations.addHandler(PipeHandler(id: id, peer: self))
        // The first bytes may be written only once the channel is active: the initializer runs before.
        loop.execute { self.assumeIsolated { $0.drain() } }
    }
}

/// A socket that was accepted and has not said yet what it is.
struct Arrival {
    let channel: any Channel
    let timeout: Scheduled<Void>
}

/// One socket to listen on, and all that it shall serve.
private struct ListeningPlace {
    let ip: IPAddress
    let port: UInt16
    /// The first address given for it.
    let given: Multiaddr
    private(set) var kinds: PipeKinds
    /// What stands behind the port in each address given for it.
    private(set) var tails: [[Multiaddr.Component]]

    /// The place of an address; nil when it is none for TCP sockets.
    init?(_ address: Multiaddr) {
        switch address.dialTarget {
        case .tcp(.ip(let ip), let port): (self.ip, self.port, kinds) = (ip, port, .tcp)
        case .webSocket(.ip(let ip), let port): (self.ip, self.port, kinds) = (ip, port, .webSocket)
        case .secureWebSocket(.ip(let ip), let port, _):
            (self.ip, self.port, kinds) = (ip, port, .secureWebSocket)
        default: return nil
        }
        given = address
        let bare = address.withoutPeerID ?? address
        tails = [Array(bare.components.dropFirst(2))]
    }

    mutating func add(_ other: ListeningPlace) {
        kinds.formUnion(other.kinds)
        for tail in other.tails where !tails.contains(tail) { tails.append(tail) }
    }
}
