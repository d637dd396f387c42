package import NIOCore
package import Wire

/// One message of `/webrtc-signaling/0.0.1` (libp2p/specs webrtc/webrtc.md; section 5 of the wire reference):
/// `Message { optional Type type = 1; optional string data = 2; }` behind its length as a varint.
package struct SignallingMessage: Equatable, Sendable {
    /// What the data is. Numbers that are not listed are kept: the third one is a proposal that only py-libp2p sends.
    package enum Kind: Equatable, Sendable {
        case offer
        case answer
        case candidate
        case other(UInt64)

        init(_ number: UInt64) {
            switch number {
            case 0: self = .offer
            case 1: self = .answer
            case 2: self = .candidate
            default: self = .other(number)
            }
        }

        var number: UInt64 {
            switch self {
            case .offer: 0
            case .answer: 1
            case .candidate: 2
            case .other(let number): number
            }
        }
    }

    package var kind: Kind
    /// A description's text, or JSON.
    package var data: ByteBuffer

    package init(_ kind: Kind, _ data: ByteBuffer) { (self.kind, self.data) = (kind, data) }
    package init(_ kind: Kind, _ text: String) { self.init(kind, ByteBuffer(string: text)) }

    /// Reads a message without its length. A missing type is the first, as in proto3.
    package init(message: ByteBuffer) throws(ProtobufError) {
        self.init(.offer, ByteBuffer())
        var reader = ProtobufReader(message)
        while let field = try reader.next() {
            switch field.number {
            case 1: kind = Kind(try field.varint)
            case 2: data = try field.bytes
            default: break
            }
        }
    }

    /// The message with its length. The type is written although it may be zero: js-libp2p misses it otherwise.
    package var encoded: ByteBuffer {
        var message = ByteBuffer()
        message.writeProtobuf(field: 1, varint: kind.number)
        message.writeProtobuf(field: 2, bytes: data)
        var frame = ByteBuffer()
        frame.writeFrame(message)
        return frame
    }
}
