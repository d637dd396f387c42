import NIOCore
import Node
import Wire

/// What is said on the discovery topic, read alone, and heard by a machine that dials.
enum DiscoveryFuzz {
    private static let own = KeyPair.generate()

    static func run(_ input: UnsafeBufferPointer<UInt8>) {
        let bytes = ByteBuffer(bytes: input)
        guard let message = try? DiscoveryMessage(bytes) else { return }
        precondition(message.addresses.count <= Limits.discoveryListed, "more addresses than allowed")
        let few = DiscoveryMessage(publicKey: message.publicKey, addresses: message.addresses)
        let again = try? DiscoveryMessage(few.encoded)
        precondition(again?.addresses == few.addresses, "addresses do not lead back")
        guard let address = try? Multiaddr("/ip4/10.0.0.2/tcp/1") else { return }
        var machine = PeerDiscovery(own: own.publicKey, entropy: .seeded(1))
        var now = NIODeadline.uptimeNanoseconds(1)
        machine.handle(.announce([address]), now: now)
        machine.handle(.heard(bytes, author: message.publicKey.peerID), now: now)
        for _ in 0..<4 {
            now = now + .seconds(31)
            machine.handle(.tick, now: now)
            while let output = machine.poll() {
                guard case .dial(let peer, let addresses) = output else { continue }
                precondition(peer == message.publicKey.peerID, "dials somebody else")
                precondition(addresses.count <= Limits.discoveryAddresses, "dials more than allowed")
                for address in addresses {
                    precondition(address.ip?.isMulticast != true && address.ip?.isLoopback != true, "\(address)")
                }
                machine.handle(.failed(peer), now: now)
            }
        }
    }
}
