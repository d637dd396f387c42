package import NIOCore

/// Why a content id was refused.
package enum CIDError: Error, Equatable {
    /// Not text in a known multibase, or longer than its limit.
    case notMultibase
    /// A version other than 1: version 0 has no codec and so names no key.
    case unsupportedVersion(UInt64)
    case varint(VarintError)
    case truncated
    case multihash(MultihashError)
}

/// A version 1 content id, which peers use as another way to write a peer id (libp2p/specs RFC 0001):
/// `varint(1) varint(codec) multihash`, in any multibase.
package struct CID: Hashable, Sendable {
    /// The multicodec `libp2p-key`, the only one a peer id has.
    package static let libp2pKey: UInt64 = 0x72

    /// What kind of thing the hash is of.
    package let codec: UInt64
    /// The hash.
    package let multihash: Multihash

    /// The content id of a key's hash.
    package init(codec: UInt64 = libp2pKey, multihash: Multihash) {
        self.codec = codec
        self.multihash = multihash
    }

    /// Reads the binary form, which must be the whole of `bytes`.
    package init(bytes: ByteBuffer) throws(CIDError) {
        var bytes = bytes
        let version: UInt64?
        let codec: UInt64?
        do {
            version = try bytes.readUVarint()
            codec = try bytes.readUVarint()
        } catch { throw .varint(error) }
        guard let version else { throw .truncated }
        guard version == 1 else { throw .unsupportedVersion(version) }
        guard let codec else { throw .truncated }
        self.codec = codec
        do { multihash = try Multihash(bytes: bytes) } catch { throw .multihash(error) }
    }

    /// Reads the text form, in any base of ``Multibase``.
    package init(text: some StringProtocol) throws(CIDError) {
        guard let bytes = Multibase.decode(text) else { throw .notMultibase }
        try self.init(bytes: ByteBuffer(bytes: bytes))
    }

    /// The binary form.
    package var bytes: [UInt8] {
        var buffer = ByteBuffer()
        buffer.writeUVarint(1)
        buffer.writeUVarint(codec)
        buffer.writeBytes(multihash.bytes)
        return Array(buffer.readableBytesView)
    }
}
