package import NIOCore

/// Every number that bounds what a remote, a file or a user can make this program hold or do.
///
/// The only place with such numbers: an append elsewhere names one of these. Lengths are bytes unless said.
package enum Limits {
    // MARK: Upgrade

    /// A multistream token with its newline; go and js refuse longer ones.
    package static let multistreamToken = 1024
    /// Proposals a responder answers with `na` before it gives the stream up.
    package static let multistreamProposals = 64
    /// A Noise message: its length prefix has 16 bits.
    package static let noiseMessage = 65_535
    /// From the first byte to an authenticated, multiplexed connection.
    package static let upgradeTimeout = TimeAmount.seconds(10)
    /// From opening a stream to its protocol.
    package static let negotiationTimeout = TimeAmount.seconds(10)

    // MARK: Connections and streams (go-libp2p's resource manager as a start)

    package static let connections = 300
    package static let connectionsPerPeer = 10
    package static let inboundPendingConnections = 128
    package static let streamsPerConnection = 512
    package static let dialTimeout = TimeAmount.seconds(15)

    // MARK: Messages

    package static let identifyMessage = 8192
    package static let identifyMessages = 10
    /// What we send must fit what rust-libp2p reads.
    package static let identifySent = 4096
    package static let gossipReceived = 1 << 20
    package static let gossipSent = 65_536
}
