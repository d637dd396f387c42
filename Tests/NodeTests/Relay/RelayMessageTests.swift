import Foundation
import NIOCore
import Testing
import Wire

@testable import Node

/// Hop and stop messages: their bytes, and what is no message.
@Suite struct RelayMessageTests {
    static let peerA = "00240801122003a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"
    static let peerB = "00240801122029acbae141bccaf0b22e1a94d34d0bc7361e526d0bfe12c89794bc9322966dd7"
    static let grant = "relay STATUS OK with reservation, voucher and limit 120 s / 131072 B"

    static func vector(_ name: String) throws -> ByteBuffer {
        let vector = try #require(try Fixture.vectors("protobuf_messages").first { $0.name == name })
        return ByteBuffer(bytes: Fixture.bytes(hex: vector.hex))
    }

    static func peer(_ hex: String) throws -> PeerID { try PeerID(bytes: Fixture.bytes(hex: hex)) }

    private static func hop(_ name: String) throws -> (HopMessage, frame: ByteBuffer) {
        let frame = try vector(name)
        var inbox = frame
        let message = try #require(try HopMessage.read(from: &inbox)?.get())
        #expect(inbox.readableBytes == 0)
        return (message, frame)
    }

    private static func stop(_ name: String) throws -> (StopMessage, frame: ByteBuffer) {
        let frame = try vector(name)
        var inbox = frame
        return (try #require(try StopMessage.read(from: &inbox)?.get()), frame)
    }

    @Test func reserveIsWrittenWithItsKind() throws {
        let (message, frame) = try Self.hop("relay RESERVE")
        #expect(message == HopMessage(.reserve))
        #expect(ReserveRequest.opening == frame)
    }

    @Test func connectNamesThePeer() throws {
        let (message, frame) = try Self.hop("relay CONNECT to A")
        #expect(message.kind == .connect)
        #expect(try message.peer?.id == Self.peer(Self.peerA))
        #expect(CircuitRequest.opening(to: try Self.peer(Self.peerA)) == frame)
    }

    @Test func aReservationHasTimeAddressesVoucherAndLimit() throws {
        let (message, frame) = try Self.hop(Self.grant)
        #expect(message.kind == .status && message.status == .ok)
        #expect(message.reservation?.expires == 1_893_456_000)
        #expect(message.reservation?.addresses.count == 1)
        #expect(message.limit == RelayLimit(seconds: 120, bytes: 131_072))
        #expect(message.frame() == frame)
    }

    @Test func aStatusIsWrittenWithoutTheRest() throws {
        let (message, frame) = try Self.hop("relay STATUS NO_RESERVATION")
        #expect(message == .status(.noReservation))
        #expect(message.frame() == frame)
    }

    @Test func stopMessagesAreTheirBytes() throws {
        let (connect, frame) = try Self.stop("stop CONNECT from B with limit")
        let limit = RelayLimit(seconds: 120, bytes: 131_072)
        #expect(connect.kind == .connect && connect.limit == limit)
        #expect(try connect.peer?.id == Self.peer(Self.peerB))
        #expect(StopRequest.opening(from: try Self.peer(Self.peerB), limit: limit) == frame)
        let (status, statusFrame) = try Self.stop("stop STATUS OK")
        #expect(status == .status(.ok) && status.frame() == statusFrame)
    }

    @Test func anAbsentKindIsZeroAndAnUnknownOneNone() throws {
        #expect(try HopMessage(protobuf: ByteBuffer()).kind == .reserve)
        #expect(try StopMessage(protobuf: ByteBuffer()).kind == .connect)
        #expect(try HopMessage(protobuf: ByteBuffer(bytes: [0x08, 7])).kind == nil)
        #expect(try StopMessage(protobuf: ByteBuffer(bytes: [0x08, 7])).kind == nil)
    }

    @Test func unknownFieldsAreSkippedAndTheLastOfRepeatedOnesCounts() throws {
        let bytes: [UInt8] = [0x08, 2, 0x28, 100, 0x28, 0xCC, 1, 0x7A, 2, 1, 2, 0x98, 6, 1]
        #expect(try HopMessage(protobuf: ByteBuffer(bytes: bytes)) == .status(.noReservation))
    }

    @Test func addressesThatCannotBeReadAreLeftOut() throws {
        var reservation = ByteBuffer()
        reservation.writeProtobuf(field: 1, varint: 9)
        reservation.writeProtobuf(field: 2, bytes: [0xFF, 0xFF])
        reservation.writeProtobuf(field: 2, bytes: try Multiaddr("/ip4/1.2.3.4/tcp/1").bytes)
        reservation.writeProtobuf(field: 2, bytes: [UInt8]())
        #expect(try RelayReservation(protobuf: reservation).addresses == [Multiaddr("/ip4/1.2.3.4/tcp/1")])
    }

    @Test func thousandsOfAddressesAreNotKept() throws {
        var message = ByteBuffer()
        for port in 1...5000 {
            message.writeProtobuf(field: 2, bytes: try Multiaddr("/ip4/1.2.3.4/tcp/\(port)").bytes)
        }
        message.writeProtobuf(field: 1, bytes: try Self.peer(Self.peerA).bytes)
        #expect(try RelayReservation(protobuf: ByteBuffer()).addresses.isEmpty)
        #expect(try RelayPeer(protobuf: message).addresses.count == Limits.relayMessageAddresses)
    }

    @Test func aGrantWithTooManyAddressesLosesTheLast() throws {
        var message = HopMessage.status(.ok)
        let name = String(repeating: "a", count: 60)
        message.reservation = RelayReservation(
            expires: 1, addresses: try (0..<100).map { try Multiaddr("/dns/\(name)\($0)/tcp/4001") })
        var frame = message.frame()
        #expect(frame.readableBytes <= Limits.relayMessage + 2)
        let read = try #require(try HopMessage.read(from: &frame)?.get())
        #expect(try #require(read.reservation).addresses.first == Multiaddr("/dns/\(name)0/tcp/4001"))
    }

    @Test(arguments: [
        "01", "0a", "12", "ffffffffffffffffffff7f", "1201ff", "120a0a08ffffffffffffffff", "0b", "0f", "1a0208", "00",
        "28ffffffffffffffffffff01", "2201", "0d00000000",
    ])
    func whatIsNoMessageIsRefused(hex: String) {
        let bytes = ByteBuffer(bytes: Fixture.bytes(hex: hex))
        #expect(throws: ProtobufError.self) { try HopMessage(protobuf: bytes) }
    }

    @Test func aLongMessageIsRefusedBeforeItIsThere() {
        var inbox = ByteBuffer()
        inbox.writeUVarint(UInt64(Limits.relayMessage + 1))
        var other = inbox
        guard case .failure(.framing)? = HopMessage.read(from: &inbox),
            case .failure(.framing)? = StopMessage.read(from: &other)
        else {
            Issue.record("it was not refused")
            return
        }
    }

    @Test func aDurationBeyondItsTypeIsNone() throws {
        var limit = ByteBuffer()
        limit.writeProtobuf(field: 1, varint: .max)
        limit.writeProtobuf(field: 2, varint: .max)
        #expect(try RelayLimit(protobuf: limit) == RelayLimit(seconds: 0, bytes: .max))
    }

    @Test func randomChangesNeverTrapAndAreReadTheSameAgain() throws {
        var random = SplitMix64(seed: 7)
        let names = [Self.grant, "relay CONNECT to A", "stop CONNECT from B with limit"]
        for name in names {
            let frame = try Self.vector(name)
            for _ in 0..<2000 {
                var bytes = Array(frame.readableBytesView)
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    let index = Int.random(in: 0..<bytes.count, using: &random)
                    switch Int.random(in: 0..<3, using: &random) {
                    case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
                    case 1: bytes.remove(at: index)
                    default: bytes.insert(UInt8.random(in: 0...255, using: &random), at: index)
                    }
                }
                var (hop, stop) = (ByteBuffer(bytes: bytes), ByteBuffer(bytes: bytes))
                if case .success(let message)? = HopMessage.read(from: &hop), message.kind != nil {
                    #expect(try HopMessage(protobuf: message.protobuf) == message)
                }
                if case .success(let message)? = StopMessage.read(from: &stop), message.kind != nil {
                    #expect(try StopMessage(protobuf: message.protobuf) == message)
                }
            }
        }
    }
}
