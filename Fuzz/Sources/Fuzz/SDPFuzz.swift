import NIOCore
import WebRTC

/// Session descriptions: what is read is written so that it is read again as the same.
enum SDPFuzz {
    static func run(_ input: UnsafeBufferPointer<UInt8>) {
        let text = String(decoding: input, as: UTF8.self)
        guard let description = try? SessionDescription(.offer, parsing: text) else { return }
        let again = try? SessionDescription(.offer, parsing: description.text)
        precondition(again?.text == description.text, "the text does not lead back")
        precondition(again?.parameters == description.parameters, "the parameters changed")
    }
}

/// Announcements of data channels.
enum DCEPFuzz {
    static func run(_ input: UnsafeBufferPointer<UInt8>) {
        guard let message = try? DCEPMessage(parsing: ByteBuffer(bytes: input)) else { return }
        precondition((try? DCEPMessage(parsing: message.encoded)) == message, "the bytes do not lead back")
    }
}
