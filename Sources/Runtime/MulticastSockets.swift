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
            let interfaces = try System.enumerateDevices().compactMap {
                $0.address?.ipAddress.flatMap { IPv4Address($0) }
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
            guard let options = listener as? any SocketOptionProvider, let group = IPv4Address(Self.group) else {
                return
            }
            for interface in interfaces {
                // By the socket option itself: NIO refuses interfaces without the multicast flag, and loopback, by
                // which programs on one machine find each other, lacks it and works. One that refuses is left out.
                let membership = GroupMembership(group: group, interface: interface)
                let joined = options.unsafeSetSocketOption(
                    level: .ip, name: NIOBSDSocket.Option(rawValue: IP_ADD_MEMBERSHIP), value: membership)
                guard (try? await joined.get()) != nil else { continue }
                if let sender = try? await sendingSocket(on: interface) { multicastSenders.append(sender) }
            }
        } catch {
            mailbox.post(.log(.notice, "peers on the local network cannot be looked for: \(describe(error))"))
        }
    }

    private func sendingSocket(on interface: IPv4Address) async throws -> any Channel {
        let number = ChannelOptions.Types.SocketOption.Value(CInt(bitPattern: interface.number.bigEndian))
        return try await DatagramBootstrap(group: loop)
            .channelOption(.ipOption(NIOBSDSocket.Option(rawValue: IP_MULTICAST_IF)), value: number)
            .channelOption(.ipOption(NIOBSDSocket.Option(rawValue: IP_MULTICAST_LOOP)), value: 1)
            .bind(to: SocketAddress(ipAddress: interface.description, port: 0)).get()
    }

    /// Sends one datagram to the group from every interface.
    func sendMulticast(_ bytes: ByteBuffer) {
        guard let group = try? SocketAddress(ipAddress: Self.group, port: Self.port) else { return }
        for channel in multicastSenders {
            channel.writeAndFlush(AddressedEnvelope(remoteAddress: group, data: bytes), promise: nil)
        }
    }
}

/// The kernel's `struct ip_mreq`: which group, on which interface, both in network order.
private struct GroupMembership {
    let group: UInt32
    let interface: UInt32

    init(group: IPv4Address, interface: IPv4Address) {
        self.group = group.number.bigEndian
        self.interface = interface.number.bigEndian
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
