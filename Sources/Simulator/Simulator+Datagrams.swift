package import NIOCore
import Node
package import Wire

/// UDP of the virtual network: sockets, their addresses, and what happens to datagrams on the way.
extension Simulator {
    /// A node's socket behind an address.
    struct SocketOwner {
        let node: NodeID
        let socket: SocketID
    }

    /// Where a node listens for webrtc-direct, without certificate hash.
    package static func directAddress(of node: NodeID) throws(MultiaddrError) -> Multiaddr {
        try Multiaddr("/ip4/10.0.\(node / 256).\(node % 256)/udp/4001/webrtc-direct")
    }

    /// A node's address for webrtc-direct, as others dial it.
    package func directAddress(of node: NodeID) -> Multiaddr? {
        core(node).ownAddresses.first { if case .webRTCDirect = $0.dialTarget { true } else { false } }
    }

    /// Gives every socket that `node` made for a dial another address, as a NAT does that forgot its mapping.
    package func changeAddress(of node: NodeID) {
        for end in dialSockets.keys.sorted(by: { ($0.node, $0.id) < ($1.node, $1.id) }) where end.node == node {
            closeSocket(end)
            bindDialSocket(end)
        }
    }

    /// Sends bytes of a test's choice to a node's webrtc-direct port, from an address nobody has.
    package func inject(_ datagram: ByteBuffer, from source: TransportAddress, to node: NodeID) {
        let transit = VirtualInternet.Transit(source: source, target: Self.listenerAddress(of: node))
        schedule(.datagram(datagram, transit, origin: nil), at: now)
    }

    static func ip(of node: NodeID) -> IPAddress {
        .v4(IPv4Address(0x0A00_0000 + UInt32(truncatingIfNeeded: node)))
    }

    private static func listenerAddress(of node: NodeID) -> TransportAddress {
        TransportAddress(ip(of: node), port: 4001)
    }

    func listenOnDatagrams(_ node: NodeID) {
        let address = Self.listenerAddress(of: node)
        sockets[address] = SocketOwner(node: node, socket: .listener(0))
        handle(.socketListens(0, local: address), at: node)
    }

    func openSocket(_ end: PipeEnd) {
        bindDialSocket(end)
        schedule(.socketOpened(end), at: now)
    }

    /// The socket of a signalled connection: of IPv4, which is all there is.
    func openSockets(_ end: PipeEnd) {
        bindDialSocket(end)
        schedule(.socketsOpened(end), at: now)
    }

    func socketsOpened(_ end: PipeEnd) {
        guard let address = dialSockets[end] else { return }
        let socket = OpenedSocket(.dialer(end.id), local: address, hosts: [address.ip])
        handle(.socketsOpened(end.id, [socket]), at: end.node)
    }

    private func bindDialSocket(_ end: PipeEnd) {
        lastDialPort = lastDialPort == .max ? 20_001 : lastDialPort + 1
        let address = TransportAddress(Self.ip(of: end.node), port: lastDialPort)
        sockets[address] = SocketOwner(node: end.node, socket: .dialer(end.id))
        dialSockets[end] = address
    }

    func socketOpened(_ end: PipeEnd) {
        guard let address = dialSockets[end] else { return }
        handle(.socketOpened(end.id, local: address), at: end.node)
    }

    func closeSocket(_ end: PipeEnd) {
        guard let address = dialSockets.removeValue(forKey: end) else { return }
        sockets[address] = nil
    }

    func send(_ datagrams: Datagrams, from socket: SocketID, of node: NodeID, to target: TransportAddress) {
        let source: TransportAddress? =
            switch socket {
            case .listener: Self.listenerAddress(of: node)
            case .second: nil
            case .dialer(let id): dialSockets[PipeEnd(node: node, id: id)]
            }
        guard let source else { return }
        var rest = datagrams
        while let datagram = rest.popFirst() {
            onDatagram?(node, datagram, target)
            guard carries(datagram, node) else { continue }
            carry(datagram, from: source, to: target, origin: node)
        }
    }

    /// Puts a datagram on its way, as often as the conditions want.
    func carry(_ datagram: ByteBuffer, from source: TransportAddress, to target: TransportAddress, origin: NodeID?) {
        guard let transit = internet.left(from: source, to: target, now: now) else { return }
        var copies = chance(conditions.datagramLoss) ? 0 : 1
        if chance(conditions.datagramDuplication) { copies += 1 }
        for _ in 0..<copies { schedule(.datagram(datagram, transit, origin: origin), at: now + delay()) }
    }

    /// Draws only when there is something to decide, so that conditions without faults cost no randomness.
    private func chance(_ share: Double) -> Bool {
        share > 0 && Double.random(in: 0..<1, using: &entropy) < share
    }

    func deliver(_ datagram: ByteBuffer, _ transit: VirtualInternet.Transit, origin: NodeID?) {
        guard let target = internet.arrived(transit, now: now) else { return }
        if servers[target.ip] != nil { return serve(datagram, from: transit.source, at: target) }
        guard let owner = sockets[target] else { return }
        if let origin, !canHear(origin, owner.node) { return }
        handle(.datagrams(Datagrams(datagram), from: transit.source, on: owner.socket), at: owner.node)
    }
}
