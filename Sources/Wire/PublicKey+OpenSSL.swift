import Cryptography

extension PublicKey {
    /// `SEQUENCE { SEQUENCE { ecPublicKey, secp256k1 }, BIT STRING … }` up to the 33 compressed bytes.
    private static let secp256k1Prefix: [UInt8] = [
        0x30, 0x36, 0x30, 0x10, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x05, 0x2B, 0x81, 0x04,
        0x00, 0x0A, 0x03, 0x22, 0x00,
    ]

    /// RSA and P-256 keys are SubjectPublicKeyInfos already; a secp256k1 point becomes one behind a fixed prefix.
    func isValidByOpenSSL(signature: [UInt8], of message: [UInt8]) -> Bool {
        switch kind {
        case .ed25519: false
        case .rsa, .ecdsa: Cryptography.isValid(signature: signature, of: message, subjectPublicKeyInfo: data)
        case .secp256k1:
            data.count == 33
                && Cryptography.isValid(
                    signature: signature, of: message, subjectPublicKeyInfo: Self.secp256k1Prefix + data)
        }
    }
}
