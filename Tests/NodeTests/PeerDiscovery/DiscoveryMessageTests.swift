import NIOCore
import Testing
import Wire

@testable import Node

@Suite struct DiscoveryMessageTests {
    private static func vectors(_ prefix: String) throws -> [Fixture.Vector] {
        try Fixture.vectors("app_universal_connectivity").filter { $0.name.hasPrefix(prefix) }
    }

    @Test("Messages of others are read, and written byte by byte")
    func payloads() throws {
        let vectors = try Self.vectors("peer discovery payload")
        #expect(vectors.count == 2)
        for vector in vectors {
            let bytes = Fixture.bytes(hex: vector.hex)
            let message = try DiscoveryMessage(ByteBuffer(bytes: bytes))
            let addresses = try #require(vector.input["addrs"] as? [String])
            #expect(message.addresses.map(\.description) == addresses, "\(vector.name)")
            #expect(message.publicKey.peerID.description == "12D3KooWA4Xop1JaT3MHxwYMkCepYsv4iPVopMXwCz5iHYdBfeSB")
            #expect(Array(message.encoded.readableBytesView) == bytes, "\(vector.name)")
        }
    }

    @Test("What is no message says why")
    func bad() throws {
        let payload = Fixture.bytes(hex: try Self.vectors("peer discovery payload")[0].hex)
        let keyless = ByteBuffer(bytes: payload.dropFirst(38))
        #expect(throws: DiscoveryMessage.Failure.noKey) { try DiscoveryMessage(keyless) }
        #expect(throws: DiscoveryMessage.Failure.noKey) { try DiscoveryMessage(ByteBuffer()) }
        let garbage = ByteBuffer(bytes: [0x0A, 0x02, 0xFF, 0xFF])
        #expect(throws: DiscoveryMessage.Failure.invalidKey) { try DiscoveryMessage(garbage) }
        #expect(throws: DiscoveryMessage.Failure.self) { try DiscoveryMessage(ByteBuffer(bytes: payload.prefix(35))) }
    }

    @Test("Nim's raw peer ids are told apart, in bytes and in text")
    func bareIDs() throws {
        let peer = try KeyPair(seed: [UInt8](repeating: 7, count: 32)).peerID
        for bytes in [peer.bytes, Array(peer.description.utf8)] {
            #expect(throws: DiscoveryMessage.Failure.barePeerID(peer)) {
                try DiscoveryMessage(ByteBuffer(bytes: bytes))
            }
        }
    }

    @Test("Addresses that cannot be read are left out, too many refuse the message")
    func addresses() throws {
        let key = try KeyPair(seed: [UInt8](repeating: 7, count: 32)).publicKey
        let good = try Multiaddr("/ip4/1.2.3.4/tcp/5")
        func message(_ count: Int, _ address: [UInt8]) -> ByteBuffer {
            var buffer = ByteBuffer()
            buffer.writeProtobuf(field: 1, bytes: key.protobuf)
            for _ in 0..<count { buffer.writeProtobuf(field: 2, bytes: address) }
            buffer.writeProtobuf(field: 2, bytes: good.bytes)
            // A field of a later version.
            buffer.writeProtobuf(field: 9, varint: 1)
            return buffer
        }
        for bad in [[], [0xFF], [4, 1, 2], [0xC1, 0x28, 1]] as [[UInt8]] {
            #expect(try DiscoveryMessage(message(3, bad)).addresses == [good])
        }
        let listed = Limits.discoveryListed
        #expect(try DiscoveryMessage(message(listed - 1, [0xFF])).addresses == [good])
        #expect(throws: DiscoveryMessage.Failure.tooManyAddresses) { try DiscoveryMessage(message(listed, [0xFF])) }
        #expect(throws: DiscoveryMessage.Failure.tooLong) { try DiscoveryMessage(message(10_000, [0xFF])) }
    }

    @Test("Every prefix and every changed byte of a message is read or refused, never more")
    func mutations() throws {
        let bytes = Fixture.bytes(hex: try Self.vectors("peer discovery payload")[0].hex)
        for count in 0..<bytes.count { _ = try? DiscoveryMessage(ByteBuffer(bytes: bytes.prefix(count))) }
        for index in bytes.indices {
            for change in [1, 0x80, 0xFF] as [UInt8] {
                var mutated = bytes
                mutated[index] ^= change
                _ = try? DiscoveryMessage(ByteBuffer(bytes: mutated))
            }
        }
    }
}
