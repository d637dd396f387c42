import Foundation
import Testing

/// An authority of a scenario's own, for WebSocket over TLS on the loopback: made by the program `openssl`.
struct TestAuthority {
    /// Its certificate, which go and python believe when `SSL_CERT_FILE` names it.
    let root: String
    /// A chain and a key for 127.0.0.1, localhost and peer.example.
    let chain: String
    let key: String

    init(on stage: Stage) async throws {
        func path(_ name: String) -> String { stage.folder.appending(path: name).path }
        let openssl = try Installed.tool("openssl")
        func run(_ arguments: [String]) async throws {
            let run = try stage.start("openssl", openssl, arguments)
            try #require(try await run.ended(within: .seconds(20)) == 0, "\(run.lastWords)")
        }
        (root, chain, key) = (path("ca.pem"), path("server.pem"), path("server.key"))
        let newKey = ["-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        let authorityKey = path("ca.key")
        try await run(
            ["req", "-x509", "-days", "2", "-subj", "/CN=Test Authority", "-keyout", authorityKey, "-out", root]
                + ["-addext", "basicConstraints=critical,CA:TRUE"] + newKey)
        let names = "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:peer.example"
        let request = path("server.csr")
        try await run(
            ["req", "-subj", "/CN=server", "-keyout", key, "-out", request, "-addext", names] + newKey)
        try await run([
            "x509", "-req", "-days", "2", "-in", request, "-CA", root, "-CAkey", authorityKey, "-CAcreateserial",
            "-copy_extensions", "copy", "-out", chain,
        ])
    }

    /// Flags of ours and of the python peer for who listens.
    var serving: [String] { ["--tls-certificate", chain, "--tls-key", key] }
    /// Flags of ours for who dials.
    var trusting: [String] { ["--tls-trust", root] }
    /// The same for others.
    var environment: [String: String] { ["SSL_CERT_FILE": root] }
}
