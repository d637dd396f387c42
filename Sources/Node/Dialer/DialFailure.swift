package import NIOCore
package import Wire

extension Dialer {
    /// Why one address did not lead to the peer.
    package struct Failure: Equatable, Sendable {
        /// The address as it was given, without `/p2p`.
        package let address: Multiaddr
        package let reason: Reason

        /// The reason, and what lies behind it where the address tells.
        package var words: String {
            guard reason == .timedOut, case .webRTCDirect = address.dialTarget else { return "\(reason)" }
            return DirectError.timeout(.stun).description
        }
    }

    /// Why an address was not tried, or tried in vain.
    package enum Reason: Equatable, Sendable, CustomStringConvertible {
        /// The peer or the address is this peer's own.
        case isSelf
        /// No transport of this version leads there; in plain words.
        case unsupported(String)
        /// It failed a moment ago and rests for so long; a forced dial would try it.
        case backingOff(TimeAmount)
        /// The attempt took longer than ``Limits/dialTimeout``, or ``Limits/dialTimeoutLocal``.
        case timedOut
        /// The attempt failed; in the transport's or the upgrade's words.
        case failed(String)
        /// Another peer answers there, or is named by the address.
        case otherPeer(PeerID)
        /// A limit of the dialer would be exceeded.
        case tooMany

        package var description: String {
            switch self {
            case .isSelf: "that is this peer itself"
            case .unsupported(let words), .failed(let words): words
            case .backingOff(let time):
                "it failed a moment ago and is not tried again for \(max(1, time.nanoseconds / 1_000_000_000)) s"
            case .timedOut: "no answer in time"
            case .otherPeer(let peer): "another peer is there: \(peer)"
            case .tooMany: "too many dials are under way"
            }
        }
    }
}
