/// What was negotiated on the outbound stream to a peer.
package enum GossipVersion: Int, Comparable, Sendable, CaseIterable {
    /// Messages and subscriptions only; such a peer gets every message of its topics.
    case floodsub
    /// No backoff in PRUNE.
    case v10
    case v11
    /// IDONTWANT: understood by nobody here yet, and harmless.
    case v12

    /// The protocol id.
    package var protocolID: String {
        switch self {
        case .floodsub: "/floodsub/1.0.0"
        case .v10: "/meshsub/1.0.0"
        case .v11: "/meshsub/1.1.0"
        case .v12: "/meshsub/1.2.0"
        }
    }

    /// What this router speaks, best first.
    package static let supported: [GossipVersion] = [.v11, .v10, .floodsub]

    package init?(protocolID: String) {
        guard let version = Self.allCases.first(where: { $0.protocolID == protocolID }) else { return nil }
        self = version
    }

    package static func < (left: GossipVersion, right: GossipVersion) -> Bool { left.rawValue < right.rawValue }
}
