package import Wire

/// The name of a message: raw bytes. What they are made of depends on the dialect of whoever wrote them; the ids
/// this router gives out are always ``init(from:sequenceNumber:)``.
package struct MessageID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let bytes: [UInt8]

    package init(bytes: some Collection<UInt8>) { self.bytes = Array(bytes) }

    /// The network's default, go's and py's: author ‖ sequence number (libp2p/specs pubsub).
    package init(from: PeerID, sequenceNumber: UInt64) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(from.bytes.count + 8)
        bytes += from.bytes
        for shift in stride(from: 56, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: sequenceNumber >> UInt64(shift)))
        }
        self.bytes = bytes
    }

    /// Lowercase hex.
    package var description: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    package static func < (left: MessageID, right: MessageID) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes)
    }
}
