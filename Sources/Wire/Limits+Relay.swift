package import NIOCore

extension Limits {
    // MARK: Circuit relay

    /// A hop or stop message (libp2p/specs circuit-v2).
    package static let relayMessage = 4096
    /// Addresses of one peer in a hop or stop message; more are ignored.
    package static let relayMessageAddresses = 32
    /// Addresses a relay tells of itself with a reservation.
    package static let relayAddressesTold = 16
    /// Addresses announced for one reservation.
    package static let relayAddressesAnnounced = 4
    /// Relays that reservations are wanted with.
    package static let relaysWanted = 16
    /// Relays of them that nobody named: chosen because nobody reaches this peer otherwise.
    package static let relaysChosen = 2
    /// Connected relays kept in mind to choose from.
    package static let relaysFound = 64
    /// From meeting a relay to asking it unasked: AutoNAT may find meanwhile that no relay is needed.
    package static let reservationPatience = TimeAmount.seconds(5)
    /// The rest of a relay that was chosen and gave nothing.
    package static let relayRest = TimeAmount.minutes(10)
    /// From opening a stream to a relay to its answer about a reservation.
    package static let reserveTimeout = TimeAmount.seconds(10)
    /// From asking a relay for a circuit to its answer: the relay asks the other peer meanwhile.
    package static let circuitTimeout = TimeAmount.seconds(30)
    /// A dial through a relay, the way to the relay included.
    package static let relayDialTimeout = TimeAmount.seconds(40)
    /// From accepting a hop or stop stream to the message on it.
    package static let relayMessageTimeout = TimeAmount.seconds(10)
    /// From asking a peer to take a circuit to its answer.
    package static let stopTimeout = TimeAmount.seconds(20)
    /// From the end of a connection through a relay to the reset of the stream that carried it.
    package static let circuitCloseTimeout = TimeAmount.seconds(2)
    /// Connections through relays that others make to us, at once, by one carrier.
    package static let circuitsPerCarrier = 64
    /// The longest reservation that is believed; a longer one is renewed as if it were so long.
    package static let reservationLongest = TimeAmount.hours(24)
    /// The longest wait before a reservation is renewed: three quarters of what go and rust give, whatever a relay's
    /// clock makes it look like.
    package static let reservationRenewal = TimeAmount.minutes(45)
    /// A reservation may seem to have ended so many seconds ago and yet be good: clocks are set wrong by hours.
    package static let clockSkew: UInt64 = 12 * 3600
    /// How long such a reservation is taken to last, in seconds.
    package static let skewedReservation: UInt64 = 600
    /// How many seconds a voucher may end before the reservation it came with.
    package static let voucherLead: UInt64 = 120
    /// So many seconds between what the wall clock should say and what it says are a jump.
    package static let clockJump: UInt64 = 60
    /// How often the wall clock is looked at.
    package static let wallClockInterval = TimeAmount.seconds(60)
    /// The shortest wait between two requests for a reservation with one relay.
    package static let reservationPause = TimeAmount.seconds(1)
    /// The wait after a relay turned out to be none.
    package static let noRelayPause = TimeAmount.minutes(5)
    /// Hop requests answered at once on one connection, and per second after that.
    package static let hopBurst = 64
    package static let hopsPerSecond = 4
    /// Hop streams of one connection whose request is under way.
    package static let hopStreamsPending = 32
    /// What a relay may be told to allow by its owner: reservations and circuits.
    package static let relayReservations = 65_536
    /// Connections that a relay allows for each reservation it may give: of the peer that holds it, and of one that
    /// reaches it.
    package static let connectionsPerReservation = 2
}
