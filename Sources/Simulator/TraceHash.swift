package import NIOCore

/// A running fingerprint of everything that happened, the same in every process (FNV-1a, 64 bits).
package struct TraceHash: Equatable, Sendable {
    package private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    package init() {}

    package mutating func add(_ byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }

    package mutating func add(_ number: UInt64) {
        for shift in stride(from: UInt64(0), to: 64, by: 8) {
            let byte: UInt8 = UInt8(truncatingIfNeeded: number >> shift)
            add(byte)
        }
    }

    package mutating func add(_ text: String) {
        for byte in text.utf8 { add(byte) }
        add(UInt8(0))
    }

    package mutating func add(_ bytes: ByteBuffer) {
        add(UInt64(bytes.readableBytes))
        for byte in bytes.readableBytesView { add(byte) }
    }
}
