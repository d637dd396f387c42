package import Channels
package import WebRTC

/// A step on the way to an open connection by WebRTC.
package enum DirectPhase: String, Hashable, Sendable, CaseIterable {
    /// The two ends know of each other; only where they signal.
    case signalling
    /// A path was found.
    case stun = "STUN"
    /// The remote showed its certificate.
    case dtls = "DTLS"
    /// Channels can be used.
    case sctp = "SCTP"
    /// The remote is who it claims to be.
    case noise = "Noise"
    /// A stream has its protocol.
    case firstStream = "first stream"
}

/// Why a connection by WebRTC ended other than by a friendly close, in words for people.
package enum DirectError: Error, Equatable, CustomStringConvertible {
    /// A step took too long.
    case timeout(DirectPhase)
    /// The remote closed the connection in the middle of a step.
    case closedByRemote(DirectPhase)
    /// The listener has another certificate than its address promises.
    case wrongCertificate(Fingerprint)
    /// The Noise handshake failed.
    case noise(NoiseError)
    /// What came on the channel of the Noise handshake is none.
    case malformedHandshake
    case dtls(DTLSError)
    case sctp(SCTPError)
    /// Nothing came for so long that the path is taken for dead.
    case pathLost
    /// The remote opened more streams in vain than its budget allows.
    case streamFlood
    /// Of the ways between two peers that signalled none works.
    case noPath
    /// Channel 0 could not be made: a bug of our own.
    case noChannel

    package var description: String {
        switch self {
        case .timeout(.stun): "no answer to STUN: nobody listens there, or UDP is blocked on the way"
        case .timeout(let phase): "the \(phase.rawValue) step was not done in time"
        case .closedByRemote(let phase): "the remote closed the connection during the \(phase.rawValue) step"
        case .wrongCertificate:
            "the certhash does not match: the listener has another certificate than its address says"
        case .noise(.unexpectedPeer(let peer)): "another peer is there: \(peer)"
        case .noise(let error): "the Noise handshake failed: \(error)"
        case .malformedHandshake: "what came instead of the Noise handshake is none"
        case .dtls(let error): "DTLS failed: \(error.message)"
        case .sctp(let error): "SCTP failed: \(error.message)"
        case .pathLost: "the path is dead: nothing came for too long"
        case .streamFlood: "the remote opened too many streams in vain"
        case .noPath: "none of the ways between the two peers works: UDP is blocked, or a NAT lets nothing in"
        case .noChannel: "no channel for the handshake"
        }
    }
}
