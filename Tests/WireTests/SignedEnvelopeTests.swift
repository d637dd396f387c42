import NIOCore
import Testing

@testable import Wire

@Suite struct SignedEnvelopeTests {
    static let vectors = Vector.load("signed_envelope")

    @Test func everyVectorIsThere() { #expect(Self.vectors.count == 9) }

    @Test(arguments: vectors.filter { $0.output.isOK }) func sealsAsTheVector(_ vector: Vector) throws {
        let key = try KeyPair(seed: hex(try #require(vector.input["seed_hex"])))
        let payload = try buffer(try #require(vector.output["payload_hex"]))
        let type = try hex(try #require(vector.input["payload_type_hex"]))
        let domain = try #require(vector.input["domain"])
        let wire = try buffer(try #require(vector.output["envelope_hex"]))

        let signed = SignedEnvelope.signedBytes(payload, type: type, domain: domain)
        #expect(hex(signed.readableBytesView) == vector.output["signed_bytes_hex"])
        let sealed = SignedEnvelope.seal(payload, type: type, domain: domain, by: key)
        #expect(sealed.protobuf == wire)
        #expect(try SignedEnvelope(opening: wire, domain: domain) == sealed)

        guard let sequence = vector.input["seq"] else { return }
        let addresses = try vector.input.list("addrs_hex").map { try Multiaddr(bytes: buffer($0)) }
        let record = PeerRecord(
            peerID: key.peerID, sequence: try #require(UInt64(sequence)), addresses: addresses)
        #expect(record.protobuf == payload)
        #expect(try PeerRecord(opening: wire) == record)
        if type == [3, 1] { #expect(record.sealed(by: key) == wire) }
    }

    @Test(arguments: vectors.filter { !$0.output.isOK }) func refusesAsTheVector(_ vector: Vector) throws {
        let wire = try buffer(try #require(vector.input["envelope_hex"]))
        let expected: EnvelopeError =
            switch vector.name {
            case "bad: truncated": .protobuf(.truncated)
            case "bad: signed by another key: inner peer_id mismatch": .notTheSigner
            default: .invalidSignature
            }
        #expect(throws: expected) { try PeerRecord(opening: wire) }
    }

    private let key = KeyPair.generate()

    private func record(_ payload: ByteBuffer) -> ByteBuffer {
        SignedEnvelope.seal(payload, type: [3, 1], domain: "libp2p-peer-record", by: key).protobuf
    }

    @Test func refusesEveryTruncation() throws {
        let record = PeerRecord(peerID: key.peerID, sequence: 7, addresses: [try Multiaddr("/ip4/1.2.3.4/tcp/5")])
        let wire = record.sealed(by: key)
        for length in 0..<wire.readableBytes {
            let part = try #require(wire.getSlice(at: wire.readerIndex, length: length))
            #expect(throws: EnvelopeError.self) { try PeerRecord(opening: part) }
        }
        for length in 0..<record.protobuf.readableBytes {
            let payload = try #require(record.protobuf.getSlice(at: 0, length: length))
            // Cut between two fields a record may still be whole; the signature then says it was meant so.
            if let read = try? PeerRecord(opening: self.record(payload)) { #expect(read.addresses.isEmpty) }
        }
    }

    @Test func refusesOtherTypesAndDomains() throws {
        let payload = PeerRecord(peerID: key.peerID, sequence: 1, addresses: []).protobuf
        let voucher = SignedEnvelope.seal(payload, type: [3, 2], domain: "libp2p-relay-rsvp", by: key).protobuf
        #expect(throws: EnvelopeError.unexpectedPayloadType) { try PeerRecord(opening: voucher) }
        let crossed = SignedEnvelope.seal(payload, type: [3, 1], domain: "libp2p-routing-state", by: key).protobuf
        #expect(throws: EnvelopeError.invalidSignature) { try PeerRecord(opening: crossed) }
        #expect(throws: EnvelopeError.invalidSignature) { try SignedEnvelope(opening: voucher, domain: "other") }
    }

    @Test func refusesMissingAndBadFields() throws {
        #expect(throws: EnvelopeError.protobuf(.missing(field: 1))) {
            try SignedEnvelope(opening: ByteBuffer(), domain: "")
        }
        var badKey = ByteBuffer()
        badKey.writeProtobuf(field: 1, bytes: [0x08, 0x01])
        #expect(throws: EnvelopeError.publicKey(.malformed)) { try SignedEnvelope(opening: badKey, domain: "") }
        #expect(throws: EnvelopeError.protobuf(.missing(field: 1))) { try PeerRecord(opening: record(ByteBuffer())) }
        var badPeer = ByteBuffer()
        badPeer.writeProtobuf(field: 1, bytes: [0x12, 0x20])
        #expect(throws: EnvelopeError.invalidPeerID) { try PeerRecord(opening: record(badPeer)) }
    }

    @Test func refusesALongEnvelopeBeforeReadingIt() {
        let long = ByteBuffer(repeating: 0xFF, count: Limits.envelope + 1)
        #expect(throws: EnvelopeError.tooLong(long.readableBytes)) { try PeerRecord(opening: long) }
    }

    @Test func refusesTooManyAddressesAndSkipsUnknownOnes() throws {
        func payload(_ addresses: [[UInt8]]) -> ByteBuffer {
            var buffer = ByteBuffer()
            buffer.writeProtobuf(field: 1, bytes: key.peerID.bytes)
            for address in addresses {
                var info = ByteBuffer()
                info.writeProtobuf(field: 1, bytes: address)
                buffer.writeProtobuf(field: 3, bytes: info)
            }
            return buffer
        }
        let good: [UInt8] = [4, 1, 2, 3, 4, 6, 0, 80]
        let limit = Limits.peerRecordAddresses
        let most = try PeerRecord(opening: record(payload(Array(repeating: good, count: limit))))
        #expect(most.addresses.count == limit)
        #expect(throws: EnvelopeError.protobuf(.tooMany(field: 3, limit: limit))) {
            try PeerRecord(opening: record(payload(Array(repeating: good, count: limit + 1))))
        }
        #expect(throws: EnvelopeError.protobuf(.tooMany(field: 3, limit: limit))) {
            try PeerRecord(opening: record(payload(Array(repeating: [], count: limit + 1))))
        }
        let mixed = try PeerRecord(opening: record(payload([[0x81, 0x02], good, [], [4, 1]])))
        #expect(mixed.addresses.map(\.description) == ["/ip4/1.2.3.4/tcp/80"])
    }

    @Test func announcesAddressesWithoutItsOwnName() throws {
        let plain = try Multiaddr("/ip4/1.2.3.4/tcp/80")
        let other = try plain.appending(KeyPair.generate().peerID)
        let record = PeerRecord(
            peerID: key.peerID, sequence: .max,
            addresses: [try plain.appending(key.peerID), other, try Multiaddr("/p2p/\(key.peerID)")])
        #expect(record.addresses == [plain, other])
        #expect(try PeerRecord(opening: record.sealed(by: key)) == record)
    }
}
