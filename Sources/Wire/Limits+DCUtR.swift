package import NIOCore

extension Limits {
    // MARK: DCUtR

    /// A HolePunch message; go-libp2p has the same.
    package static let holePunchMessage = 4096
    /// Addresses of one message that are read; more are ignored.
    package static let holePunchAddressesRead = 32
    /// Addresses that are sent, and addresses of the other side that are dialled at once.
    package static let holePunchAddresses = 6
    /// From opening or accepting a stream to its next message.
    package static let holePunchTimeout = TimeAmount.seconds(10)
    /// How long the plain dial takes at most that goes before.
    package static let holePunchDirect = TimeAmount.seconds(5)
    /// From the dials of one try to the next try.
    package static let holePunchDial = TimeAmount.seconds(10)
    /// Tries for one relayed connection.
    package static let holePunchTries = 3
    /// Tries of the other side that we take part in, for one relayed connection.
    package static let holePunchesAnswered = 5
    /// Peers that this goes on with at once, those included whose relayed connection is about to end.
    package static let holePunches = 16
    /// Peers whose word about our TCP address is remembered, the newest.
    package static let observedAddresses = 8
}
