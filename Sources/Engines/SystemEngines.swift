import NIOCore
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

/// Stands here until the real one does.
private final class UsrsctpAssociation: SCTPEngine {
    init(streams: Int, largestPacket: Int, largestMessage: Int) {}
    func start(now: NIODeadline) {}
    func received(_ packet: ByteBuffer, now: NIODeadline) {}
    func nextPacket(into packet: inout ByteBuffer) -> Bool { false }
    func poll() -> SCTPEvent? { nil }
    func send(_ message: SCTPMessage, now: NIODeadline) throws(SCTPSendError) { throw .closed }
    var outboundStreams: Int { 0 }
    func addStreams(_ count: Int, now: NIODeadline) {}
    func resetStreams(_ streams: [UInt16], now: NIODeadline) {}
    var bufferedBytes: Int { 0 }
    var statistics: SCTPStatistics { SCTPStatistics() }
    var deadline: NIODeadline { .distantFuture }
    func timedOut(now: NIODeadline) {}
    func abort(now: NIODeadline) {}
}
