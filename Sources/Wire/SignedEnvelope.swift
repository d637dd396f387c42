package import NIOCore

/// Why an envelope, or the record in it, was refused.
package enum EnvelopeError: Error, Equatable {
    /// Longer than ``Limits/envelope``.
    case tooLong(Int)
    case protobuf(ProtobufError)
    case publicKey(KeyError)
    /// The signature is not the key's, or not over this payload, type and domain.
    case invalidSignature
    /// The payload is of no type that was asked for.
    case unexpectedPayloadType
    /// The record names another peer than the one that signed it (RUSTSEC-2022-0009).
    case notTheSigner
    /// The record's peer id is none.
    case invalidPeerID
}

/// A payload signed by a peer's key, together with the key and with what the payload is (libp2p RFC 0002).
///
/// The signature also covers a domain, a text both sides know, so that what was signed for one purpose is worth
/// nothing for another. Whoever holds a value of this type holds a signature that was checked or just made.
package struct SignedEnvelope: Hashable, Sendable {
    /// The signer's key.
    package let publicKey: PublicKey
    /// What the payload is, in the terms of its domain.
    package let payloadType: [UInt8]
    package let payload: ByteBuffer
    package let signature: [UInt8]

    /// Signs `payload` by `key`.
    package static func seal(
        _ payload: ByteBuffer, type payloadType: [UInt8], domain: String, by key: KeyPair
    ) -> SignedEnvelope {
        let message = signedBytes(payload, type: payloadType, domain: domain)
        return SignedEnvelope(
            publicKey: key.publicKey, payloadType: payloadType, payload: payload,
            signature: key.signature(of: message.readableBytesView))
    }

    private init(publicKey: PublicKey, payloadType: [UInt8], payload: ByteBuffer, signature: [UInt8]) {
        self.publicKey = publicKey
        self.payloadType = payloadType
        self.payload = payload
        self.signature = signature
    }

    /// Opens an envelope from the wire: reads it and checks its signature for `domain`.
    package init(opening message: ByteBuffer, domain: String) throws(EnvelopeError) {
        try self.init(opening: message) { _ in domain }
    }

    /// Opens an envelope whose domain follows from its payload's type; nil there refuses the type.
    package init(opening message: ByteBuffer, domain: ([UInt8]) -> String?) throws(EnvelopeError) {
        guard message.readableBytes <= Limits.envelope else { throw .tooLong(message.readableBytes) }
        var key: ByteBuffer?
        var payloadType: [UInt8] = []
        var payload = ByteBuffer()
        var signature: [UInt8] = []
        var reader = ProtobufReader(message)
        do {
            while let field = try reader.next() {
                switch field.number {
                case 1: key = try field.bytes
                case 2: payloadType = Array(try field.bytes.readableBytesView)
                case 3: payload = try field.bytes
                case 5: signature = Array(try field.bytes.readableBytesView)
                default: break
                }
            }
        } catch { throw .protobuf(error) }
        guard let key else { throw .protobuf(.missing(field: 1)) }
        guard let domain = domain(payloadType) else { throw .unexpectedPayloadType }
        let publicKey: PublicKey
        do { publicKey = try PublicKey(protobuf: key) } catch { throw .publicKey(error) }
        let signed = Self.signedBytes(payload, type: payloadType, domain: domain)
        guard publicKey.isValid(signature: signature, of: signed.readableBytesView) else { throw .invalidSignature }
        self.init(publicKey: publicKey, payloadType: payloadType, payload: payload, signature: signature)
    }

    /// The protobuf `Envelope`.
    package var protobuf: ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeProtobuf(field: 1, bytes: publicKey.protobuf)
        buffer.writeProtobuf(field: 2, bytes: payloadType)
        buffer.writeProtobuf(field: 3, bytes: payload)
        buffer.writeProtobuf(field: 5, bytes: signature)
        return buffer
    }

    /// What the signature is over: domain, type and payload, each behind its length.
    static func signedBytes(_ payload: ByteBuffer, type payloadType: [UInt8], domain: String) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeFrame(ByteBuffer(string: domain))
        buffer.writeFrame(ByteBuffer(bytes: payloadType))
        buffer.writeFrame(payload)
        return buffer
    }
}
