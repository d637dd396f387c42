import Glibc
import NIOCore
import NIOPosix
import Node
import Wire

/// Byte pipes over TCP: connecting.
extension Peer {
    /// Makes a pipe for the core.
    func connect(_ id: ConnectionID, to address: Multiaddr) {
        switch address.dialTarget {
        case .webRTCDirect(let ip, _, _): openSocket(id, to: ip)
        case .tcp(.ip(let ip), let port): connectTCP(id, to: TransportAddress(ip, port: port))
        case .webSocket(.ip(let ip), let port): connectWebSocket(id, to: TransportAddress(ip, port: port))
        case .secureWebSocket(.ip(let ip), let port, let name):
            connectSecureWebSocket(id, to: TransportAddress(ip, port: port), name: name)
        default: feed(.pipeFailed(id, reason: "that kind of address is not available in this version"))
        }
    }

    private func connectTCP(_ id: ConnectionID, to address: TransportAddress) {
        guard let target = SocketAddress(address) else { return feed(.pipeFailed(id, reason: "no such address")) }
        pipes[id] = .connecting
        pipeBootstrap(id).connect(to: target)
            .whenComplete { result in self.assumeIsolated { $0.connected(id, result) } }
    }

    /// Makes a pipe from the port that is listened on; from any port where nothing listens, or where the system knows
    /// a pipe between the same two ports already.
    func connectFromListener(_ id: ConnectionID, to address: Multiaddr) {
        guard case .tcp(.ip(let ip), let port) = address.dialTarget, let local = listener(for: ip),
            let target = SocketAddress(TransportAddress(ip, port: port))
        else { return connect(id, to: address) }
        pipes[id] = .connecting
        pipeBootstrap(id)
            .channelOption(.socketOption(.so_reuseaddr), value: 1)
            .channelOption(Self.sharedPort, value: 1)
            .bind(to: local)
            .connect(to: target)
            .whenComplete { result in
                self.assumeIsolated { peer in
                    guard case .failure(let error) = result, (error as? IOError)?.isAboutPorts == true,
                        case .connecting? = peer.pipes[id]
                    else { return peer.connected(id, result) }
                    peer.connect(id, to: address)
                }
            }
    }

    /// Where the first listener of TCP is bound that can reach such an address.
    private func listener(for ip: IPAddress) -> SocketAddress? {
        listeners.lazy.compactMap(\.localAddress).first { bound in
            guard let own = bound.ipAddress.flatMap({ IPAddress($0) }) else { return false }
            return own.isSameVersion(as: ip) && (own.isUnspecified || own.isLoopback == ip.isLoopback)
        }
    }

    /// `SO_REUSEPORT`: sockets of one user that all ask for it may have one port.
    static var sharedPort: ChannelOptions.Types.SocketOption {
        ChannelOptions.Types.SocketOption(level: .socket, name: NIOBSDSocket.Option(rawValue: SO_REUSEPORT))
    }

    private func pipeBootstrap(_ id: ConnectionID) -> ClientBootstrap {
        clientBootstrap.channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(PipeHandler(id: id, peer: self))
            }
        }
    }

    /// What every TCP socket that we connect has in common.
    var clientBootstrap: ClientBootstrap {
        ClientBootstrap(group: loop)
            .connectTimeout(Limits.connectTimeout)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelOption(.writeBufferWaterMark, value: Self.waterMark)
            .channelOption(.recvAllocator, value: Self.receiveBuffers)
    }

    func connected(_ id: ConnectionID, _ result: Result<any Channel, any Error>) {
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
    static var waterMark: ChannelOptions.Types.WriteBufferWaterMark {
        ChannelOptions.Types.WriteBufferWaterMark(low: 256 << 10, high: 1 << 20)
    }

    static var receiveBuffers: any RecvByteBufferAllocator {
        AdaptiveRecvByteBufferAllocator(minimum: 2048, initial: 16 << 10, maximum: 64 << 10)
    }
}

extension SocketAddress {
    /// An address in NIO's form.
    init?(_ address: TransportAddress) {
        guard let result = try? SocketAddress(ipAddress: address.ip.description, port: Int(address.port)) else {
            return nil
        }
        self = result
    }

    /// `/ip4/…/tcp/…` or `/ip6/…/tcp/…`; nil for a Unix socket.
    var tcpAddress: Multiaddr? {
        guard let ip = ipAddress.flatMap({ IPAddress($0) }), let port = port.flatMap(UInt16.init(exactly:)) else {
            return nil
        }
        return Multiaddr(ip.unmapped, tcp: port)
    }
}

extension IOError {
    /// The pair of ports is taken.
    fileprivate var isAboutPorts: Bool { errnoCode == EADDRINUSE || errnoCode == EADDRNOTAVAIL }
}
