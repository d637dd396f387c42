package import WebRTC

/// The engines of the program: DTLS by OpenSSL, SCTP by usrsctp, all on one certificate.
public struct SystemEngines: Sendable {
    /// What every association made here shows.
    public let certificate: Certificate
    private let context: DTLSContext

    /// Engines on `certificate`.
    public init(certificate: Certificate) {
        self.certificate = certificate
        context = DTLSContext(certificate)
    }
}

extension SystemEngines: WebRTCEngines {
    package var fingerprint: Fingerprint { certificate.fingerprint }

    package func makeDTLS(_ role: DTLSRole, cookie: [UInt8]?) -> any DTLSEngine {
        OpenSSLDTLS(role, context: context, cookie: cookie)
    }

    package func makeSCTP(streams: Int, largestPacket: Int, largestMessage: Int) -> any SCTPEngine {
        UsrsctpAssociation(streams: streams, largestPacket: largestPacket, largestMessage: largestMessage)
    }
}
