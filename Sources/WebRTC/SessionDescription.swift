package import ICE
import Wire

/// What SDP says about one connection with data channels (RFC 8866, 8829, 8839, 8841, 8122).
///
/// Reading takes what Chromium, Firefox, pion, aiortc, libdatachannel and the templates of libp2p write: any line
/// ends, blank lines, attributes at session or media level, upper or lower hex, several media sections of which the
/// first with data channels counts, the syntax of old drafts (`DTLS/SCTP 5000`, `a=sctpmap`). Candidates of no use to
/// us are skipped. Other media sections are remembered, so that an answer can refuse them one by one.
///
/// Limits: `Limits.sdp` bytes, `Limits.sdpLines`, `Limits.iceRemoteCandidates` candidates, `Limits.sdpSections`.
package struct SessionDescription: Hashable, Sendable {
    /// Which part of the exchange.
    package enum Kind: String, Hashable, Sendable { case offer, answer }
    /// Who begins DTLS (RFC 8842 §5).
    package enum Setup: String, Hashable, Sendable { case active, passive, actpass }
    /// A media section that is not ours.
    package struct OtherSection: Hashable, Sendable {
        /// Before how many data-channel sections it stood: 0 or 1.
        package let isBefore: Bool
        /// The words of its `m=` line behind the port.
        package let media: String
        package let transport: String
        package let formats: String
        package let mid: String?
    }

    package var kind: Kind
    package var credentials: ICECredentials
    package var fingerprint: Fingerprint
    package var setup: Setup
    /// Names the section.
    package var mid: String
    package var sctpPort: UInt16
    /// 0: without limit.
    package var largestMessage: Int
    package var candidates: [ICECandidate]
    /// No candidates follow.
    package var hasAllCandidates: Bool
    package var isLite: Bool
    package var others: [OtherSection]

    package init(
        _ kind: Kind, credentials: ICECredentials, fingerprint: Fingerprint, setup: Setup, mid: String = "0",
        largestMessage: Int = Limits.sctpMessage, candidates: [ICECandidate] = [], hasAllCandidates: Bool = true,
        isLite: Bool = false, others: [OtherSection] = []
    ) {
        (self.kind, self.credentials, self.fingerprint, self.setup) = (kind, credentials, fingerprint, setup)
        (self.mid, self.largestMessage, self.candidates) = (mid, largestMessage, candidates)
        (self.hasAllCandidates, self.isLite, self.others) = (hasAllCandidates, isLite, others)
        sctpPort = 5000
    }

    /// What the other end must know.
    package var parameters: PeerConnectionParameters {
        PeerConnectionParameters(
            credentials: credentials, candidates: candidates, hasAllCandidates: hasAllCandidates,
            fingerprint: fingerprint, largestMessage: largestMessage)
    }

    /// The text, with the line ends of the standard.
    package var text: String {
        var lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE \(mid)"]
        if isLite { lines.append("a=ice-lite") }
        for other in others where other.isBefore { lines += Self.refusal(of: other) }
        let first = candidates.first?.address
        let version = if case .v6? = first?.ip { "IP6" } else { "IP4" }
        lines += [
            "m=application \(first?.port ?? 9) UDP/DTLS/SCTP webrtc-datachannel",
            "c=IN \(version) \(first.map { "\($0.ip)" } ?? "0.0.0.0")",
            "a=mid:\(mid)", "a=sendrecv",
            hasAllCandidates ? "a=ice-options:ice2" : "a=ice-options:ice2 trickle",
            "a=ice-ufrag:\(credentials.ufrag)", "a=ice-pwd:\(credentials.password)",
            "a=fingerprint:sha-256 \(fingerprint)", "a=setup:\(setup.rawValue)", "a=sctp-port:\(sctpPort)",
            "a=max-message-size:\(largestMessage)",
        ]
        lines += candidates.map { "a=\($0)" }
        if hasAllCandidates { lines.append("a=end-of-candidates") }
        for other in others where !other.isBefore { lines += Self.refusal(of: other) }
        return lines.map { $0 + "\r\n" }.joined()
    }

    /// Port 0 refuses a section (RFC 8829 §5.3.1).
    private static func refusal(of other: OtherSection) -> [String] {
        ["m=\(other.media) 0 \(other.transport) \(other.formats)", "c=IN IP4 0.0.0.0"]
            + (other.mid.map { ["a=mid:\($0)"] } ?? []) + ["a=inactive"]
    }
}

/// Why a text is no description we can use.
package enum SessionDescriptionError: Error, Hashable, Sendable, CustomStringConvertible {
    case tooLong
    /// It does not begin with `v=0`.
    case notSDP
    /// No section has data channels.
    case noDataChannels
    /// An attribute that nothing works without, by name.
    case missing(String)
    /// An attribute with a value we cannot use, by name.
    case unusable(String)

    /// In words, for people.
    package var description: String {
        switch self {
        case .tooLong: "the session description is too long"
        case .notSDP: "this is no session description"
        case .noDataChannels: "the session description offers no data channels"
        case .missing(let name): "the session description lacks \(name)"
        case .unusable(let name): "the session description has a \(name) of no use"
        }
    }
}
