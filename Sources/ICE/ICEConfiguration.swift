package import NIOCore
package import Wire

/// Who nominates (RFC 8445 §6.1.1).
package enum ICERole: Hashable, Sendable {
    case controlling
    case controlled
}

/// The two ends of a path. Where a datagram arrives and what answers it has the same path.
package struct ICEPath: Hashable, Sendable, CustomStringConvertible {
    /// The base: the socket's address.
    package let local: TransportAddress
    package let remote: TransportAddress

    package init(local: TransportAddress, remote: TransportAddress) { (self.local, self.remote) = (local, remote) }

    package var description: String { "\(local) → \(remote)" }
}

/// How an agent behaves. The defaults suit any pair of peers; ``direct`` and ``lite`` the ends of webrtc-direct.
package struct ICEConfiguration: Hashable, Sendable {
    /// STUN servers asked for server-reflexive candidates; at most `Limits.iceServers` count.
    package var servers: [TransportAddress] = []
    /// Ta: between two checks of the check list (RFC 8445 §14.2).
    package var pacing = TimeAmount.milliseconds(50)
    /// How long a controlling agent hopes for a better pair than its first valid one, while one could come.
    package var nominationDelay = TimeAmount.milliseconds(200)
    /// The same when its best valid pair goes through a relay, at either end: a direct way is worth waiting for, and
    /// traffic need not wait, as a proved path carries it before one is selected. No longer than the remote's
    /// candidates all came to nothing, though.
    package var relayNominationDelay = TimeAmount.seconds(2)
    /// Whether a controlling agent puts USE-CANDIDATE into the first check of an only pair: one round trip saved where
    /// there is nothing to choose. Every controlled agent understands it (it is what RFC 5245 called aggressive).
    package var nominatesWithFirstCheck = false
    /// From knowing the remote's credentials to a selected pair; beyond, `failed`.
    package var connectTimeout = TimeAmount.seconds(30)
    /// Between two consent checks, times 0.8 to 1.2 (RFC 7675 §5.1).
    package var consentInterval = TimeAmount.seconds(5)
    /// From the last consent to `failed` (RFC 7675 §5.1); for a lite agent, from the last sign of life.
    package var consentTimeout = TimeAmount.seconds(30)
    /// From the last sign of life on the selected path to `disconnected`.
    package var disconnectedAfter = TimeAmount.seconds(8)
    /// Between two refreshes of what STUN servers know, as long as no pair is selected.
    package var serverInterval = TimeAmount.seconds(15)

    package init() {}

    /// The dialer of webrtc-direct: one pair, nothing to hope for.
    package static var direct: ICEConfiguration {
        var configuration = ICEConfiguration()
        configuration.nominationDelay = .zero
        configuration.nominatesWithFirstCheck = true
        configuration.connectTimeout = .seconds(10)
        return configuration
    }

    /// The listener of webrtc-direct. Some dialers check every 15 s only.
    package static var lite: ICEConfiguration {
        var configuration = ICEConfiguration()
        configuration.connectTimeout = .seconds(10)
        configuration.disconnectedAfter = .seconds(20)
        return configuration
    }
}
