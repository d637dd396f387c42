package import NIOCore

/// What STUN and ICE may read, hold or wait for.
extension Limits {
    // MARK: STUN

    /// A STUN message, header included: a packet of ``datagramPayload`` bytes inside a relay's message fits.
    package static let stunMessage = 2048
    /// Attributes of one message; a check has about ten.
    package static let stunAttributes = 32
    /// A USERNAME (RFC 8489 §14.3).
    package static let stunUsername = 513
    /// SOFTWARE, REALM, NONCE and the reason of an error (RFC 8489 §14.8 and others: 127 characters).
    package static let stunText = 763
    /// Types named by one UNKNOWN-ATTRIBUTES.
    package static let stunUnknownAttributes = 32

    // MARK: Candidates

    /// A candidate line; Chromium's longest are about 200.
    package static let iceCandidateLine = 1024
    /// A foundation (RFC 8839 §5.1).
    package static let iceFoundation = 32
    /// A username fragment or a password (RFC 8839 §5.4).
    package static let iceCredential = 256
    /// Candidates of our own: bases times what STUN servers see of them.
    package static let iceLocalCandidates = 32
    /// Candidates the remote names; more are ignored.
    package static let iceRemoteCandidates = 64
    /// Remote candidates learned from checks (peer-reflexive); a new one then replaces the oldest unused one.
    package static let icePeerReflexive = 16
    /// Pairs of candidates (RFC 8445 §6.1.2.5); of more, those with the lowest priority go.
    package static let icePairs = 100
    /// STUN servers asked for our reflexive addresses.
    package static let iceServers = 4

    // MARK: Checks

    /// Checks under way at once.
    package static let iceOutstandingChecks = 32
    /// Paths of remote checks that came before the remote's credentials did.
    package static let iceEarlyChecks = 16
    /// Transaction ids of requests that are remembered, so that a copy from elsewhere is known as one.
    package static let iceRecentRequests = 64
    /// Paths on which one remote reaches a lite agent at once (go-libp2p allows as many addresses); a new one then
    /// replaces the one unchecked for longest.
    package static let icePathsPerSession = 32
    /// How long the answer to a consent check may take.
    package static let iceConsentMemory = TimeAmount.seconds(5)
    /// The longest round trip that is believed: beyond, a check is long forgotten.
    package static let iceRoundTrip = TimeAmount.seconds(60)
}
