import NIOCore
import WebRTC

/// Packets of a batch as raw bytes: what C libraries take and give.
extension PacketBatch {
    private static let lengthSize = 2

    /// Puts a packet of 1 to 65,535 bytes at the end; nothing else is a packet.
    mutating func append(_ packet: UnsafeRawBufferPointer) {
        append(atMost: packet.count) { target in
            target.copyMemory(from: packet)
            return packet.count
        }
    }

    /// Puts the packet at the end that `fill` writes into the given room. It says how long that is, zero or less: none.
    mutating func append(atMost room: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Int) {
        append { bytes in
            let written = bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: room + Self.lengthSize) { target in
                let packet = UnsafeMutableRawBufferPointer(rebasing: target[Self.lengthSize..<Self.lengthSize + room])
                guard let length = UInt16(exactly: fill(packet)), length > 0 else { return 0 }
                target.storeBytes(of: length.bigEndian, as: UInt16.self)
                return Int(length) + Self.lengthSize
            }
            return written > 0
        }
    }

    func withPackets<Result>(_ body: (inout PacketIterator) -> Result) -> Result {
        bytes.withUnsafeReadableBytes { all in
            var packets = PacketIterator(all)
            return body(&packets)
        }
    }
}

/// Goes through the packets of a batch. A value: a copy begins again where it was copied.
struct PacketIterator: IteratorProtocol {
    private let bytes: UnsafeRawBufferPointer
    private var offset = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    mutating func next() -> UnsafeRawBufferPointer? {
        guard bytes.count - offset > 2 else { return nil }
        let length = Int(UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self)))
        let start = offset + 2
        guard length > 0, bytes.count - start >= length else { return nil }
        offset = start + length
        return UnsafeRawBufferPointer(rebasing: bytes[start..<offset])
    }
}
