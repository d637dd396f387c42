import Glibc
import NIOCore
import NIOPosix
import Node
import Wire

/// Multicast DNS on the sockets of this machine (RFC 6762 §11): one that hears the group on every interface, and one
/// per interface to speak from, so that a query reaches the LAN, and the other programs on this machine, alike.
extension Peer {
    private static let group = "224.0.0.251"
    private static let port = 5353

    /// Opens the sockets. A machine without multicast, or one where something holds the port alone, simply has no
    /// local discovery: it says so in the log and goes on.
    func startMulticast() async {
        do {
            let group = try SocketAddress(ipAddress: Self.group, port: Self.port)
            let devices = try System.enumerateDevices().filter { device in
                if case .v4? = device.address { return true }
                return false
            }
            let listener = try await DatagramBootstrap(group: loop)
                .channelOption(.socketOption(.so_reuseaddr), value: 1)
                .channelOption(.socketOption(NIOBSDSocket.Option(rawValue: SO_REUSEPORT)), value: 1)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(DatagramHandler(peer: self))
                    }
                }
                .bind(host: "0.0.0.0", port: Self.port).get()
            multicast.append(listener)
            guard let joiner = listener as? any MulticastChannel else { return }
            for device in devices {
                // An interface that refuses (down, no multicast) is left out.
                guard (try? await joiner.joinGroup(group, device: device).get()) != nil else { continue }
                if let sender = try? await sendingSocket(on: device) { multicastSenders.append(sender) }
            }
        } catch {
            mailbox.post(.log(.notice, "peers on the local network cannot be looked for: \(describe(error))"))
        }
    }

    private func sendingSocket(on device: NIONetworkDevice) async throws -> (any Channel)? {
        guard let text = device.address?.ipAddress, let address = IPv4Address(text) else { return nil }
        let interface = ChannelOptions.Types.SocketOption.Value(CInt(bitPattern: address.number.bigEndian))
        return try await DatagramBootstrap(group: loop)
            .channelOption(.ipOption(NIOBSDSocket.Option(rawValue: IP_MULTICAST_IF)), value: interface)
            .channelOption(.ipOption(NIOBSDSocket.Option(rawValue: IP_MULTICAST_LOOP)), value: 1)
            .bind(to: SocketAddress(ipAddress: text, port: 0)).get()
    }

    /// Sends one datagram to the group from every interface.
    func sendMulticast(_ bytes: ByteBuffer) {
        guard let group = try? SocketAddress(ipAddress: Self.group, port: Self.port) else { return }
        for channel in multicastSenders {
            channel.writeAndFlush(AddressedEnvelope(remoteAddress: group, data: bytes), promise: nil)
        }
    }
}

/// Hands datagrams to the peer.
private final class DatagramHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    private let peer: Peer

    init(peer: Peer) { self.peer = peer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let datagram = unwrapInboundIn(data)
        let source = datagram.remoteAddress.ipAddress ?? "unknown"
        peer.assumeIsolated { $0.feed(.multicastReceived(datagram.data, from: source)) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        peer.assumeIsolated { $0.drain() }
    }

    /// An ICMP error for an earlier datagram is no reason to stop listening.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}
