import Crypto
import Cryptography
import NIOCore

/// The running keys and hash of a Noise handshake (The Noise Protocol Framework, sections 5.1 and 5.2), for
/// `25519_ChaChaPoly_SHA256`.
struct NoiseSymmetricState {
    private(set) var hash: [UInt8]
    private var chainingKey: [UInt8]
    private var key: [UInt8]?
    private var counter: UInt64 = 0

    /// `protocolName` has exactly 32 bytes, as ours has: it is the first hash as it stands.
    init(protocolName: String, prologue: [UInt8]) {
        hash = Array(protocolName.utf8)
        chainingKey = hash
        mix(hash: prologue)
    }

    mutating func mix(hash data: some Collection<UInt8>) {
        var digest = SHA256()
        digest.update(data: hash)
        digest.update(data: Array(data))
        hash = Array(digest.finalize())
    }

    /// Mixes in a Diffie-Hellman result. All zeros mean the remote sent a point of small order: refused.
    mutating func mix(
        _ own: Curve25519.KeyAgreement.PrivateKey, _ theirs: Curve25519.KeyAgreement.PublicKey
    ) throws(NoiseError) {
        let zeros = [UInt8](repeating: 0, count: 32)
        guard let shared = try? own.sharedSecretFromKeyAgreement(with: theirs), !(shared == zeros) else {
            throw .degenerateKey
        }
        let (next, key) = derive(SymmetricKey(data: shared))
        chainingKey = next
        self.key = key
        counter = 0
    }

    /// Encrypts `plaintext` (or copies it, before there is a key) onto `message`.
    mutating func encryptAndHash(_ plaintext: some Collection<UInt8>, into message: inout ByteBuffer) {
        let start = message.writerIndex
        message.writeBytes(plaintext)
        if let key {
            AEAD(sealingWith: key).seal(&message, from: start, nonce: counter, authenticating: hash)
            counter += 1
        }
        mix(hash: message.viewBytes(at: start, length: message.writerIndex - start).map(Array.init) ?? [])
    }

    /// The reverse: `sealed` is all of a field.
    mutating func decryptAndHash(_ sealed: ByteBuffer) throws(NoiseError) -> ByteBuffer {
        var plaintext = sealed
        if let key {
            plaintext = ByteBuffer()
            guard AEAD(openingWith: key).open(sealed, into: &plaintext, nonce: counter, authenticating: hash) else {
                throw .authenticationFailed
            }
            counter += 1
        }
        mix(hash: sealed.readableBytesView)
        return plaintext
    }

    /// The two record keys: initiator to responder, then back.
    func split() -> ([UInt8], [UInt8]) { derive(SymmetricKey(data: [UInt8]())) }

    /// Noise's HKDF with two outputs.
    private func derive(_ input: SymmetricKey) -> ([UInt8], [UInt8]) {
        let temporary = SymmetricKey(data: Array(HKDF<SHA256>.extract(inputKeyMaterial: input, salt: chainingKey)))
        let first = Array(HMAC<SHA256>.authenticationCode(for: [0x01] as [UInt8], using: temporary))
        let second = Array(HMAC<SHA256>.authenticationCode(for: first + [0x02], using: temporary))
        return (first, second)
    }
}
