package import ICE
package import NIOCore
import Wire

/// Beginning by SDP: offer and answer (RFC 8829).
extension PeerConnection {
    /// What we are, as an offer. DTLS is begun by whoever answers, unless the configuration says otherwise.
    package func makeOffer() -> SessionDescription {
        let setup: SessionDescription.Setup =
            switch configuration.dtlsRole {
            case .client?: .active
            case .server?: .passive
            case nil: .actpass
            }
        return description(.offer, setup: setup)
    }

    /// Takes an offer, and begins.
    ///
    /// - Returns: the answer. Sections other than data channels are refused in it.
    package func accept(offer: SessionDescription, now: NIODeadline) -> SessionDescription {
        let role: DTLSRole =
            switch offer.setup {
            case .active: .server
            case .passive: .client
            case .actpass: configuration.dtlsRole ?? .client
            }
        start(remote: offer.parameters, role: role, now: now)
        var answer = description(.answer, setup: role == .client ? .active : .passive)
        answer.mid = offer.mid
        answer.others = offer.others
        return answer
    }

    /// Takes the answer to our offer, and begins.
    package func accept(answer: SessionDescription, now: NIODeadline) {
        start(remote: answer.parameters, role: answer.setup == .active ? .server : .client, now: now)
    }

    /// Our candidates as far as they are known: the sockets, and what servers told so far.
    package var localCandidates: [ICECandidate] {
        switch agent {
        case .full(let agent): agent.candidates
        case .lite:
            configuration.localAddresses.enumerated().map { index, address in
                ICECandidate.host(address, localPreference: UInt16(clamping: 65_535 - index))
            }
        }
    }

    /// Whether servers may still tell of more.
    package var isGathering: Bool {
        guard case .full(let agent) = agent else { return false }
        return agent.isGathering || relays.isGathering
    }

    private func description(
        _ kind: SessionDescription.Kind, setup: SessionDescription.Setup
    ) -> SessionDescription {
        SessionDescription(
            kind, credentials: localCredentials, fingerprint: localFingerprint, setup: setup,
            largestMessage: configuration.largestMessage, candidates: localCandidates, hasAllCandidates: !isGathering,
            isLite: configuration.iceMode == .lite)
    }
}
