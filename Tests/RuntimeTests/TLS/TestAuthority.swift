import Foundation
import Testing

/// An authority of a test's own, and the certificates it gives out, made by the program `openssl`; gone with the test.
final class TestAuthority {
    let folder: URL
    /// Its own certificate.
    var root: String { path("ca.pem") }

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try openssl(
            ["req", "-x509", "-nodes", "-subj", "/CN=Test Authority", "-keyout", path("ca.key"), "-out", root]
                + Self.newKey + ["-days", "2", "-addext", "basicConstraints=critical,CA:TRUE"])
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func path(_ name: String) -> String { folder.appending(path: name).path }

    /// A chain and a key for the loopback and for `peer.example`, by this authority.
    func certificate(
        _ name: String, for names: String = "DNS:peer.example,IP:127.0.0.1,IP:0:0:0:0:0:0:0:1", days: Int = 2
    ) throws -> (chain: String, key: String) {
        let (request, chain, key) = (path(name + ".csr"), path(name + ".pem"), path(name + ".key"))
        try openssl(
            ["req", "-nodes", "-subj", "/CN=\(name)", "-keyout", key, "-out", request] + Self.newKey
                + ["-addext", "subjectAltName=" + names])
        try openssl([
            "x509", "-req", "-in", request, "-CA", root, "-CAkey", path("ca.key"), "-CAcreateserial", "-days",
            "\(days)", "-copy_extensions", "copy", "-out", chain,
        ])
        return (chain, key)
    }

    /// A certificate that nobody vouches for but itself.
    func selfSigned() throws -> (chain: String, key: String) {
        let (chain, key) = (path("self.pem"), path("self.key"))
        try openssl(
            ["req", "-x509", "-nodes", "-subj", "/CN=self", "-keyout", key, "-out", chain] + Self.newKey
                + ["-days", "2", "-addext", "subjectAltName=IP:127.0.0.1"])
        return (chain, key)
    }

    func write(_ text: String, to name: String) throws -> String {
        try text.write(toFile: path(name), atomically: true, encoding: .utf8)
        return path(name)
    }

    func openssl(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.standardInput = FileHandle.nullDevice
        (process.standardOutput, process.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "openssl \(arguments)")
    }

    private static let newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
}
