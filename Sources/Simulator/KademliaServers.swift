package import NIOCore
package import Node
import Wire

/// Serves `/ipfs/kad/1.0.0` on nodes of a network, as the program itself never does: FIND_NODE only.
///
/// Each server knows what it was told and answers with the twenty of them that are closest; a test may have it answer
/// with anything else. The nodes must offer ``KademliaQuery/protocolID`` among the protocols of their application.
package final class KademliaServers {
    private unowned let network: Simulator
    private var known: [Simulator.NodeID: [KademliaMessage.Peer]] = [:]
    private var inboxes: [String: ByteBuffer] = [:]
    /// Bytes that a server answers with, whatever it is asked; empty for silence.
    package var lies: [Simulator.NodeID: ByteBuffer] = [:]
    /// Questions answered so far, of each server.
    package private(set) var answered: [Simulator.NodeID: Int] = [:]

    /// Takes over what the nodes' applications hear.
    package init(_ network: Simulator) {
        self.network = network
        network.onStream = { [unowned self] node, stream, event in heard(event, on: stream, at: node) }
    }

    /// Makes a node a server that knows these peers.
    package func serve(_ node: Simulator.NodeID, knowing peers: [KademliaMessage.Peer]) { known[node] = peers }

    private func heard(_ event: NodeCore.StreamEvent, on stream: StreamKey, at node: Simulator.NodeID) {
        guard let peers = known[node] else { return }
        let name = "\(node) \(stream.connection) \(stream.stream)"
        switch event {
        case .received(let bytes):
            var inbox = inboxes[name] ?? ByteBuffer()
            inbox.writeImmutableBuffer(bytes)
            network.give(.consumed(bytes.readableBytes), on: stream, to: node)
            let frame = try? inbox.readFrame(limit: Limits.kademliaMessage)
            inboxes[name] = inbox
            if let frame { answer(frame, on: stream, at: node, knowing: peers) }
        case .closed: inboxes[name] = nil
        case .accepted, .endOfStream, .writable: break
        }
    }

    private func answer(
        _ frame: ByteBuffer, on stream: StreamKey, at node: Simulator.NodeID, knowing peers: [KademliaMessage.Peer]
    ) {
        answered[node, default: 0] += 1
        if let lie = lies[node] {
            if lie.readableBytes > 0 { network.give(.write(lie), on: stream, to: node) }
            return
        }
        guard let question = try? KademliaMessage(protobuf: frame), question.kind == .findNode,
            let target = question.key.flatMap({ try? PeerID(bytes: $0.readableBytesView) })
        else { return network.give(.reset, on: stream, to: node) }
        let place = KademliaKey(target)
        let closest = peers.map { (distance: KademliaKey($0.id).distance(to: place), peer: $0) }
            .sorted { $0.distance < $1.distance }.prefix(Limits.kademliaTaken).map(\.peer)
        let answer = KademliaMessage(answering: question.key, with: closest)
        network.give(.write(answer.frame()), on: stream, to: node)
        network.give(.closeWrite, on: stream, to: node)
    }
}
