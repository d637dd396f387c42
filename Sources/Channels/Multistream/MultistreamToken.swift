package import NIOCore
import Wire

/// The tokens of multistream-select 1.0.0: `varint(length + 1) text '\n'`.
package enum MultistreamToken {
    /// What both sides say first.
    package static let header = "/multistream/1.0.0"
    /// "Not available": the proposal is refused.
    package static let refusal = "na"
    /// An obsolete request for a list; we refuse it like an unknown protocol.
    package static let list = "ls"

    /// Whether `text` may travel as a token: it fits, and is one line.
    package static func isValid(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count < Limits.multistreamToken && !text.utf8.contains(UInt8(ascii: "\n"))
    }
}

extension ByteBuffer {
    /// Writes one token.
    package mutating func writeToken(_ text: String) {
        writeUVarint(UInt64(text.utf8.count) + 1)
        writeString(text)
        writeInteger(UInt8(ascii: "\n"))
    }

    /// Reads one token without its newline; nil, with nothing read, while it is not all there.
    package mutating func readToken() throws(MultistreamError) -> String? {
        let message: ByteBuffer?
        do { message = try readFrame(limit: Limits.multistreamToken) } catch {
            switch error {
            case .varint: throw .malformedLength
            case .tooLong: throw .tokenTooLong
            }
        }
        guard var message else { return nil }
        guard message.readableBytes > 0 else { throw .emptyToken }
        let text = message.readSlice(length: message.readableBytes - 1)
        guard message.readInteger(as: UInt8.self) == UInt8(ascii: "\n"), let text else { throw .missingNewline }
        guard let text = String(validating: text.readableBytesView, as: UTF8.self) else { throw .invalidText }
        return text
    }
}
