package import NIOCore
package import Wire

/// A message on a stream to a relay (libp2p/specs circuit-v2, `/libp2p/circuit/relay/0.2.0/hop`).
///
/// The kind is always written: js takes a message without one for an unexpected one. One that is absent reads as
/// zero, as prost writes it. Unknown fields are skipped, repeated ones: the last counts.
package struct HopMessage: Equatable, Sendable {
    /// The protocol's id.
    package static let protocolID = "/libp2p/circuit/relay/0.2.0/hop"

    /// What a message is.
    package enum Kind: UInt64, Sendable { case reserve = 0, connect = 1, status = 2 }

    /// Nil for a number nobody knows.
    package var kind: Kind?
    package var peer: RelayPeer?
    package var reservation: RelayReservation?
    package var limit: RelayLimit?
    package var status: RelayStatus?

    package init(_ kind: Kind) { self.kind = kind }

    /// An answer.
    package static func status(_ status: RelayStatus) -> HopMessage {
        var message = HopMessage(.status)
        message.status = status
        return message
    }

    /// Reads a message, without its length.
    package init(protobuf message: ByteBuffer) throws(ProtobufError) {
        self.init(.reserve)
        var reader = ProtobufReader(message)
        while let field = try reader.next() {
            switch field.number {
            case 1: kind = Kind(rawValue: try field.varint)
            case 2: peer = try RelayPeer(protobuf: try field.bytes)
            case 3: reservation = try RelayReservation(protobuf: try field.bytes)
            case 4: limit = try RelayLimit(protobuf: try field.bytes)
            case 5: status = RelayStatus(code: try field.varint)
            default: break
            }
        }
    }

    /// The message without its length.
    package var protobuf: ByteBuffer {
        var buffer = ByteBuffer()
        if let kind { buffer.writeProtobuf(field: 1, varint: kind.rawValue) }
        if let peer { buffer.writeProtobuf(field: 2, bytes: peer.protobuf) }
        if let reservation { buffer.writeProtobuf(field: 3, bytes: reservation.protobuf) }
        if let limit { buffer.writeProtobuf(field: 4, bytes: limit.protobuf) }
        if let status { buffer.writeProtobuf(field: 5, varint: status.code) }
        return buffer
    }

    /// The message with its length, made to fit ``Limits/relayMessage``: addresses of a reservation go, last first.
    package func frame() -> ByteBuffer {
        var message = self
        var body = message.protobuf
        while body.readableBytes > Limits.relayMessage, message.reservation?.addresses.popLast() != nil {
            body = message.protobuf
        }
        var frame = ByteBuffer()
        frame.writeFrame(body)
        return frame
    }
}
