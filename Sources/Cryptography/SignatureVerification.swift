import COpenSSL

/// What the key in a SubjectPublicKeyInfo has to be.
package enum PublicKeyAlgorithm: Sendable {
    /// RSA with a modulus of so many bits, and a public exponent from 2 to 2^31 - 1 as go has it: the cost of a
    /// verification grows with both.
    case rsa(bits: ClosedRange<Int>)
    /// A point of any named curve; the caller has looked at which.
    case ellipticCurve
}

/// Whether `spki`, all of it, is a key of that algorithm; a point must lie on its curve. Never traps.
package func isPublicKey(subjectPublicKeyInfo spki: [UInt8], _ algorithm: PublicKeyAlgorithm) -> Bool {
    withPublicKey(spki, algorithm) { _ in true }
}

/// Whether `signature` signs `message`, with SHA-256, under the key of a SubjectPublicKeyInfo.
///
/// RSA signatures are PKCS#1 v1.5, elliptic-curve ones DER. False for anything malformed; never traps.
package func isValid(
    signature: [UInt8], of message: [UInt8], subjectPublicKeyInfo spki: [UInt8], _ algorithm: PublicKeyAlgorithm
) -> Bool {
    withPublicKey(spki, algorithm) { key in
        guard let context = EVP_MD_CTX_new() else { return false }
        defer { EVP_MD_CTX_free(context) }
        guard EVP_DigestVerifyInit(context, nil, EVP_sha256(), nil, key) == 1 else { return false }
        return EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    }
}

/// Runs `body` on the key in `spki`; false when there is none or it is not of `algorithm`. Leaves OpenSSL's error
/// queue of this thread empty.
private func withPublicKey(
    _ spki: [UInt8], _ algorithm: PublicKeyAlgorithm, _ body: (OpaquePointer) -> Bool
) -> Bool {
    spki.withUnsafeBufferPointer { bytes in
        defer { ERR_clear_error() }
        var cursor = bytes.baseAddress
        guard let key = d2i_PUBKEY(nil, &cursor, bytes.count) else { return false }
        defer { EVP_PKEY_free(key) }
        guard let start = bytes.baseAddress, cursor == start + bytes.count, matches(key, algorithm) else {
            return false
        }
        return body(key)
    }
}

private func matches(_ key: OpaquePointer, _ algorithm: PublicKeyAlgorithm) -> Bool {
    switch algorithm {
    case .ellipticCurve: return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC
    case .rsa(let bits):
        guard EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA, bits.contains(Int(EVP_PKEY_get_bits(key))) else {
            return false
        }
        var exponent: OpaquePointer?
        guard EVP_PKEY_get_bn_param(key, "e", &exponent) == 1 else { return false }
        defer { BN_free(exponent) }
        return (2...31).contains(BN_num_bits(exponent))
    }
}
