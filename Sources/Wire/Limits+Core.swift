package import NIOCore

extension Limits {
    // MARK: The node and its runtime

    /// Streams of an application's protocol that wait for somebody to take them.
    package static let acceptedStreams = 128
    /// Bytes of GossipSub that wait for one slow neighbour; beyond, its stream starts anew without them.
    package static let gossipQueue = 4 << 20
    /// The same over all neighbours.
    package static let gossipQueueTotal = 64 << 20
    /// What each neighbour may have waiting however many there are.
    package static let gossipQueueLeast = 256 << 10
    /// Addresses remembered of one peer.
    package static let addressesPerPeer = 32
    /// Peers remembered without a connection.
    package static let knownPeers = 1024
    /// Requests of the owner under way at once.
    package static let requests = 1024
    /// From losing our GossipSub stream to a peer to the next attempt.
    package static let gossipStreamRetry = TimeAmount.seconds(1)
    /// Peers found on the local network that are left to dial us first, and for how long.
    package static let deferredDials = 64
    package static let deferredDial = TimeAmount.seconds(1)
    /// Failed attempts to open the GossipSub stream on one connection before it is left alone.
    package static let gossipStreamAttempts = 3
    /// From the wish to leave to the end of every connection.
    package static let shutdownTimeout = TimeAmount.milliseconds(1500)
    /// From the last byte written to a connection to the end of its socket.
    package static let closeTimeout = TimeAmount.seconds(1)
    /// From connecting a socket to its answer.
    package static let connectTimeout = TimeAmount.seconds(15)
}
