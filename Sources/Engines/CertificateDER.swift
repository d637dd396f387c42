import Crypto

/// Writes the one form of X.509 certificate that ``Certificate`` needs (RFC 5280 §4.1, X.690).
enum CertificateDER {
    /// The certificate of `key`, signed by itself: version 3 without extensions, as aiortc's are.
    static func certificate(of key: P256.Signing.PrivateKey) -> [UInt8] {
        let publicKey = Array(key.publicKey.derRepresentation)
        let signed = sequence(
            element(0xA0, integer([2])),
            integer(serial(of: publicKey)),
            ecdsaWithSHA256,
            name,
            sequence(element(0x17, Array("200101000000Z".utf8)), element(0x18, Array("21200101000000Z".utf8))),
            name,
            publicKey)
        let signature = CertificateSignature.sign(signed, with: key)
        return sequence(signed, ecdsaWithSHA256, element(0x03, [0] + signature))
    }

    /// 16 bytes of the key's hash: positive, never zero.
    private static func serial(of publicKey: [UInt8]) -> [UInt8] {
        var serial = Array(SHA256.hash(data: publicKey).prefix(16))
        serial[0] = serial[0] & 0x3F | 0x40
        return serial
    }

    /// 1.2.840.10045.4.3.2, without parameters (RFC 5758 §3.2).
    private static let ecdsaWithSHA256 = sequence(element(0x06, [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02]))

    /// CN=WebRTC, what browsers write.
    private static let name = sequence(
        element(0x31, sequence(element(0x06, [0x55, 0x04, 0x03]), element(0x0C, Array("WebRTC".utf8)))))

    /// `bytes` begin with neither a needless zero nor a set highest bit.
    private static func integer(_ bytes: [UInt8]) -> [UInt8] { element(0x02, bytes) }

    private static func sequence(_ parts: [UInt8]...) -> [UInt8] { element(0x30, Array(parts.joined())) }

    /// Tag, length, content. All contents are our own and shorter than 64 KiB.
    private static func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        let length = content.count
        if length < 0x80 { return [tag, UInt8(length)] + content }
        if length <= 0xFF { return [tag, 0x81, UInt8(length)] + content }
        return [tag, 0x82, UInt8(length >> 8), UInt8(length & 0xFF)] + content
    }
}
