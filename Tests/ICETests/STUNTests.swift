import NIOCore
import Testing
import VectorFiles
import Wire

@testable import ICE

/// STUN that is wrong in every way there is.
@Suite struct STUNTests {
    private static let id = STUNTransactionID(high: 1, low: 2)
    private static let key = STUNKey(password: "a password of theirs")

    private static var check: ByteBuffer {
        STUNMessage(
            .request, transaction: id,
            attributes: [.username("theirs:ours"), .priority(7), .iceControlling(9), .useCandidate]
        ).encoded(key: key)
    }

    /// A message from raw attributes, `length` as it should be unless given.
    private static func message(_ attributes: [(UInt16, [UInt8])], type: UInt16 = 1, length: Int? = nil) -> ByteBuffer {
        var body = ByteBuffer()
        for (number, value) in attributes {
            body.writeMultipleIntegers(number, UInt16(value.count))
            body.writeBytes(value)
            body.writeRepeatingByte(0xAA, count: -value.count & 3)
        }
        var buffer = ByteBuffer()
        buffer.writeMultipleIntegers(
            type, UInt16(length ?? body.readableBytes), STUNMessage.cookie, UInt32(1), UInt64(2))
        buffer.writeBuffer(&body)
        return buffer
    }

    private static func error(_ bytes: ByteBuffer) -> STUNError? {
        do throws(STUNError) {
            _ = try STUNMessage(parsing: bytes)
            return nil
        } catch { return error }
    }

    @Test func whatIsWrittenIsRead() throws {
        let v4 = TransportAddress(.v4(IPv4Address(0x0102_0304)), port: 5)
        let v6 = TransportAddress(.v6(IPv6Address(high: 0x2001_0DB8 << 32, low: 77)), port: 65_535)
        let attributes: [STUNAttribute] = [
            .mappedAddress(v4), .mappedAddress(v6), .xorMappedAddress(v6), .xorMappedAddress(v4), .username("a:b"),
            .errorCode(STUNErrorCode(699, "")), .unknownAttributes([.init(rawValue: 1), .init(rawValue: 2)]),
            .unknownAttributes([]), .priority(.max), .useCandidate, .iceControlled(.max), .iceControlling(0),
            .software(""), .realm("a"), .nonce("abcde"), .raw(.init(rawValue: 0x0018), ByteBuffer(bytes: [1, 2, 3])),
            .channelNumber(0x4001),
            .lifetime(.max), .xorPeerAddress(v4), .xorPeerAddress(v6), .xorRelayedAddress(v6),
            .data(ByteBuffer(bytes: [9])),
            .requestedTransport(17), .requestedAddressFamily(2),
        ]
        for messageClass: STUNMessage.Class in [.request, .indication, .success, .error] {
            for method: UInt16 in [0, 1, 3, 0x0F, 0x10, 0x70, 0x80, 0xFF] {
                let message = STUNMessage(
                    messageClass, .init(rawValue: method), transaction: Self.id, attributes: attributes)
                let read = try STUNMessage(parsing: message.encoded(key: Self.key))
                #expect(read.messageClass == messageClass && read.method.rawValue == method)
                #expect(read.transaction == Self.id && read.attributes == attributes)
                #expect(read.isAuthentic(by: Self.key) && read.hasFingerprint)
                #expect(read.unknownRequired == [.init(rawValue: 0x0018)])
            }
        }
        let bare = try STUNMessage(parsing: STUNMessage(.request, transaction: Self.id).encoded(fingerprint: false))
        #expect(bare.attributes.isEmpty && !bare.hasFingerprint && !bare.hasIntegrity)
        #expect(!bare.isAuthentic(by: Self.key))
    }

    @Test func everyCutAndEveryExtensionIsRefused() {
        let good = Self.check
        #expect(Self.error(good) == nil)
        for length in 0..<good.readableBytes {
            let cut = ByteBuffer(good.readableBytesView.prefix(length))
            #expect(Self.error(cut) != nil)
            #expect(STUNMessage.username(of: cut) == nil)
        }
        for extra in 1...8 {
            var long = good
            long.writeRepeatingByte(0, count: extra)
            #expect(Self.error(long) == .length)
        }
    }

    @Test func everyValueOfTheLengthFieldButTheRightOneIsRefused() {
        let good = Self.check
        for length in 0...UInt16.max where Int(length) != good.readableBytes - 20 {
            var bytes = good
            bytes.setInteger(length, at: 2)
            if Self.error(bytes) != .length || STUNMessage.username(of: bytes) != nil {
                Issue.record("length \(length) was taken")
            }
        }
    }

