import NIOCore
import Wire

/// Multiaddrs as bytes and as text: what is read is canonical, whichever way it goes on from there.
enum MultiaddrFuzz {
    static func run(_ input: UnsafeBufferPointer<UInt8>) {
        if let address = try? Multiaddr(bytes: ByteBuffer(bytes: input)) { check(address) }
        if let address = try? Multiaddr(String(decoding: input, as: UTF8.self)) { check(address) }
    }

    private static func check(_ address: Multiaddr) {
        precondition((try? Multiaddr(address.description)) == address, "text does not lead back")
        precondition((try? Multiaddr(bytes: address.bytes)) == address, "bytes do not lead back")
        precondition((try? Multiaddr(address.components)) == address, "components do not lead back")
        precondition(address.bytes.readableBytes <= Limits.multiaddr, "longer than the limit")
        _ = (address.dialTarget, address.peerID, address.isCircuit, address.withoutPeerID)
    }
}
