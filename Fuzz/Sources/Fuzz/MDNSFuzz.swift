import NIOCore
import Node
import Wire

/// Packets of the local network, read alone and heard by the machine that answers them.
enum MDNSFuzz {
    private static let own = KeyPair.generate().peerID

    static func run(_ input: UnsafeBufferPointer<UInt8>) {
        let packet = ByteBuffer(bytes: input)
        if let message = try? DNSMessage(packet), let again = try? DNSMessage(message.packet) {
            precondition(again.questions.count == message.questions.count, "questions were lost")
        }
        guard let address = try? Multiaddr("/ip4/192.0.2.2/tcp/1") else { return }
        var machine = MDNS(own: own, entropy: .seeded(1))
        var now = NIODeadline.uptimeNanoseconds(1)
        machine.handle(.announce([address]), now: now)
        machine.handle(.packet(packet, from: "192.0.2.1"), now: now)
        for _ in 0..<4 {
            now = now + .seconds(1)
            machine.handle(.tick, now: now)
        }
        while machine.poll() != nil {}
    }
}