    /// In a slice, behind other bytes: offsets are the buffer's own.
    @Test func aMessageInTheMiddleOfABufferIsRead() throws {
        var bytes = ByteBuffer(repeating: 0xFF, count: 13)
        var good = Self.check
        bytes.writeBuffer(&good)
        bytes.writeRepeatingByte(0xFF, count: 9)
        bytes.moveReaderIndex(forwardBy: 13)
        let read = bytes.readSlice(length: Self.check.readableBytes)
        let slice = try #require(read)
        var moved = bytes
        moved.moveReaderIndex(to: 13)
        moved.moveWriterIndex(to: 13 + Self.check.readableBytes)
        for bytes in [slice, moved] {
            let message = try STUNMessage(parsing: bytes)
            #expect(message.isAuthentic(by: Self.key) && message.username == "theirs:ours")
            #expect(STUNMessage.username(of: bytes) == "theirs:ours")
        }
    }

    /// Known attributes and lengths they must not have.
    private static let wrongLengths: [(UInt16, [Int])] = [
        (0x0024, [0, 1, 2, 3, 5, 8]), (0x0025, [1, 4]), (0x8029, [0, 4, 7, 9, 16]), (0x802A, [0, 7, 9]),
        (0x0008, [0, 4, 19, 21, 32]), (0x0009, [0, 1, 2, 3]), (0x000A, [1, 3, 5, 66]),
        (0x0020, [0, 3, 4, 7, 9, 19, 21]),
        (0x0001, [0, 4, 9, 20]), (0x0006, [514, 600]), (0x8022, [764]), (0x0014, [764]), (0x0015, [764]),
    ]

    @Test(arguments: wrongLengths)
    func attributesOfAWrongLengthAreRefused(type: UInt16, lengths: [Int]) {
        for length in lengths {
            // Zeros with family 1 in the second byte: only the length is wrong.
            var value = [UInt8](repeating: 0, count: length)
            if length > 1 { value[1] = 1 }
            let error = Self.error(Self.message([(type, value)]))
            #expect(error == .attribute(.init(rawValue: type)), "\(type) \(length)")
        }
    }

    private static let wrongValues: [(UInt16, [UInt8])] = [
        (0x0006, [0xC3, 0x28]), (0x8022, [0xFF]), (0x0020, [0, 3, 0, 0, 1, 2, 3, 4]),
        (0x0009, [0, 0, 2, 0]), (0x0009, [0, 0, 7, 0]), (0x0009, [0, 0, 4, 100]), (0x0009, [0, 0, 4, 0, 0xFF]),
    ]

    @Test(arguments: wrongValues)
    func attributesOfAWrongValueAreRefused(type: UInt16, value: [UInt8]) {
        #expect(Self.error(Self.message([(type, value)])) == .attribute(.init(rawValue: type)))
    }

    @Test func attributesThatLeadOutsideAreRefused() {
        for length in [1, 4, 5, 100, 65_532, 65_535] {
            var bytes = Self.message([(0x0013, [])])
            bytes.setInteger(UInt16(length), at: 22)
            #expect(Self.error(bytes) == .length)
        }
        #expect(Self.error(Self.message([], length: 2)) == .length)
    }

    @Test func tooManyAttributesAndTooManyBytesAreRefused() {
        let limit = Limits.stunAttributes
        let one: (UInt16, [UInt8]) = (0xC057, [])
        #expect(Self.error(Self.message(Array(repeating: one, count: limit))) == nil)
        let many = Self.message(Array(repeating: one, count: limit + 1) + [(0x0006, [97])])
        #expect(Self.error(many) == .tooLarge)
        #expect(STUNMessage.username(of: many) == nil)
        let most = [UInt8](repeating: 0, count: Limits.stunMessage - 24)
        #expect(Self.error(Self.message([(0xC057, most)])) == nil)
        #expect(Self.error(Self.message([(0xC057, most + [0])])) == .tooLarge)
    }

