import Crypto
import NIOCore

/// The key of MESSAGE-INTEGRITY (RFC 8489 §9, §14.5): HMAC-SHA1, its first blocks computed once and reused.
///
package struct STUNKey: Sendable {
    /// Bytes of an authentication code.
    package static let codeLength = 20

    private let prepared: HMAC<Insecure.SHA1>

    /// A short-term password.
    package init(password: String) { self.init(bytes: Array(password.utf8)) }

    /// A long-term key (RFC 8489 §9.2.2): the MD5 of `user:realm:password`. Names and passwords are taken as they are,
    /// without the preparation that RFC 8265 asks for; it changes nothing of ASCII.
    package init(username: String, realm: String, password: String) {
        self.init(bytes: Array(Insecure.MD5.hash(data: Array("\(username):\(realm):\(password)".utf8))))
    }

    /// A key of any length.
    package init(bytes: [UInt8]) { prepared = HMAC(key: SymmetricKey(data: bytes)) }

    /// The code of the first `count` bytes of `message`, with `length` in the place of the header's length field.
    ///
    /// The bytes pass through one array, at most `Limits.stunMessage` long: there is no safe way to lend a buffer.
    private func code(of message: ByteBuffer, count: Int, length: UInt16) -> HMAC<Insecure.SHA1>.MAC {
        var bytes = message.getBytes(at: message.readerIndex, length: count) ?? []
        if bytes.count >= STUNMessage.headerLength {
            bytes[2] = UInt8(truncatingIfNeeded: length >> 8)
            bytes[3] = UInt8(truncatingIfNeeded: length)
        }
        var hash = prepared
        hash.update(data: bytes)
        return hash.finalize()
    }

    func sign(_ message: ByteBuffer, count: Int, length: UInt16) -> [UInt8] {
        Array(code(of: message, count: count, length: length))
    }

    /// Compares in constant time.
    func isValid(_ code: some Sequence<UInt8>, of message: ByteBuffer, count: Int, length: UInt16) -> Bool {
        var difference: UInt8 = 0
        var seen = 0
        for (one, other) in zip(self.code(of: message, count: count, length: length), code) {
            difference |= one ^ other
            seen += 1
        }
        return difference == 0 && seen == Self.codeLength
    }
}
