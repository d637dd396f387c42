import Foundation
import NIOCore
import NIOSSL
import Testing
import Wire

@testable import Runtime

/// Files of certificates and keys: read, refused, read again.
@Suite struct ServerCertificateTests {
    private let authority: TestAuthority

    init() throws { authority = try TestAuthority() }

    private func refusal(
        _ files: (chain: String, key: String)?, trusted: [String] = []
    ) -> TransportSecurityError? {
        do throws(TransportSecurityError) {
            _ = try TransportSecurity(certificate: files, trusted: trusted)
            return nil
        } catch { return error }
    }

    @Test func filesThatCannotBeUsedAreRefusedByName() throws {
        let good = try authority.certificate("good")
        let other = try authority.certificate("other")
        #expect(refusal(good, trusted: [authority.root]) == nil)
        let empty = try authority.write("", to: "empty.pem")
        let words = try authority.write("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", to: "bad.pem")
        let locked = authority.path("locked.key")
        try authority.openssl(["ec", "-aes128", "-passout", "pass:x", "-in", good.key, "-out", locked])

        for chain in [authority.path("none"), empty, words, good.key, authority.folder.path] {
            #expect(refusal((chain, good.key))?.part == .certificate, "\(chain)")
            #expect(refusal(nil, trusted: [authority.root, chain])?.part == .authority(chain), "\(chain)")
        }
        for key in [authority.path("none"), empty, words, good.chain, locked, other.key] {
            #expect(refusal((good.chain, key))?.part == .key, "\(key)")
        }
        #expect(refusal((authority.path("none"), good.key))?.message == "No such file or directory")
        #expect(refusal((good.chain, other.key))?.message.contains("is not the key of the first certificate") == true)
        #expect(refusal((good.chain, locked))?.message.contains("without a password") == true)
    }

    @Test func aCertificateThatHasExpiredIsToldAbout() throws {
        let old = try TransportSecurity(certificate: authority.certificate("old", days: -1))
        #expect(old.notice?.contains("expired") == true)
        #expect(try TransportSecurity(certificate: authority.certificate("new")).notice == nil)
    }

    @Test func filesAreReadAgainWhenTheyFitTogetherAgain() throws {
        let (chain, key) = try authority.certificate("server")
        let next = try authority.certificate("next")
        var certificate = try ServerCertificate(chain: chain, key: key)
        let first = certificate.context
        var now = NIODeadline.now()
        #expect(certificate.look(now: now) == .unchanged)

        func replace(_ file: String, by other: String) throws {
            try FileManager.default.removeItem(atPath: file)
            try FileManager.default.copyItem(atPath: other, toPath: file)
        }
        try replace(chain, by: next.chain)
        #expect(certificate.look(now: now) == .unchanged, "so soon nobody looks")
        now = now + Limits.tlsFilePause
        guard case .refused(let words) = certificate.look(now: now) else {
            Issue.record("half a renewal was taken")
            return
        }
        #expect(words.hasPrefix(key))
        #expect(certificate.context === first)
        now = now + Limits.tlsFilePause
        #expect(certificate.look(now: now) == .unchanged, "what was refused is told once")
        try replace(key, by: next.key)
        now = now + Limits.tlsFilePause
        #expect(certificate.look(now: now) == .renewed)
        #expect(certificate.context !== first)

        try FileManager.default.removeItem(atPath: chain)
        now = now + Limits.tlsFilePause
        #expect(certificate.look(now: now) == .refused("\(chain): No such file or directory"))
    }

    @Test func aCertificateSaysWhenItIsValidAndWhoVouchesForIt() throws {
        let good = try facts(authority.certificate("good").chain)
        let old = try facts(authority.certificate("old", days: -1).chain)
        let now = CertificateFacts.now()
        #expect(now.count == 14 && now.hasPrefix("2"))
        #expect(good.notBefore <= now && now < good.notAfter && !good.isSelfIssued)
        #expect(old.notAfter < now)
        #expect(try facts(authority.selfSigned().chain).isSelfIssued)
    }

    static let names: [(names: String, asked: String, fits: Bool)] = [
        ("DNS:peer.example", "peer.example", true), ("DNS:peer.example", "PEER.example.", true),
        ("DNS:peer.example", "other.example", false), ("DNS:peer.example", "a.peer.example", false),
        ("DNS:peer.example", "example", false), ("DNS:*.peer.example", "a.peer.example", true),
        ("DNS:*.peer.example", "peer.example", false), ("DNS:*.peer.example", "a.b.peer.example", false),
        ("DNS:*.example", "peer.example", false), ("DNS:a.example,DNS:b.example", "b.example", true),
        ("IP:127.0.0.1", "127.0.0.1", false), ("DNS:peer.example", "", false),
        // The common name of each is `name`.
        ("IP:127.0.0.1", "name", false),
    ]

    @Test(arguments: names) func aCertificateIsForItsNames(names: String, asked: String, fits: Bool) throws {
        let chain = try authority.certificate("name", for: names).chain
        let certificate = try #require(NIOSSLCertificate.fromPEMFile(chain).first)
        #expect(certificate.isFor(asked) == fits)
    }

    @Test func halfACertificateOrABrokenOneIsNone() throws {
        let bytes = try der(authority.certificate("good").chain)
        for length in 0..<bytes.count { #expect(CertificateFacts(Array(bytes.prefix(length))) == nil) }
        // Whatever bytes come, there is an answer.
        for index in bytes.indices {
            for value in [0, 0x7F, 0x80, 0x83, 0x84, 0xFF] as [UInt8] {
                var broken = bytes
                broken[index] = value
                _ = CertificateFacts(broken)
            }
        }
    }

    private func der(_ file: String) throws -> [UInt8] {
        try #require(NIOSSLCertificate.fromPEMFile(file).first).toDERBytes()
    }

    private func facts(_ file: String) throws -> CertificateFacts { try #require(CertificateFacts(der(file))) }
}
