package import Node
package import Wire

/// What tests ask of a network.
extension Simulator {
    /// Where a node listens, with its name.
    package func fullAddress(of node: NodeID) throws -> Multiaddr {
        try Multiaddr("\(Self.address(of: node))/p2p/\(peerID(of: node))")
    }

    /// The messages a node heard, in order.
    package func messages(at node: NodeID) -> [TopicMessage] {
        (events[node] ?? []).compactMap { entry in
            if case .message(let message) = entry.event { message } else { nil }
        }
    }

    /// The texts of those messages.
    package func texts(at node: NodeID) -> [String] {
        messages(at: node).map { String(decoding: $0.data, as: UTF8.self) }
    }

    /// The last state of every connection a node told of, oldest first.
    package func connections(at node: NodeID) -> [ConnectionInfo] {
        var latest: [ConnectionID: ConnectionInfo] = [:]
        for entry in events[node] ?? [] {
            if case .connection(let info) = entry.event { latest[info.id] = info }
        }
        return latest.keys.sorted().compactMap { latest[$0] }
    }
}
