import Channels
import NIOCore
import Wire

/// Noise handshakes on both sides, and records under keys the input does not know.
enum NoiseFuzz {
    private static let identity = KeyPair.generate()

    static func run(_ input: UnsafeBufferPointer<UInt8>) {
        for side in [NoiseHandshake.Side.initiator, .responder] {
            var entropy = Entropy.seeded(1)
            var handshake = NoiseHandshake(
                side, identity: identity, keys: NoiseKeys(from: &entropy), expecting: nil, muxers: ["/yamux/1.0.0"])
            _ = handshake.opened()
            var inbox = ByteBuffer(bytes: input)
            for _ in 0..<4 { guard (try? handshake.received(&inbox)) != nil else { break } }
        }
        _ = try? NoisePayload(ByteBuffer(bytes: input), staticKey: [UInt8](repeating: 1, count: 32))
        let key = [UInt8](repeating: 7, count: 32)
        var transport = NoiseTransport(sealingKey: key, openingKey: key)
        var inbox = ByteBuffer(bytes: input)
        var plaintext = ByteBuffer()
        while (try? transport.receive(&inbox, into: &plaintext)) == true {}
    }
}
