import NIOSSL

/// Why TLS did not come about, in words a person can act on.
enum TLSFailure: Error, Equatable, CustomStringConvertible {
    /// The certificate is for other names, or for another IP address.
    case otherName(String)
    case expired
    case notYetValid
    case selfSigned
    case unknownAuthority
    /// The remote's first bytes are none of TLS.
    case notSpoken
    /// It ended before it was through.
    case closed
    /// A name that TLS cannot ask for.
    case invalidName(String)
    /// Anything else, in the library's words.
    case failed(String)

    /// What an error of the library means; nil when it is none of TLS.
    ///
    /// - Parameters:
    ///   - certificate: what the remote showed.
    ///   - name: what was asked for: a name, or else the IP address.
    init?(_ error: any Error, certificate: NIOSSLCertificate?, name: String) {
        switch error {
        case let error as NIOSSLExtraError where error == .failedToValidateHostname: self = .otherName(name)
        case let error as NIOSSLExtraError where error == .serverHostnameImpossibleToMatch: self = .otherName(name)
        case let error as NIOSSLExtraError where error == .cannotUseIPAddressInSNI || error == .invalidSNIHostname:
            self = .invalidName(name)
        case NIOSSLError.uncleanShutdown: self = .closed
        case NIOSSLError.handshakeFailed(.sslError(let stack)):
            let words = stack.map(\.description).joined(separator: " ")
            if words.contains("CERTIFICATE_VERIFY_FAILED") {
                self = Self.reason(certificate)
            } else if words.contains("WRONG_VERSION_NUMBER") || words.contains("HTTP_REQUEST") {
                self = .notSpoken
            } else if words.contains("EOF") {
                self = .closed
            } else {
                self = .failed(Self.reason(in: words))
            }
        case NIOSSLError.handshakeFailed(let error): self = .failed("\(error)")
        case let error as NIOSSLError: self = .failed("\(error)")
        default: return nil
        }
    }

    /// BoringSSL's name of what happened, without its numbers and file names.
    private static func reason(in words: String) -> String {
        let reason = words.split(separator: "OPENSSL_internal:").last?.prefix { $0 != " " } ?? ""
        return reason.isEmpty ? words : String(reason)
    }

    /// Why a certificate is not believed, judged by what it says of itself.
    private static func reason(_ certificate: NIOSSLCertificate?) -> TLSFailure {
        guard let bytes = try? certificate?.toDERBytes(), let facts = CertificateFacts(bytes) else {
            return .unknownAuthority
        }
        let now = CertificateFacts.now()
        if facts.notAfter < now { return .expired }
        if facts.notBefore > now { return .notYetValid }
        return facts.isSelfIssued ? .selfSigned : .unknownAuthority
    }

    var description: String {
        switch self {
        case .otherName(let name): "its TLS certificate is not for \(name)"
        case .expired: "its TLS certificate has expired"
        case .notYetValid: "its TLS certificate is not valid yet; is this machine's clock right?"
        case .selfSigned: "its TLS certificate is self-signed: no authority that this machine trusts vouches for it"
        case .unknownAuthority: "its TLS certificate comes from an authority that this machine does not trust"
        case .notSpoken: "what answers there does not speak TLS"
        case .closed: "the connection was closed before TLS was agreed on"
        case .invalidName(let name): "\(name) is no name that TLS can ask for"
        case .failed(let words): "TLS failed: \(words)"
        }
    }
}
