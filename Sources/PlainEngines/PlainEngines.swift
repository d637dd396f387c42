import NIOCore
package import WebRTC

/// Deterministic stand-ins for DTLS and SCTP: no cryptography, no C, no clock but the caller's.
///
/// For simulations and tests: whole networks run in virtual time, and one seed gives one trace. Nothing here
/// interoperates with anybody or protects anything.
package struct PlainEngines: WebRTCEngines {
    package let fingerprint: Fingerprint

    /// Engines of a certificate that is only a number.
    package init(seed: UInt64) {
        var bytes = [UInt8](repeating: 0xA5, count: 24)
        for shift in stride(from: 56, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: seed >> UInt64(shift)))
        }
        guard let fingerprint = Fingerprint(bytes) else {
            preconditionFailure("24 and 8 bytes are the 32 of a fingerprint; nothing remote is involved")
        }
        self.fingerprint = fingerprint
    }

    package func makeDTLS(_ role: DTLSRole, cookie: [UInt8]?) -> any DTLSEngine {
        PlainDTLS(role, fingerprint: fingerprint)
    }

    package func makeSCTP(streams: Int, largestPacket: Int, largestMessage: Int) -> any SCTPEngine {
        PlainSCTP(streams: streams, largestPacket: largestPacket, largestMessage: largestMessage)
    }
}
