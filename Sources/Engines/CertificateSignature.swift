import COpenSSL
import Crypto

/// ECDSA on P-256 with SHA-256, its nonce computed from key and message: the same signature every time (RFC 6979 §3.2).
///
/// OpenSSL 3.0 and swift-crypto draw the nonce at random, so this composes it from their parts: HMAC and the point
/// multiplication of swift-crypto, the arithmetic modulo the order of the group of OpenSSL. Made for a certificate at
/// the start of a program; a signature of this kind is not for secrets an attacker may time again and again.
enum CertificateSignature {
    /// The order of P-256's group.
    private static let order: [UInt8] = [
        0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
        0xBC, 0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
    ]

    /// The signature of `message` in DER.
    static func sign(_ message: [UInt8], with key: P256.Signing.PrivateKey) -> [UInt8] {
        guard let signature = try? P256.Signing.ECDSASignature(rawRepresentation: signRaw(message, with: key)) else {
            preconditionFailure("a signature has 64 bytes; no remote input is involved")
        }
        return Array(signature.derRepresentation)
    }

    /// The signature of `message`: r and s, 32 bytes each.
    static func signRaw(_ message: [UInt8], with key: P256.Signing.PrivateKey) -> [UInt8] {
        let arithmetic = ScalarArithmetic(modulus: order)
        let secret = Array(key.rawRepresentation)
        let digest = arithmetic.reduced(Array(SHA256.hash(data: message)))
        var nonces = NonceGenerator(secret: secret, digest: digest)
        while true {
            let nonce = nonces.next()
            // Out of range, or a zero: so rare that nobody has seen it; the RFC says to take the next.
            guard let point = try? P256.Signing.PrivateKey(rawRepresentation: nonce).publicKey else { continue }
            let r = arithmetic.reduced(Array(point.rawRepresentation.prefix(32)))
            let s = arithmetic.product(
                arithmetic.inverse(nonce), arithmetic.sum(digest, arithmetic.product(r, secret)))
            guard r.contains(where: { $0 != 0 }), s.contains(where: { $0 != 0 }) else { continue }
            return r + s
        }
    }

    /// The generator of RFC 6979 §3.2, steps b to h.
    private struct NonceGenerator {
        private var key = [UInt8](repeating: 0, count: 32)
        private var value = [UInt8](repeating: 1, count: 32)
        private var isFirst = true

        init(secret: [UInt8], digest: [UInt8]) {
            for separator: UInt8 in [0, 1] {
                key = hmac(value + [separator] + secret + digest)
                value = hmac(value)
            }
        }

        mutating func next() -> [UInt8] {
            if !isFirst {
                key = hmac(value + [0])
                value = hmac(value)
            }
            isFirst = false
            value = hmac(value)
            return value
        }

        private func hmac(_ bytes: [UInt8]) -> [UInt8] {
            Array(HMAC<SHA256>.authenticationCode(for: bytes, using: SymmetricKey(data: key)))
        }
    }
}

/// Numbers of 32 bytes, big-endian, modulo a prime of 32 bytes.
private final class ScalarArithmetic {
    private let context: OpaquePointer
    private let modulus: OpaquePointer

    init(modulus: [UInt8]) {
        guard let context = BN_CTX_secure_new() else { Self.outOfMemory() }
        self.context = context
        self.modulus = Self.number(modulus)
    }

    deinit {
        BN_free(modulus)
        BN_CTX_free(context)
    }

    func reduced(_ number: [UInt8]) -> [UInt8] {
        compute(number, [1]) { BN_mod_mul($0, $1, $2, modulus, context) }
    }

    func sum(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] {
        compute(left, right) { BN_mod_add($0, $1, $2, modulus, context) }
    }

    func product(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] {
        compute(left, right) { BN_mod_mul($0, $1, $2, modulus, context) }
    }

    func inverse(_ number: [UInt8]) -> [UInt8] {
        compute(number, []) { result, number, _ in
            BN_set_flags(number, BN_FLG_CONSTTIME)
            return BN_mod_inverse(result, number, modulus, context) == nil ? 0 : 1
        }
    }

    private func compute(
        _ left: [UInt8], _ right: [UInt8], _ operation: (OpaquePointer, OpaquePointer, OpaquePointer) -> Int32
    ) -> [UInt8] {
        let (result, left, right) = (Self.number([]), Self.number(left), Self.number(right))
        defer { for number in [result, left, right] { BN_clear_free(number) } }
        var bytes = [UInt8](repeating: 0, count: 32)
        guard operation(result, left, right) == 1, BN_bn2binpad(result, &bytes, 32) == 32 else { Self.outOfMemory() }
        return bytes
    }

    private static func number(_ bytes: [UInt8]) -> OpaquePointer {
        guard let number = BN_bin2bn(bytes, Int32(bytes.count), nil) else { outOfMemory() }
        return number
    }

    private static func outOfMemory() -> Never {
        preconditionFailure("OpenSSL has no memory for 32 bytes; no remote input is involved")
    }
}
