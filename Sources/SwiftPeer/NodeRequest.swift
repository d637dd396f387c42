import Node
import Wire

/// Something a person or a script asked of the peer, with the words it was asked in.
struct NodeRequest: Sendable {
    /// What is asked.
    enum Action: Sendable {
        case publish(String, room: String)
        case connect(Multiaddr)
        case disconnect(PeerID)
        case ping(PeerID)
        /// Dials first.
        case pingAddress(Multiaddr)
        case join(String)
        case leave(String)
        case listPeers
        case listConnections
        /// Everything as it stands, because events were lost.
        case resync
        /// A sign from the neighbours that they read what was sent.
        case settle
    }
    /// What is asked.
    let action: Action
    /// The line of a script it came from.
    var input = ""
    /// The chat's number for a text.
    var token: Int?
}

/// How a ``NodeRequest`` ended.
struct NodeAnswer: Sendable {
    /// What came of it.
    enum Outcome: Sendable {
        case done
        case failed(String)
        case published(Published, text: String, room: String)
        case pong(PeerID, Duration)
        case joined(String)
        case left(String)
        case peers([PeerSnapshot.Topic])
        case connections([ConnectionInfo])
        case state(PeerSnapshot)
        case settled
    }
    /// The line of a script that the request came from.
    var input = ""
    /// The chat's number for a text.
    var token: Int?
    /// What came of it.
    let outcome: Outcome
    /// False for news that nobody asked for.
    var endsRequest = true
}
