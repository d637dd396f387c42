import COpenSSL
package import NIOCore

/// ChaCha20-Poly1305 (RFC 8439) under one key, for one direction of records.
///
/// One OpenSSL context is made with the key and reused for every record: for small records that is three to four
/// times as fast as a call that takes the key each time. Nonces are Noise's: four zero bytes and a 64-bit counter,
/// little-endian. The caller owns the counter and must never seal twice under one value.
///
/// It does not frame, count or limit anything.
package final class AEAD {
    /// Bytes of a key.
    package static let keyLength = 32
    /// Bytes a sealed record is longer than its plaintext.
    package static let tagLength = 16

    private let context: OpaquePointer
    private var nonce: [UInt8] = Array(repeating: 0, count: 12)

    /// A cipher under `key`, which has ``keyLength`` bytes, either for sealing or for opening.
    package init(sealingWith key: [UInt8]) { context = Self.makeContext(key: key, sealing: true) }
    package init(openingWith key: [UInt8]) { context = Self.makeContext(key: key, sealing: false) }

    private static func makeContext(key: [UInt8], sealing: Bool) -> OpaquePointer {
        precondition(key.count == keyLength, "keys come from our own key derivation, never from a remote")
        guard let context = EVP_CIPHER_CTX_new(),
            EVP_CipherInit_ex(context, EVP_chacha20_poly1305(), nil, key, nil, sealing ? 1 : 0) == 1
        else { preconditionFailure("OpenSSL has no memory or no ChaCha20-Poly1305; no remote input is involved") }
        return context
    }

    deinit { EVP_CIPHER_CTX_free(context) }

    private func begin(nonce counter: UInt64, authenticating header: [UInt8]) -> Bool {
        for index in 0..<8 { nonce[4 + index] = UInt8(truncatingIfNeeded: counter >> UInt64(8 * index)) }
        guard EVP_CipherInit_ex(context, nil, nil, nil, nonce, -1) == 1 else { return false }
        guard !header.isEmpty else { return true }
        var length: Int32 = 0
        return EVP_CipherUpdate(context, nil, &length, header, Int32(header.count)) == 1
    }

    /// Encrypts what `buffer` holds from index `start` to its end in place, and appends the tag.
    package func seal(
        _ buffer: inout ByteBuffer, from start: Int, nonce: UInt64, authenticating header: [UInt8] = []
    ) {
        let count = buffer.writerIndex - start
        buffer.writeRepeatingByte(0, count: Self.tagLength)
        let offset = start - buffer.readerIndex
        let sealed = buffer.withUnsafeMutableReadableBytes { bytes in
            guard let base = bytes.baseAddress?.advanced(by: offset).assumingMemoryBound(to: UInt8.self) else {
                return false
            }
            var length: Int32 = 0
            return begin(nonce: nonce, authenticating: header)
                && EVP_CipherUpdate(context, base, &length, base, Int32(count)) == 1
                && EVP_CipherFinal_ex(context, base + count, &length) == 1
                && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(Self.tagLength), base + count) == 1
        }
        precondition(sealed, "sealing fails only on misuse of OpenSSL: lengths and key are our own")
    }

    /// Appends the plaintext of `sealed` (its last ``tagLength`` bytes are the tag) to `plaintext`.
    ///
    /// False, with nothing appended, when it is too short or was not sealed under this key, nonce and header. The
    /// output is another buffer because that costs no copy, and so slices of it never share memory with ciphertext.
    package func open(
        _ sealed: ByteBuffer, into plaintext: inout ByteBuffer, nonce: UInt64, authenticating header: [UInt8] = []
    ) -> Bool {
        let count = sealed.readableBytes - Self.tagLength
        guard count >= 0, let size = Int32(exactly: count) else { return false }
        let start = plaintext.writerIndex
        plaintext.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { output in
            sealed.withUnsafeReadableBytes { input in
                open(input, into: output, size: size, nonce: nonce, authenticating: header) ? count : 0
            }
        }
        return plaintext.writerIndex - start == count && (count > 0 || lastOpened)
    }

    /// Whether the last record was authentic: an empty one leaves no other trace.
    private var lastOpened = false

    private func open(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, size: Int32, nonce: UInt64,
        authenticating header: [UInt8]
    ) -> Bool {
        lastOpened = false
        guard let base = input.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return false }
        let count = Int(size)
        // An empty buffer may have no address; the cipher wants one even for no bytes.
        var nothing: UInt8 = 0
        var length: Int32 = 0
        guard begin(nonce: nonce, authenticating: header) else { return false }
        let tag = UnsafeMutableRawPointer(mutating: base + count)
        guard EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(Self.tagLength), tag) == 1 else { return false }
        if count > 0 {
            guard let target = output.baseAddress?.assumingMemoryBound(to: UInt8.self),
                EVP_CipherUpdate(context, target, &length, base, size) == 1
            else { return false }
        }
        lastOpened = EVP_CipherFinal_ex(context, &nothing, &length) == 1
        if !lastOpened { ERR_clear_error() }
        return lastOpened
    }
}
