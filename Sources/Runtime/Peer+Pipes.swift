import NIOCore
import NIOPosix
public import Node
public import Wire

/// Byte pipes over TCP: listening, accepting, connecting.
extension Peer {
    /// Starts listening, announcing and looking for peers.
    ///
    /// - Parameter addresses: where to listen; port 0 takes any free one. None: dial only.
    /// - Returns: where others can reach this peer, wildcards expanded, each with `/p2p/<own id>`.
    @discardableResult
    public func start(listening addresses: [Multiaddr] = []) async throws(PeerError) -> [Multiaddr] {
        for address in addresses { try await listen(on: address) }
        await withLookup()
        handle(.listening(listenAddresses))
        return core.ownAddresses
    }

    private func withLookup() async {
        if core.discoversLocally { await startMulticast() }
    }

    private func listen(on address: Multiaddr) async throws(PeerError) {
        switch address.dialTarget {
        case .tcp(.ip(let ip), let port): try await listen(on: ip, tcp: port, as: address)
        case .webRTCDirect(let ip, let port, _): try listen(on: ip, webRTCDirect: port)
        default: throw PeerError(.invalid, "\(address): listening there is not available in this version")
        }
    }

    private func listen(on ip: IPAddress, tcp port: UInt16, as address: Multiaddr) async throws(PeerError) {
        do {
            var bootstrap = ServerBootstrap(group: loop)
                .serverChannelOption(.backlog, value: 128)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
                .childChannelOption(.writeBufferWaterMark, value: Self.waterMark)
                .childChannelOption(.recvAllocator, value: Self.receiveBuffers)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try self.assumeIsolated { try $0.accepted(channel) } }
                }
            if case .v6 = ip {
                // One port for both versions means two sockets: the IPv6 one must leave IPv4 to the other.
                bootstrap = bootstrap.serverChannelOption(
                    ChannelOptions.Types.SocketOption(level: .ipv6, name: .ipv6_v6only), value: 1)
            }
            let channel = try await bootstrap.bind(to: SocketAddress(ipAddress: ip.description, port: Int(port))).get()
            listeners.append(channel)
            if let local = channel.localAddress { listenAddresses += expand(local) }
        } catch {
            throw PeerError(.system, "\(address): \(describe(error))")
        }
    }

    /// A bound socket's address; for a wildcard, that of every interface, loopback last.
    private func expand(_ bound: SocketAddress) -> [Multiaddr] {
        guard let port = bound.port.flatMap(UInt16.init(exactly:)), let ip = bound.ipAddress.flatMap({ IPAddress($0) })
        else { return [] }
        return expand(ip).map { Multiaddr($0, tcp: port) }
    }

    /// An address, or for the unspecified one that of every interface, loopback last.
    func expand(_ ip: IPAddress) -> [IPAddress] {
        guard ip.isUnspecified else { return [ip] }
        let devices = (try? System.enumerateDevices()) ?? []
        let found = devices.compactMap { $0.address?.ipAddress.flatMap { IPAddress($0) } }
            .filter { $0.isSameVersion(as: ip) && !$0.isLinkLocal }
        return found.filter { !$0.isLoopback } + found.filter(\.isLoopback)
    }

    private func accepted(_ channel: any Channel) throws {
        guard let remote = channel.remoteAddress?.tcpAddress,
            let id = core.accept(from: remote, transport: "tcp", now: .now())
        else { return channel.close(promise: nil) }
        pipes[id] = .open(channel)
        try channel.pipeline.syncOperations.addHandler(PipeHandler(id: id, peer: self))
        // The first bytes may be written only once the channel is active: the initializer runs before.
        loop.execute { self.assumeIsolated { $0.drain() } }
    }

    /// Makes a pipe for the core.
    func connect(_ id: ConnectionID, to address: Multiaddr) {
        if case .webRTCDirect(let ip, _, _) = address.dialTarget { return openSocket(id, to: ip) }
        guard case .tcp(.ip(let ip), let port) = address.dialTarget,
            let target = try? SocketAddress(ipAddress: ip.description, port: Int(port))
        else { return feed(.pipeFailed(id, reason: "that kind of address is not available in this version")) }
        pipes[id] = .connecting
        ClientBootstrap(group: loop)
            .connectTimeout(Limits.connectTimeout)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelOption(.writeBufferWaterMark, value: Self.waterMark)
            .channelOption(.recvAllocator, value: Self.receiveBuffers)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(PipeHandler(id: id, peer: self))
                }
            }
            .connect(to: target)
            .whenComplete { result in self.assumeIsolated { $0.connected(id, result) } }
    }

    private func connected(_ id: ConnectionID, _ result: Result<any Channel, any Error>) {
        guard case .connecting? = pipes[id] else {  // no longer wanted
            if case .success(let channel) = result { channel.close(promise: nil) }
            return
        }
        switch result {
        case .success(let channel):
            pipes[id] = .open(channel)
            handle(.pipeOpened(id))
        case .failure(let error):
            pipes[id] = nil
            handle(.pipeFailed(id, reason: describe(error)))
        }
    }

    /// Below the low mark the core may write again: enough to fill the path, little enough to stay fair.
    private static var waterMark: ChannelOptions.Types.WriteBufferWaterMark {
        ChannelOptions.Types.WriteBufferWaterMark(low: 256 << 10, high: 1 << 20)
    }

    private static var receiveBuffers: any RecvByteBufferAllocator {
        AdaptiveRecvByteBufferAllocator(minimum: 2048, initial: 16 << 10, maximum: 64 << 10)
    }
}

extension SocketAddress {
    /// `/ip4/…/tcp/…` or `/ip6/…/tcp/…`; nil for a Unix socket.
    var tcpAddress: Multiaddr? {
        guard let ip = ipAddress.flatMap({ IPAddress($0) }), let port = port.flatMap(UInt16.init(exactly:)) else {
            return nil
        }
        return Multiaddr(ip.unmapped, tcp: port)
    }
}
