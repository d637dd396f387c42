import Crypto
package import NIOCore

/// Why a multihash was refused.
package enum MultihashError: Error, Equatable {
    /// The code or the length is no varint.
    case varint(VarintError)
    /// The bytes end before the digest does.
    case truncated
    /// Bytes follow the digest.
    case trailingBytes
    /// The digest is longer than ``Limits/multihashDigest``.
    case tooLong(UInt64)
    /// A digest of a known function has another length than that function gives.
    case wrongLength(code: UInt64, Int)
}

/// A digest that says which function made it: `varint(code) varint(length) digest` (multiformats/multihash).
package struct Multihash: Hashable, Sendable {
    package static let identity: UInt64 = 0x00
    package static let sha1: UInt64 = 0x11
    package static let sha256: UInt64 = 0x12
    package static let sha512: UInt64 = 0x13

    /// The function's multicodec.
    package let code: UInt64
    /// What the function gave.
    package let digest: [UInt8]

    private init(checked code: UInt64, _ digest: [UInt8]) {
        self.code = code
        self.digest = digest
    }

    /// A multihash from its parts; the length of a known function's digest must be its own.
    package init(code: UInt64, digest: [UInt8]) throws(MultihashError) {
        guard digest.count <= Limits.multihashDigest else { throw .tooLong(UInt64(digest.count)) }
        let expected: Int? =
            switch code {
            case Self.sha1: 20
            case Self.sha256: 32
            case Self.sha512: 64
            default: nil
            }
        if let expected, digest.count != expected { throw .wrongLength(code: code, digest.count) }
        self.init(checked: code, digest)
    }

    /// Reads a multihash that is the whole of `bytes`.
    package init(bytes: ByteBuffer) throws(MultihashError) {
        var bytes = bytes
        let code: UInt64?
        let length: UInt64?
        do {
            code = try bytes.readUVarint()
            length = try bytes.readUVarint()
        } catch { throw .varint(error) }
        guard let code, let length else { throw .truncated }
        guard length <= UInt64(Limits.multihashDigest) else { throw .tooLong(length) }
        guard length <= UInt64(bytes.readableBytes) else { throw .truncated }
        guard length == UInt64(bytes.readableBytes) else { throw .trailingBytes }
        try self.init(code: code, digest: Array(bytes.readableBytesView))
    }

    /// The SHA-256 of `message`.
    package static func sha256(of message: some Collection<UInt8>) -> Multihash {
        Multihash(checked: sha256, Array(SHA256.hash(data: Array(message))))
    }

    /// `fingerprint`, 32 bytes of SHA-256, as `/certhash` has it; nil for another length.
    package init?(sha256 fingerprint: [UInt8]) {
        guard fingerprint.count == 32 else { return nil }
        self.init(checked: Self.sha256, fingerprint)
    }

    /// The binary form.
    package var bytes: [UInt8] {
        var buffer = ByteBuffer()
        buffer.writeUVarint(code)
        buffer.writeUVarint(UInt64(digest.count))
        buffer.writeBytes(digest)
        return Array(buffer.readableBytesView)
    }
}
