package import ICE
package import Wire

/// What a peer connection is to be.
package struct PeerConnectionConfiguration: Sendable {
    /// Which agent finds the path.
    package enum ICEMode: Hashable, Sendable {
        case full(ICERole)
        /// Only answers: the end everybody can reach.
        case lite
    }

    package var iceMode: ICEMode
    package var ice: ICEConfiguration
    /// Ours; nil: made at random.
    package var credentials: ICECredentials?
    /// The sockets datagrams can leave from: host candidates.
    package var localAddresses: [TransportAddress]
    /// Servers asked how we look from outside; at most `Limits.iceServers` count.
    package var stunServers: [TransportAddress] {
        get { ice.servers }
        set { ice.servers = newValue }
    }
    /// Servers that relay for us when there is no direct way; at most `Limits.turnServers` count.
    package var turnServers: [TURNServer] = []
    /// Only relayed candidates are told and tried: the remote never learns our addresses.
    package var usesOnlyRelay = false
    /// Nil: decided when the remote is known, by SDP.
    package var dtlsRole: DTLSRole?
    /// As server, let a client show that it receives what is sent to its address before any state is kept.
    package var requiresCookie = false
    package var streams = Limits.sctpStreams
    /// A message we take.
    package var largestMessage = Limits.sctpMessage
    /// Channels at once, both ends' together.
    package var channels = Limits.dataChannels

    package init(_ iceMode: ICEMode, localAddresses: [TransportAddress], dtlsRole: DTLSRole? = nil) {
        (self.iceMode, self.localAddresses, self.dtlsRole) = (iceMode, localAddresses, dtlsRole)
        ice = iceMode == .lite ? .lite : ICEConfiguration()
    }
}

/// What one end must know of the other: the substance of an SDP.
package struct PeerConnectionParameters: Hashable, Sendable {
    package var credentials: ICECredentials
    package var candidates: [ICECandidate]
    /// No further candidates will be told.
    package var hasAllCandidates: Bool
    /// Whose certificate the remote must show; nil: any, which the caller judges by what `connected` tells.
    package var fingerprint: Fingerprint?
    /// A message the remote takes; 0 is without limit.
    package var largestMessage: Int

    package init(
        credentials: ICECredentials, candidates: [ICECandidate] = [], hasAllCandidates: Bool = true,
        fingerprint: Fingerprint? = nil, largestMessage: Int = Limits.sctpMessageDefault
    ) {
        (self.credentials, self.candidates, self.hasAllCandidates) = (credentials, candidates, hasAllCandidates)
        (self.fingerprint, self.largestMessage) = (fingerprint, largestMessage)
    }
}

/// A step on the way to an open connection.
package enum PeerConnectionPhase: Hashable, Sendable {
    /// A path was found.
    case stun
    /// The remote showed its certificate.
    case dtls
    /// Channels can be used.
    case sctp
}

/// Why a peer connection ended other than by a friendly close.
package enum PeerConnectionError: Error, Hashable, Sendable {
    /// No path: nobody answered our checks, or nobody sent any.
    case noPath
    /// The path died: no consent, or no sign of life.
    case pathLost
    case dtls(DTLSError)
    /// The remote shows another certificate than was promised.
    case wrongFingerprint(Fingerprint)
    case sctp(SCTPError)
    /// No association within `Limits.sctpConnectTimeout`.
    case sctpTimeout
}
