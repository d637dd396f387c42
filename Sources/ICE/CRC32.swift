import NIOCore

/// The CRC-32 of zlib and Ethernet, as STUN's FINGERPRINT has it (RFC 8489 §14.7, ITU-T V.42).
struct CRC32 {
    private var state: UInt32 = 0xFFFF_FFFF

    /// One entry per value of a byte.
    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ (value >> 1) : value >> 1 }
    }

    /// Takes the first `count` readable bytes of `buffer`, or as many as there are.
    mutating func update(_ buffer: ByteBuffer, count: Int) {
        let bytes = buffer.readableBytesUInt8Span
        let table = Self.table.span
        for index in 0..<min(count, bytes.count) {
            state = table[Int((state ^ UInt32(bytes[index])) & 0xFF)] ^ (state >> 8)
        }
    }

    var value: UInt32 { ~state }
}
