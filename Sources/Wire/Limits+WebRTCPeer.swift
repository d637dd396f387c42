package import NIOCore

/// What an application that does not read may cost.
extension Limits {
    /// Bytes of messages, of all channels together, that wait for their reader before the connection stops reading.
    package static let unreadMessages = 4 << 20
    /// It reads again when so many are left.
    package static let unreadMessagesLow = 1 << 20
    /// Channels the remote opened that wait for somebody to take them.
    package static let unacceptedChannels = 256
    /// How long a connection stops reading for its reader before it gives up: well before the consent of the remote
    /// (30 s) runs out.
    package static let readerPatience = TimeAmount.seconds(15)
    /// Bytes a sender may have waiting in a channel before `send` waits, and what it waits for.
    package static let channelHighWater = 1 << 20
    package static let channelLowWater = 256 << 10
    /// Bytes that wait for a TCP connection to a TURN server before datagrams are dropped.
    package static let relayPipeQueue = 1 << 20
    /// Sockets of one connection: addresses of this machine.
    package static let hostAddresses = 16
}
