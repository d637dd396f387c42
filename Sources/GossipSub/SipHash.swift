import NIOCore

/// SipHash-1-3 with a zero key, one pass: what Rust's `DefaultHasher` is (Aumasson and Bernstein, 2012).
///
/// Here only to speak rust-peer's message ids; it protects nothing.
struct SipHash13 {
    private var v0: UInt64 = 0x736f_6d65_7073_6575
    private var v1: UInt64 = 0x646f_7261_6e64_6f6d
    private var v2: UInt64 = 0x6c79_6765_6e65_7261
    private var v3: UInt64 = 0x7465_6462_7974_6573

    /// The hash of Rust's `data.hash()`: the length as eight little-endian bytes, then the bytes.
    static func ofSlice(_ data: ByteBuffer) -> UInt64 {
        var hash = SipHash13()
        var rest = data
        hash.compress(UInt64(data.readableBytes))
        while let word = rest.readInteger(endianness: .little, as: UInt64.self) { hash.compress(word) }
        var last = UInt64(truncatingIfNeeded: data.readableBytes &+ 8) << 56
        for (index, byte) in rest.readableBytesView.enumerated() { last |= UInt64(byte) << UInt64(8 * index) }
        hash.compress(last)
        return hash.finish()
    }

    private mutating func compress(_ word: UInt64) {
        v3 ^= word
        round()
        v0 ^= word
    }

    private mutating func finish() -> UInt64 {
        v2 ^= 0xFF
        for _ in 0..<3 { round() }
        return v0 ^ v1 ^ v2 ^ v3
    }

    private mutating func round() {
        v0 &+= v1
        v2 &+= v3
        v1 = Self.rotate(v1, 13) ^ v0
        v3 = Self.rotate(v3, 16) ^ v2
        v0 = Self.rotate(v0, 32)
        v2 &+= v1
        v0 &+= v3
        v1 = Self.rotate(v1, 17) ^ v2
        v3 = Self.rotate(v3, 21) ^ v0
        v2 = Self.rotate(v2, 32)
    }

    private static func rotate(_ word: UInt64, _ count: UInt64) -> UInt64 { word << count | word >> (64 - count) }
}
