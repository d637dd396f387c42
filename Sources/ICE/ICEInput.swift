package import NIOCore
package import Wire

/// What happens to an agent. A lite agent takes `received`, `heard`, `tick` and `close`, and ignores the rest.
package enum ICEInput: Hashable, Sendable {
    /// A host candidate, one of our sockets; or a relayed one, an address at a TURN server that the owner sends
    /// through when a path begins there. Others are the agent's own business and ignored.
    case localCandidate(ICECandidate)
    /// A relayed address that is no more: nothing can be sent from there.
    case lostLocalCandidate(TransportAddress)
    /// There will be no more; those of STUN servers may still come.
    case endOfLocalCandidates
    /// Once; the first counts.
    case remoteCredentials(ICECredentials)
    case remoteCandidate(ICECandidate)
    case endOfRemoteCandidates
    /// A datagram that is STUN by `STUNMessage.isSTUN`. The path's local end is the socket's address as its host
    /// candidate names it, also when the socket listens on all addresses.
    case received(ByteBuffer, on: ICEPath)
    /// Something else arrived that only the remote can have made: a sign of life, though no consent (RFC 7675 §5.1). The
    /// more often, the better; it costs next to nothing. What merely comes from the right address is not to be reported:
    /// anybody could keep a dead path alive with it.
    case heard(ICEPath)
    /// The deadline came.
    case tick
    /// Say nothing more, forget everything.
    case close
}

/// What an agent wants done or known.
package enum ICEOutput: Hashable, Sendable {
    case send(ByteBuffer, on: ICEPath)
    /// A server-reflexive or relayed candidate of ours, to be told the remote.
    case candidate(ICECandidate)
    /// Somebody with the credentials is at the other end: datagrams on this path may be believed. Once per path.
    case usable(ICEPath)
    /// Send here from now on.
    case selected(ICEPath)
    case state(ICEState)
    /// Of a check on the selected path, or of the check that led to it.
    case roundTrip(TimeAmount)
}

/// Where an agent stands.
///
///     new ──credentials──▶ checking ──selected──▶ connected ◀──silence / life──▶ disconnected
///                             └─────timeout──────▶ failed ◀──────no consent───────────┘
///
/// `close` leads to `closed` from everywhere.
package enum ICEState: Hashable, Sendable {
    case new
    case checking
    case connected
    /// Connected, but silent for a while: it may come back.
    case disconnected
    /// Over.
    case failed
    case closed
}

/// Figures of an agent.
package struct ICEStatistics: Hashable, Sendable {
    package var state = ICEState.new
    package var role = ICERole.controlling
    /// Where datagrams are sent.
    package var selected: ICEPath?
    /// The candidate types of the selected pair; nil before.
    package var localType: ICECandidateType?
    package var remoteType: ICECandidateType?
    /// Smoothed, of the selected path; nil before the first, and always for a lite agent.
    package var roundTrip: TimeAmount?
    package var checksSent: UInt64 = 0
    package var checksRetransmitted: UInt64 = 0
    package var responsesReceived: UInt64 = 0
    package var checksAnswered: UInt64 = 0
    /// STUN that was dropped: malformed, not authentic, not expected, or too much.
    package var dropped: UInt64 = 0
    /// What is held at the moment.
    package var localCandidates = 0
    package var remoteCandidates = 0
    package var pairs = 0
    package var outstanding = 0

    package init() {}
}
