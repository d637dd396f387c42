import NIOCore
import Testing
import Wire

@testable import Node

/// Vouchers, genuine and otherwise.
@Suite struct ReservationVoucherTests {
    private static func relay() throws -> KeyPair { try KeyPair(seed: Array(0x40...0x5F)) }
    private static let envelope =
        "0a24080112202543b92ff1095511476adc8369db6ddc933665a11978dda1404ee1066ca9559d120203021a560a26002408"
        + "0112202543b92ff1095511476adc8369db6ddc933665a11978dda1404ee1066ca9559d122600240801122003a107bff3ce10be1d"
        + "70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b81880b1ef86072a40e466c45c67c0a9c99fe8193758a933733869068"
        + "41a845389ff5ba7e914ba0beef80c2b172f4571ad3a80003afc3c82c18d817b53d9132cc7203a570856beb50e"

    private static func peer() throws -> PeerID { try RelayMessageTests.peer(RelayMessageTests.peerA) }

    @Test func theVectorIsMadeAndRead() throws {
        let relay = try Self.relay()
        let voucher = ReservationVoucher(relay: relay.peerID, peer: try Self.peer(), expires: 1_893_456_000)
        let bytes = ByteBuffer(bytes: Fixture.bytes(hex: Self.envelope))
        #expect(voucher.sealed(by: relay) == bytes)
        let read = try ReservationVoucher(opening: bytes, from: relay.peerID, for: Self.peer(), now: 1_893_455_999)
        #expect(read == voucher)
    }

    private enum Forgery: String, CaseIterable {
        case signedByAnother, namesAnotherRelay, namesAnotherPeer, over, otherPurpose, otherType, changed, empty
        case withoutPeer
    }

    @Test(arguments: Forgery.allCases.map(\.rawValue))
    func anythingElseIsRefused(name: String) throws {
        let forgery = try #require(Forgery(rawValue: name))
        let (relay, other, own) = (try Fixture.key(1), try Fixture.key(2), try Fixture.peer(3))
        let genuine = ReservationVoucher(relay: relay.peerID, peer: own, expires: 100)
        var (envelope, error): (ByteBuffer, VoucherError)
        switch forgery {
        case .signedByAnother: (envelope, error) = (genuine.sealed(by: other), .otherRelay)
        case .namesAnotherRelay:
            let voucher = ReservationVoucher(relay: other.peerID, peer: own, expires: 100)
            (envelope, error) = (voucher.sealed(by: relay), .otherRelay)
        case .namesAnotherPeer:
            let voucher = ReservationVoucher(relay: relay.peerID, peer: other.peerID, expires: 100)
            (envelope, error) = (voucher.sealed(by: relay), .otherPeer)
        case .over:
            let voucher = ReservationVoucher(relay: relay.peerID, peer: own, expires: 50)
            (envelope, error) = (voucher.sealed(by: relay), .expired)
        case .otherPurpose:
            let record = PeerRecord(peerID: relay.peerID, sequence: 1, addresses: [])
            (envelope, error) = (record.sealed(by: relay), .envelope(.unexpectedPayloadType))
        case .otherType:
            let payload = ByteBuffer(bytes: [0x18, 100])
            // 0x0302 as a varint, which is what the multicodec would be.
            let sealed = SignedEnvelope.seal(payload, type: [0x82, 0x06], domain: "libp2p-relay-rsvp", by: relay)
            (envelope, error) = (sealed.protobuf, .envelope(.unexpectedPayloadType))
        case .changed:
            envelope = genuine.sealed(by: relay)
            envelope.setInteger(
                UInt8(envelope.getInteger(at: envelope.writerIndex - 1, as: UInt8.self) ?? 0) ^ 1,
                at: envelope.writerIndex - 1)
            error = .envelope(.invalidSignature)
        case .empty: (envelope, error) = (ByteBuffer(), .envelope(.protobuf(.missing(field: 1))))
        case .withoutPeer:
            var payload = ByteBuffer()
            payload.writeProtobuf(field: 1, bytes: relay.peerID.bytes)
            payload.writeProtobuf(field: 3, varint: 100)
            let sealed = SignedEnvelope.seal(payload, type: [3, 2], domain: "libp2p-relay-rsvp", by: relay)
            (envelope, error) = (sealed.protobuf, .malformed)
        }
        #expect(throws: error) {
            try ReservationVoucher(opening: envelope, from: relay.peerID, for: own, now: 50)
        }
    }
}
