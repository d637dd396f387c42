import Glibc
import NIOSSL
import Wire

/// What WebSocket over TLS needs on this machine: a certificate to show, and authorities to believe.
///
/// TLS here only gets a connection past browsers, proxies and firewalls: who a peer is follows from Noise inside, as
/// on every pipe (libp2p/specs websockets). Versions 1.2 and 1.3; no client certificates.
public struct TransportSecurity: Sendable {
    /// Nothing to show, so nothing to listen with; the system's authorities are believed.
    public static let system = TransportSecurity()

    /// Shown by listeners; nil for none.
    var server: ServerCertificate?
    /// Believed besides the system's.
    private let authorities: [NIOSSLCertificate]

    private init() { (server, authorities) = (nil, []) }

    /// Reads files of certificates and keys, all in PEM.
    ///
    /// - Parameters:
    ///   - certificate: the chain to show, the server's own certificate first, and its private key; read again by
    ///     itself when the files change.
    ///   - trusted: files of authorities that are believed besides those the system knows.
    public init(
        certificate: (chain: String, key: String)?, trusted: [String] = []
    ) throws(TransportSecurityError) {
        server = try certificate.map { files throws(TransportSecurityError) in
            try ServerCertificate(chain: files.chain, key: files.key)
        }
        var authorities: [NIOSSLCertificate] = []
        for file in trusted { authorities += try certificates(in: file, .authority(file)) }
        self.authorities = authorities
    }

    /// Whether listeners have a certificate to show.
    public var hasCertificate: Bool { server != nil }

    /// What the user should know of the certificate: browsers refuse one that is too old.
    public var notice: String? { server?.notice }

    /// What dials use. Reads the system's authorities, some hundred certificates: made once, at the first such dial.
    func clientContext() throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.additionalTrustRoots = authorities.isEmpty ? [] : [.certificates(authorities)]
        return try NIOSSLContext(configuration: configuration.forWebSocket())
    }
}

/// Why files cannot be used for TLS.
public struct TransportSecurityError: Error, Equatable, Sendable {
    /// The kind of file.
    public enum Part: Equatable, Sendable {
        case certificate, key
        /// One of the files of authorities, by its path.
        case authority(String)
    }

    /// The file that is wrong.
    public let part: Part
    /// What is wrong with it, in plain words.
    public let message: String
}

/// The certificates of a file, at least one.
func certificates(
    in file: String, _ part: TransportSecurityError.Part
) throws(TransportSecurityError) -> [NIOSSLCertificate] {
    // The library does not tell a missing file from a malformed one.
    guard access(file, R_OK) == 0 else {
        throw TransportSecurityError(part: part, message: String(cString: strerror(errno)))
    }
    guard let found = try? NIOSSLCertificate.fromPEMFile(file), !found.isEmpty else {
        throw TransportSecurityError(part: part, message: "holds no certificate in PEM form")
    }
    return found
}

extension TLSConfiguration {
    /// What both ends of a WebSocket have in common.
    func forWebSocket() -> TLSConfiguration {
        var configuration = self
        configuration.minimumTLSVersion = .tlsv12
        // What browsers and go offer; HTTP/2 knows WebSocket only by another handshake (RFC 8441).
        configuration.applicationProtocols = ["http/1.1"]
        configuration.shutdownTimeout = Limits.tlsCloseTimeout
        return configuration
    }
}