    @Test func otherProtocolsAreNotSTUN() {
        let good = Self.check
        for first in UInt8.min...UInt8.max {
            var bytes = good
            bytes.setInteger(first, at: 0)
            if first > 3 { #expect(Self.error(bytes) == .notSTUN) }
            #expect(STUNMessage.isSTUN(firstByte: first) == (first < 4))
            #expect(STUNMessage.isSTUN(bytes) == (first < 4))
        }
        var bytes = Self.check
        bytes.setInteger(STUNMessage.cookie + 1, at: 4)
        #expect(Self.error(bytes) == .notSTUN && !STUNMessage.isSTUN(bytes))
    }

    @Test func everyChangedBitIsNoticed() {
        let good = Self.check
        for index in 0..<good.readableBytes {
            for bit in 0..<8 {
                var bytes = good
                let byte = good.readableBytesView[index]
                bytes.setInteger(byte ^ 1 << UInt8(bit), at: index)
                // Without its name the fingerprint is some attribute behind the integrity, which still holds.
                let isFingerprintType = index / 2 == good.readableBytes / 2 - 4
                let message = try? STUNMessage(parsing: bytes)
                if (message != nil) != isFingerprintType || message?.hasFingerprint == true {
                    Issue.record("bit \(bit) of byte \(index)")
                }
            }
        }
    }

    @Test func theFingerprintIsLastOrWrong() {
        #expect(Self.error(Self.message([(0x8028, [0, 0, 0, 0])])) == .fingerprint)
        #expect(Self.error(Self.message([(0x8028, [0, 0])])) == .fingerprint)
        var early = STUNMessage(.request, transaction: Self.id).encoded()
        early.writeMultipleIntegers(UInt16(0xC057), UInt16(0))
        early.setInteger(UInt16(early.readableBytes - 20), at: 2)
        #expect(Self.error(early) == .fingerprint)
    }

    /// Whoever holds no key may add what he likes behind the integrity: it says nothing.
    @Test func whatStandsBehindTheIntegrityIsIgnored() throws {
        var bytes = STUNMessage(.request, transaction: Self.id, attributes: [.username("a:b")])
            .encoded(key: Self.key, fingerprint: false)
        for (type, value): (UInt16, [UInt8]) in [
            (0x0025, []), (0x0024, [1, 2, 3, 4]), (0x0024, [9]), (0x0006, [0x78]), (0x7777, [1]),
            (0x0008, Array(repeating: 0, count: 20)),
        ] {
            bytes.writeMultipleIntegers(type, UInt16(value.count))
            bytes.writeBytes(value)
            bytes.writeRepeatingByte(0, count: -value.count & 3)
        }
        bytes.setInteger(UInt16(bytes.readableBytes - 20), at: 2)
        let message = try STUNMessage(parsing: bytes)
        #expect(message.attributes == [.username("a:b")])
        #expect(message.isAuthentic(by: Self.key) && message.unknownRequired.isEmpty)
        // A name behind the integrity is no name.
        let late = Self.message([(0x0008, Array(repeating: 0, count: 20)), (0x0006, [0x78])])
        #expect(STUNMessage.username(of: late) == nil)
    }

    @Test func ofTwoAttributesTheFirstCounts() throws {
        let message = try STUNMessage(
            parsing: Self.message([
                (0x0006, [0x61]), (0x0024, [0, 0, 0, 1]), (0x0006, [0x62]), (0x0024, [0, 0, 0, 2]),
            ]))
        #expect(message.username == "a" && message.priority == 1)
    }

    /// The order of what stands before the integrity does not matter.
    @Test func attributesComeInAnyOrder() throws {
        let parts: [STUNAttribute] = [.username("a:b"), .priority(1), .iceControlling(2), .useCandidate]
        var entropy = Entropy.seeded(5)
        for _ in 0..<24 {
            let order = parts.shuffled(using: &entropy)
            let bytes = STUNMessage(.request, transaction: Self.id, attributes: order).encoded(key: Self.key)
            let message = try STUNMessage(parsing: bytes)
            #expect(message.username == "a:b" && message.priority == 1 && message.usesCandidate)
            #expect(message.iceControlling == 2 && message.isAuthentic(by: Self.key))
            #expect(STUNMessage.username(of: bytes) == "a:b")
        }
    }

    @Test func mutationsAreReadOrRefusedAndNeverAuthentic() throws {
        var entropy = Entropy.seeded(20)
        let seeds = try Vectors.load("stun").map {
            Array(try hex($0.input["hex"] ?? $0.output["hex"]).readableBytesView)
        }
        let original = Set(seeds)
        var readable = 0
        for round in 0..<30_000 {
            var bytes = seeds[round % seeds.count]
            for _ in 0...Int.random(in: 0..<3, using: &entropy) where bytes.count > 20 {
                let index = Int.random(in: 0..<bytes.count, using: &entropy)
                switch Int.random(in: 0..<5, using: &entropy) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &entropy)
                case 1: bytes.insert(0, at: index)
                case 2: bytes.remove(at: index)
                case 3: bytes.removeLast(bytes.count - index)
                default: bytes += bytes[index...].prefix(24)
                }
            }
            if bytes.count >= 28, round % 2 == 0 { Self.repair(&bytes) }
            let buffer = ByteBuffer(bytes: bytes)
            _ = STUNMessage.username(of: buffer)
            guard let message = try? STUNMessage(parsing: buffer), !original.contains(bytes) else { continue }
            readable += 1
            if message.isAuthentic(by: Self.key) { Issue.record("round \(round)") }
        }
        #expect(readable > 1000)
    }

    /// Length and fingerprint as they should be, so that the mutation reaches what lies behind them.
    private static func repair(_ bytes: inout [UInt8]) {
        bytes.removeLast(bytes.count % 4)
        let length = bytes.count - 20
        bytes[2] = UInt8(truncatingIfNeeded: length >> 8)
        bytes[3] = UInt8(truncatingIfNeeded: length)
        guard bytes.suffix(8).starts(with: [0x80, 0x28, 0, 4]) else { return }
        var checksum = CRC32()
        checksum.update(ByteBuffer(bytes: bytes), count: bytes.count - 8)
        let value = checksum.value ^ STUNMessage.fingerprintMask
        for shift in 0..<4 { bytes[bytes.count - 1 - shift] = UInt8(truncatingIfNeeded: value >> UInt32(8 * shift)) }
    }
}
