package import NIOCore

/// The numbers of the protocol that a node may choose: go-libp2p's, but with flood publishing.
///
/// libp2p/specs gossipsub v1.1, "Parameters". What bounds memory and work is in `Limits`, and nobody's choice.
package struct GossipParameters: Sendable {
    /// Peers wanted in a mesh (D).
    package var degree = 6
    /// Fewer: graft up to `degree` (D_lo).
    package var degreeLow = 5
    /// More: prune down to `degree` (D_hi).
    package var degreeHigh = 12
    /// Peers of a mesh that we dialed ourselves, at least (D_out): those an attacker cannot choose for us.
    package var degreeOut = 2
    /// Peers outside the mesh that are sent IHAVE, at least (D_lazy).
    package var degreeLazy = 6
    /// Part of the peers outside the mesh that are sent IHAVE.
    package var gossipFactor = 0.25
    /// Between heartbeats.
    package var heartbeatInterval = TimeAmount.seconds(1)
    /// From the first event to the first heartbeat.
    package var heartbeatDelay = TimeAmount.milliseconds(100)
    /// Heartbeats a message can be asked for.
    package var historyLength = 5
    /// Heartbeats a message is advertised.
    package var historyGossip = 3
    /// How long a topic we publish to without joining keeps its peers.
    package var fanoutTTL = TimeAmount.seconds(60)
    /// After a PRUNE nobody grafts for so long.
    package var pruneBackoff = TimeAmount.seconds(60)
    /// The same, when it was because somebody left the topic.
    package var unsubscribeBackoff = TimeAmount.seconds(10)
    /// A GRAFT that follows a PRUNE within this time is a flood.
    package var graftFloodThreshold = TimeAmount.seconds(10)
    /// How long a message is remembered as seen: longer than ``RecentLines`` are sent again, and a minute for the way.
    package var seenTTL = TimeAmount.minutes(6)
    /// Whether our own messages go to every peer of the topic, not only to the mesh: a chat is small, and this is
    /// what delivers before a mesh has formed.
    package var floodPublish = true

    package init() {}
}
