import COpenSSL

/// Whether `signature` signs `message`, with SHA-256, under the key of a SubjectPublicKeyInfo.
///
/// RSA signatures are PKCS#1 v1.5, elliptic-curve ones DER. False for anything malformed; never traps.
package func isValid(signature: [UInt8], of message: [UInt8], subjectPublicKeyInfo spki: [UInt8]) -> Bool {
    spki.withUnsafeBufferPointer { bytes in
        var cursor = bytes.baseAddress
        guard let key = d2i_PUBKEY(nil, &cursor, bytes.count) else {
            ERR_clear_error()
            return false
        }
        defer { EVP_PKEY_free(key) }
        guard let context = EVP_MD_CTX_new() else { return false }
        defer { EVP_MD_CTX_free(context) }
        guard EVP_DigestVerifyInit(context, nil, EVP_sha256(), nil, key) == 1 else {
            ERR_clear_error()
            return false
        }
        let verdict = EVP_DigestVerify(context, signature, signature.count, message, message.count)
        if verdict != 1 { ERR_clear_error() }
        return verdict == 1
    }
}
