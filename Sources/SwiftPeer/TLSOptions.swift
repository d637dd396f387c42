import ArgumentParser
import Runtime

/// What this peer shows to those who connect over TLS.
struct TLSOptions: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Certificates in PEM to listen with on …/tls/ws, the own first; read again when renewed.",
            valueName: "file"))
    var tlsCertificate: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("The private key of --tls-certificate, in PEM.", valueName: "file"))
    var tlsKey: String?

    /// Reads the files that the flags or their variables name, `trusted` among them.
    func security(_ trusted: [Environment.Given], _ environment: Environment) throws(Failure) -> TransportSecurity {
        let chain = try environment.value("--tls-certificate", tlsCertificate)
        let key = try environment.value("--tls-key", tlsKey)
        if let chain, key == nil { throw chain.refused("its private key is missing: --tls-key") }
        if let key, chain == nil { throw key.refused("its certificate is missing: --tls-certificate") }
        let files: (chain: String, key: String)? =
            if let chain, let key { (try chain.path(), try key.path()) } else { nil }
        return try Self.read(files, trusted) { part in
            switch part {
            case .certificate: chain
            case .key: key
            case .authority(let file): trusted.first { $0.value == file }
            }
        }
    }

    /// The same for those who only dial.
    static func believing(_ trusted: [Environment.Given]) throws(Failure) -> TransportSecurity {
        try read(nil, trusted) { part in
            if case .authority(let file) = part { trusted.first { $0.value == file } } else { nil }
        }
    }

    private static func read(
        _ files: (chain: String, key: String)?, _ trusted: [Environment.Given],
        _ culprit: (TransportSecurityError.Part) -> Environment.Given?
    ) throws(Failure) -> TransportSecurity {
        do throws(TransportSecurityError) {
            return try TransportSecurity(certificate: files, trusted: trusted.map(\.value))
        } catch {
            throw culprit(error.part)?.refused(error.message) ?? Failure(.usage, error.message)
        }
    }
}
