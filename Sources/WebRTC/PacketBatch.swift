package import NIOCore

/// Packets of SCTP behind one another in one buffer, each after its length in two bytes: the unit in which the engines
/// hand them on. A train of datagrams passes as one value, and a packet of it costs no allocation of its own.
///
/// Whoever fills it limits it: `Limits.sctpOutbox` on the way out, `Limits.datagramTrain` on the way in.
package struct PacketBatch: Sendable {
    /// The packets not taken yet, with their lengths.
    package private(set) var bytes = ByteBuffer()
    /// How many there are.
    package private(set) var count = 0
    /// How often in a row the storage was much too large.
    private var wasted = 0

    package init() {}

    package var isEmpty: Bool { count == 0 }

    /// Forgets all, and keeps the storage until it was much too large several times in a row.
    package mutating func removeAll() {
        guard bytes.writerIndex > 0 else { return }
        let isTooLarge = bytes.capacity > 4096 && bytes.writerIndex < bytes.capacity / 8
        wasted = isTooLarge ? wasted + 1 : 0
        if wasted < 16 {
            bytes.clear()
        } else {
            (bytes, wasted) = (ByteBuffer(), 0)
        }
        count = 0
    }

    /// Puts a packet of 1 to 65,535 bytes at the end; nothing else is a packet.
    package mutating func append(_ packet: ByteBuffer) {
        guard let length = UInt16(exactly: packet.readableBytes), length > 0 else { return }
        bytes.writeInteger(length)
        bytes.writeImmutableBuffer(packet)
        count += 1
    }

    /// Lets `write` put one packet and its length at the end of the buffer, or nothing, as it says.
    package mutating func append(by write: (inout ByteBuffer) -> Bool) { if write(&bytes) { count += 1 } }

    /// Takes the first packet: a slice, no copy.
    package mutating func popFirst() -> ByteBuffer? {
        guard let packet = bytes.readLengthPrefixedSlice(as: UInt16.self) else { return nil }
        count -= 1
        return packet
    }
}
