import ArgumentParser
import Node
import Wire

/// What a relay gives away.
struct RelayOptions: ParsableArguments {
    @Flag(help: "Serve circuit relay v2 (default: on for relay).")
    var relayServer = false

    @Flag(help: "Do not serve circuit relay v2.")
    var noRelayServer = false

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("As a relay: reservations at once (default: 128).", valueName: "n"))
    var relayReservations: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("As a relay: reservations at once from one address (default: 8).", valueName: "n"))
    var relayReservationsPerIp: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("As a relay: reservations at once from one IPv6 /32 (default: 32).", valueName: "n"))
    var relayReservationsPerProvider: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("As a relay: how long a reservation lasts (default: 3600).", valueName: "seconds"))
    var relayReservationTime: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("As a relay: circuits at once of one peer (default: 16).", valueName: "n"))
    var relayCircuitsPerPeer: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("As a relay: circuits at once (default: 2048).", valueName: "n"))
    var relayCircuits: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "As a relay: how long a circuit lasts, 0 = for ever (default: 120).", valueName: "seconds"))
    var relayCircuitTime: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "As a relay: what a circuit carries each way, 0 = any amount (default: 131072).", valueName: "bytes"))
    var relayCircuitBytes: String?

    @Flag(help: "Ask no relay for a reservation that is not named by --listen, even when nobody can dial this peer.")
    var noAutoRelay = false

    /// What the flags or their variables say; nil for no relay. The values are judged either way.
    func configuration(isRelay: Bool, _ environment: Environment) throws(Failure) -> RelayConfiguration? {
        if relayServer && noRelayServer {
            throw Failure(.usage, "--relay-server: --no-relay-server says the opposite")
        }
        let off = try environment.isOn("--no-relay-server", noRelayServer)
        let on = try environment.isOn("--relay-server", relayServer)
        var relay = RelayConfiguration()
        let most = UInt64(Limits.relayReservations)
        func number(
            _ flag: String, _ value: String?, _ range: ClosedRange<UInt64>
        ) throws(Failure) -> UInt64? {
            try environment.value(flag, value)?.number(in: range)
        }
        if let count = try number("--relay-reservations", relayReservations, 1...most) {
            relay.reservations = Int(count)
        }
        if let count = try number("--relay-reservations-per-ip", relayReservationsPerIp, 1...most) {
            relay.reservationsPerIP = Int(count)
        }
        if let count = try number("--relay-reservations-per-provider", relayReservationsPerProvider, 1...most) {
            relay.reservationsPerProvider = Int(count)
        }
        if let count = try number("--relay-circuits", relayCircuits, 1...most) { relay.circuits = Int(count) }
        if let count = try number("--relay-circuits-per-peer", relayCircuitsPerPeer, 1...most) {
            relay.circuitsPerPeer = Int(count)
        }
        if let time = try number("--relay-reservation-time", relayReservationTime, 10...86_400) {
            relay.reservationTime = .seconds(Int64(time))
        }
        if let time = try number("--relay-circuit-time", relayCircuitTime, 0...UInt64(UInt32.max)) {
            relay.limit.seconds = UInt32(time)
        }
        if let bytes = try number("--relay-circuit-bytes", relayCircuitBytes, 0...(1 << 62)) {
            relay.limit.bytes = bytes
        }
        // A flag on the command line outdoes a variable that says the opposite.
        return relayServer || ((on || isRelay) && !off) ? relay : nil
    }
}
