import Crypto
package import Wire

/// A place in Kademlia's space: the SHA-256 of a peer's id (libp2p/specs kad-dht).
///
/// The distance of two is their exclusive or, read as a number of 256 bits: the order of this type.
package struct KademliaKey: Hashable, Comparable, Sendable {
    /// The 32 bytes, first byte first.
    package let bytes: [UInt8]

    /// The place of a peer.
    package init(_ peer: PeerID) { bytes = Array(SHA256.hash(data: peer.bytes)) }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    /// The distance to another place.
    package func distance(to other: KademliaKey) -> KademliaKey {
        KademliaKey(bytes: zip(bytes, other.bytes).map { $0 ^ $1 })
    }

    /// How many bits a distance starts with that are zero: the common prefix of its two ends.
    package var leadingZeroBits: Int {
        guard let index = bytes.firstIndex(where: { $0 != 0 }) else { return 8 * bytes.count }
        return 8 * index + bytes[index].leadingZeroBitCount
    }

    package static func < (left: KademliaKey, right: KademliaKey) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes)
    }
}
