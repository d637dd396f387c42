package import ICE
import NIOCore
package import Node
package import Wire

/// Nodes behind NATs, and servers that help them.
///
///     let home = simulator.addNAT(.portRestricted)
///     let ada = try simulator.addNode(behind: home)
///     let stun = simulator.addSTUNServer()
///     let turn = simulator.addTURNServer()          // one that relays
///
/// A node behind a NAT keeps its address `10.0.0.<n>`, which only its own network and those behind it reach: over TCP
/// it dials and is not dialled.
extension Simulator {
    /// A NAT in the public network, or behind another; nodes are put into the network returned.
    package func addNAT(
        _ behaviour: NATBehaviour, behind network: VirtualInternet.NetworkID = VirtualInternet.publicNetwork
    ) -> VirtualInternet.NetworkID {
        internet.addNAT(behaviour, behind: network)
    }

    /// Adds a node in a network.
    package func addNode(
        behind network: VirtualInternet.NetworkID, _ configure: (inout PeerConfiguration) -> Void = { _ in }
    ) throws -> NodeID {
        internet.place(Self.ip(of: nodes.count + 1), in: network)
        return try addNode(configure)
    }

    /// Moves a node into another network: its pipes stay, its mappings are those of the new NAT.
    package func move(_ node: NodeID, behind network: VirtualInternet.NetworkID) {
        internet.place(Self.ip(of: node), in: network)
    }

    /// A server that tells who asks how they look from outside.
    package func addSTUNServer() -> TransportAddress { addServer([:]) }

    /// A server that relays too, for the user `sim` with the password `sim`.
    package func addTURNServer() -> TURNServer {
        TURNServer(address: addServer(["sim": "sim"]), transport: .udp, username: "sim", password: "sim")
    }

    private func addServer(_ accounts: [String: String]) -> TransportAddress {
        let ip = IPAddress.v4(IPv4Address(0x0A02_0000 + UInt32(truncatingIfNeeded: servers.count + 1)))
        let server = TURNNode(at: TransportAddress(ip, port: 3478), accounts: accounts)
        servers[ip] = server
        return server.address
    }

    /// A server, to look into or to change.
    package subscript(server address: TransportAddress) -> TURNNode? {
        get { servers[address.ip] }
        set { servers[address.ip] = newValue }
    }

    /// Whether two nodes are on one link, where multicast reaches.
    func areNeighbours(_ one: NodeID, _ other: NodeID) -> Bool {
        internet.network(of: Self.ip(of: one)) == internet.network(of: Self.ip(of: other))
    }

    /// A datagram came to a server: what follows from it leaves.
    func serve(_ datagram: ByteBuffer, from source: TransportAddress, at target: TransportAddress) {
        guard let sendings = servers[target.ip]?.received(datagram, from: source, at: target, now: now) else { return }
        for sending in sendings {
            if let stream = relayAliases[sending.target] {
                relaySends(sending.bytes, to: stream)
            } else {
                carry(sending.bytes, from: sending.source, to: sending.target, origin: nil)
            }
        }
    }
}
