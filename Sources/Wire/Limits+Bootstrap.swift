package import NIOCore

extension Limits {
    // MARK: Bootstrap

    /// How long a step of bootstrap has the network to itself before the next begins beside it.
    package static let bootstrapStep = TimeAmount.seconds(3)
    /// Peers of last time that are dialled.
    package static let bootstrapRemembered = 16
    /// Hosts remembered that answered over TCP, and that did not over UDP.
    package static let udpSilentHosts = 16
    /// So many hosts that do not answer over UDP are no accident.
    package static let udpHostsSuspected = 3
    /// Addresses kept for the next start, and the bytes of the file they are in.
    package static let rememberedPeers = 64
    package static let rememberedPeersFile = 32 << 10
}
