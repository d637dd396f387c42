import NIOCore
import OrderedCollections
import Wire

/// What the router keeps of one peer, besides subscriptions and meshes.
///
/// It exists from the first event to the last: an inbound stream can come before our outbound one is negotiated, and
/// stay when that one is gone. Scores will have their place here.
struct Neighbour {
    /// Our outbound stream; nil while there is none, when nothing can be sent.
    struct Outbound {
        var version: GossipVersion
        /// Whether we dialed the connection: what a mesh counts as outbound.
        var isDialed: Bool
        /// How long the peer remembers which messages it saw.
        var memory: TimeAmount
        /// Bytes that may be sent again.
        var room: Int
    }
    var outbound: Outbound?
    var dialect = MessageIDDialect.fromSequence

    /// The start of a frame, at most `Limits.gossipReceived` and a length prefix, behind it a chunk at most.
    var inbox = ByteBuffer()
    /// Whether the inbound stream made no sense and is ignored until the node has reset it.
    var isInboundBroken = false

    /// Topics we joined whose GRAFT came before our outbound stream was ready; answered when it is.
    var earlyGrafts: OrderedSet<Topic> = []

    /// What was granted to the peer since the last heartbeat.
    var spent = Budget()

    struct Budget {
        var ihaves = 0
        var advertisedIDs = 0
        var wantedIDs = 0
        var answerBytes = 0
        var prunes = 0
        var invalid = 0
    }

    /// Whether IHAVE, IWANT, GRAFT and PRUNE can be sent.
    var speaksGossip: Bool { outbound.map { $0.version > .floodsub } ?? false }
}
