import NIOCore
import Node
import Wire

/// Kademlia: messages, a query that hears them, and a lookup that believes what a server answers.
enum KademliaFuzz {
    private static let own = KeyPair.generate().peerID
    private static let target = KeyPair.generate().peerID
    private static let server = KeyPair.generate().peerID

    static func run(_ input: UnsafeBufferPointer<UInt8>) {
        let bytes = ByteBuffer(bytes: input)
        guard let message = try? KademliaMessage(protobuf: bytes) else { return }
        precondition(message.closerPeers.count <= Limits.kademliaCloserPeers, "more peers than allowed")
        var now = NIODeadline.uptimeNanoseconds(1)
        var query = KademliaQuery(finding: target, now: now)
        var inbox = ByteBuffer()
        inbox.writeFrame(bytes)
        _ = query.received(&inbox)
        var lookup = KademliaLookup(of: target, own: own, now: now)
        lookup.handle(.knows([server]), now: now)
        var asked = 0
        for _ in 0..<8 {
            while let output = lookup.poll() {
                guard case .query(let peer, let addresses) = output else { return }
                asked += 1
                precondition(addresses.count <= Limits.kademliaAddresses, "more addresses than allowed")
                precondition(asked <= Limits.kademliaQueries, "more queries than allowed")
                precondition(lookup.pending <= Limits.kademliaParallel, "too many at once")
                lookup.handle(.answered(peer, message.closerPeers, .machine), now: now)
            }
            now = now + .seconds(3)
            lookup.handle(.tick, now: now)
        }
    }
}
