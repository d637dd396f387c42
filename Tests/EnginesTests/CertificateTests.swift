import Crypto
import NIOCore
import Testing
import VectorFiles
import WebRTC
import Wire

@testable import Engines

@Suite struct CertificateTests {
    /// RFC 6979 §A.2.5, P-256 with SHA-256.
    @Test(
        "Signatures are those of RFC 6979",
        arguments: [
            (
                "sample",
                "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
                    + "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
            ),
            (
                "test",
                "F1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367"
                    + "019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083"
            ),
        ])
    func signatures(message: String, expected: String) throws {
        let secret = try hex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721")
        let key = try P256.Signing.PrivateKey(rawRepresentation: Array(secret.readableBytesView))
        let signature = CertificateSignature.signRaw(Array(message.utf8), with: key)
        #expect(ByteBuffer(bytes: signature) == (try hex(expected)))
    }

    @Test("Signatures hold for many keys")
    func validity() throws {
        for index in 0..<20 {
            let key = P256.Signing.PrivateKey()
            let message = Array("message \(index)".utf8)
            let signature = try P256.Signing.ECDSASignature(
                derRepresentation: CertificateSignature.sign(message, with: key))
            #expect(key.publicKey.isValidSignature(signature, for: message))
        }
    }

    /// Python's `cryptography` (HKDF, deterministic ECDSA, its own DER) makes the same bytes of the same seed.
    @Test("The certificate of an identity is the same for ever")
    func pinned() throws {
        let certificate = Certificate.derived(from: try KeyPair(seed: Array(0..<32)))
        #expect(
            certificate.fingerprintText
                == "46:1D:13:7E:18:94:78:28:AB:35:3A:D7:CD:B9:32:1D:DC:B1:94:82:96:B4:A2:F9:D6:2C:A3:97:09:C9:82:B6")
        #expect(certificate.der == Certificate.derived(from: try KeyPair(seed: Array(0..<32))).der)
    }

    @Test("Certificates of two keys share neither key, nor number, nor fingerprint")
    func different() throws {
        let one = Certificate.derived(from: try KeyPair(seed: Array(repeating: 1, count: 32)))
        let two = Certificate.derived(from: try KeyPair(seed: Array(repeating: 2, count: 32)))
        #expect(one.fingerprint != two.fingerprint)
        #expect(one.key.rawRepresentation != two.key.rawRepresentation)
        // Tag, length, version; then the number.
        #expect(one.der[8..<31] != two.der[8..<31])
        #expect(Certificate.generate().fingerprint != Certificate.generate().fingerprint)
    }

    @Test("OpenSSL's own program reads the certificate, its dates and its signature")
    func openssl() throws {
        let certificate = Certificate.derived(from: try KeyPair(seed: Array(0..<32)))
        let text = try OpenSSLProgram.run(
            ["x509", "-inform", "der", "-noout", "-fingerprint", "-sha256", "-subject", "-issuer", "-dates"],
            input: certificate.der)
        let lines = text.split(separator: "\n").map(String.init)
        #expect(lines.contains("sha256 Fingerprint=" + certificate.fingerprintText))
        #expect(lines.contains("subject=CN = WebRTC") || lines.contains("subject=CN=WebRTC"))
        #expect(lines.contains("notBefore=Jan  1 00:00:00 2020 GMT"))
        #expect(lines.contains("notAfter=Jan  1 00:00:00 2120 GMT"))
        let pem = try OpenSSLProgram.run(["x509", "-inform", "der"], input: certificate.der)
        let file = try OpenSSLProgram.temporaryFile(pem)
        defer { OpenSSLProgram.remove(file) }
        #expect(try OpenSSLProgram.run(["verify", "-check_ss_sig", "-CAfile", file, file]).hasSuffix("OK\n"))
    }
}
