import NIOCore
import Testing

@testable import GossipSub

@Suite("SipHash-1-3 as Rust's DefaultHasher")
struct SipHashTests {
    @Test("Every length around a word is hashed, and differently")
    func lengths() {
        var hashes: Set<UInt64> = []
        for length in 0..<40 { hashes.insert(SipHash13.ofSlice(ByteBuffer(repeating: 0, count: length))) }
        #expect(hashes.count == 40)
    }

    @Test("The reader's position does not matter, only the bytes")
    func slices() throws {
        var buffer = ByteBuffer(string: "xxhello")
        buffer.moveReaderIndex(forwardBy: 2)
        #expect(SipHash13.ofSlice(buffer) == 9_754_003_402_134_539_932)
    }
}
