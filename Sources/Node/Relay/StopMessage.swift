package import NIOCore
package import Wire

/// A message on a stream from a relay to a peer with a reservation (libp2p/specs circuit-v2,
/// `/libp2p/circuit/relay/0.2.0/stop`). Read and written with the tolerance of ``HopMessage``.
package struct StopMessage: Equatable, Sendable {
    /// The protocol's id.
    package static let protocolID = "/libp2p/circuit/relay/0.2.0/stop"

    /// What a message is.
    package enum Kind: UInt64, Sendable { case connect = 0, status = 1 }

    /// Nil for a number nobody knows.
    package var kind: Kind?
    package var peer: RelayPeer?
    package var limit: RelayLimit?
    package var status: RelayStatus?

    package init(_ kind: Kind) { self.kind = kind }

    /// An answer.
    package static func status(_ status: RelayStatus) -> StopMessage {
        var message = StopMessage(.status)
        message.status = status
        return message
    }

    /// Reads a message, without its length.
    package init(protobuf message: ByteBuffer) throws(ProtobufError) {
        self.init(.connect)
        var reader = ProtobufReader(message)
        while let field = try reader.next() {
            switch field.number {
            case 1: kind = Kind(rawValue: try field.varint)
            case 2: peer = try RelayPeer(protobuf: try field.bytes)
            case 3: limit = try RelayLimit(protobuf: try field.bytes)
            case 4: status = RelayStatus(code: try field.varint)
            default: break
            }
        }
    }

    /// The message without its length.
    package var protobuf: ByteBuffer {
        var buffer = ByteBuffer()
        if let kind { buffer.writeProtobuf(field: 1, varint: kind.rawValue) }
        if let peer { buffer.writeProtobuf(field: 2, bytes: peer.protobuf) }
        if let limit { buffer.writeProtobuf(field: 3, bytes: limit.protobuf) }
        if let status { buffer.writeProtobuf(field: 4, varint: status.code) }
        return buffer
    }

    /// The message with its length.
    package func frame() -> ByteBuffer {
        var frame = ByteBuffer()
        frame.writeFrame(protobuf)
        return frame
    }
}
