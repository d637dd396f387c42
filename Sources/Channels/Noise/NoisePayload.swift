package import NIOCore
package import Wire

/// What libp2p says inside a Noise handshake (libp2p/specs noise/README.md): who I am, my signature of the static
/// key used, and the muxers I speak.
package struct NoisePayload {
    package let identity: PublicKey
    /// `stream_muxers`, at most `Limits.noiseMuxers` of them.
    package let muxers: [String]

    private static let signedPrefix = Array("noise-libp2p-static-key:".utf8)

    /// Writes the payload that `identity` sends for its own `staticKey`.
    package static func encoded(identity: KeyPair, staticKey: [UInt8], muxers: [String]) -> ByteBuffer {
        var message = ByteBuffer()
        message.writeProtobuf(field: 1, bytes: identity.publicKey.protobuf)
        message.writeProtobuf(field: 2, bytes: identity.signature(of: signedPrefix + staticKey))
        guard !muxers.isEmpty else { return message }
        var extensions = ByteBuffer()
        for muxer in muxers { extensions.writeProtobuf(field: 2, string: muxer) }
        message.writeProtobuf(field: 4, bytes: extensions)
        return message
    }

    /// Reads a payload and checks its signature of the `staticKey` the handshake received. Unknown fields and
    /// extensions are skipped.
    package init(_ message: ByteBuffer, staticKey: [UInt8]) throws(NoiseError) {
        var key: ByteBuffer?
        var signature: ByteBuffer?
        var muxers: [String] = []
        do {
            var reader = ProtobufReader(message)
            while let field = try reader.next() {
                switch field.number {
                case 1: key = try field.bytes
                case 2: signature = try field.bytes
                case 4: muxers += try Self.muxers(try field.bytes)
                default: break
                }
            }
        } catch { throw .malformedPayload }
        guard let key, let signature else { throw .malformedPayload }
        do { identity = try PublicKey(protobuf: key) } catch { throw .invalidIdentityKey }
        guard identity.isValid(signature: signature.readableBytesView, of: Self.signedPrefix + staticKey) else {
            throw .invalidSignature
        }
        self.muxers = Array(muxers.prefix(Limits.noiseMuxers))
    }

    private static func muxers(_ extensions: ByteBuffer) throws(ProtobufError) -> [String] {
        var result: [String] = []
        var reader = ProtobufReader(extensions)
        while let field = try reader.next() {
            if field.number == 2, result.count < Limits.noiseMuxers { result.append(try field.string) }
        }
        return result
    }
}
