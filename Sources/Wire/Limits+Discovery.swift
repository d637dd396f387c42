package import NIOCore

/// What peer discovery over pubsub may take, remember and dial.
extension Limits {
    // MARK: Peer discovery over pubsub

    /// Bytes of a message; a longer one is dropped unread.
    package static let discoveryMessage = 16 << 10
    /// Addresses in a message; one with more is dropped.
    package static let discoveryListed = 64
    /// Addresses taken from a message, and the most that are published.
    package static let discoveryAddresses = 16
    /// Peers remembered; the one heard longest ago makes room.
    package static let discoveryPeers = 256
    /// A peer that was not heard for so long is forgotten.
    package static let discoveryAge = TimeAmount.minutes(5)
    /// Dials at the same time that messages led to.
    package static let discoveryDials = 4
    /// A dial that has not ended by then no longer counts among them.
    package static let discoveryDialTimeout = TimeAmount.seconds(30)
    /// From one dial of a peer to the next; doubled with every further one in vain, up to ``discoveryRedialLast``.
    package static let discoveryRedial = TimeAmount.seconds(30)
    package static let discoveryRedialLast = TimeAmount.minutes(10)
    /// Addresses of one host taken from a message: a host has a few transports.
    package static let discoveryAddressesPerHost = 4
    /// Dials to one host in a minute, whatever peers are said to be there.
    package static let discoveryDialsPerHost = 4
    /// Hosts dialled in a minute; at so many the rest waits.
    package static let discoveryHosts = 256
    /// Between two own messages, as js-libp2p has it.
    package static let discoveryInterval = TimeAmount.seconds(10)
}
