public import Wire

/// What a relay gives away; go-libp2p's defaults. A peer has one reservation, however often it renews it.
public struct RelayConfiguration: Sendable, Equatable {
    /// Reservations at once.
    public var reservations = 128
    /// Reservations at once from one IPv4 address, or one IPv6 network of 64 bits.
    public var reservationsPerIP = 8
    /// Reservations at once from one IPv6 network of 32 bits, which is a provider's; go counts by its table of ASNs.
    public var reservationsPerProvider = 32
    /// How long a reservation lasts.
    public var reservationTime = Duration.seconds(3600)
    /// Circuits at once that start or end at one peer.
    public var circuitsPerPeer = 16
    /// Circuits at once; go has no such number, but its others come to this one.
    public var circuits = 2048
    /// What a circuit may carry; zeros stand for no bound.
    public var limit = RelayLimit(seconds: 120, bytes: 131_072)

    /// The defaults.
    public init() {}
}

/// What happens with reservations and circuits.
public enum RelayEvent: Sendable, Equatable {
    /// A relay holds a reservation for this peer, which is renewed before it ends.
    case reserved(relay: PeerID, lasting: Duration, limit: RelayLimit?)
    /// A relay gave none; why, in plain words.
    case refused(relay: PeerID, reason: String, retryIn: Duration)
    /// A reservation is over before it was renewed.
    case lost(relay: PeerID, reason: String)
    /// As a relay: a peer has a reservation here, for the first time or again.
    case granted(PeerID, isRenewal: Bool)
    /// As a relay: a peer was refused a reservation or a circuit.
    case denied(PeerID, RelayStatus)
    /// As a relay: two peers have a circuit.
    case circuitOpened(from: PeerID, to: PeerID)
    /// As a relay: a circuit is over; bytes of both directions, and why in plain words.
    case circuitEnded(from: PeerID, to: PeerID, bytes: UInt64, reason: String)
}

extension RelayEvent {
    /// How much it matters to a log.
    public var level: LogLevel {
        switch self {
        case .reserved, .refused, .lost: .notice
        case .granted(_, isRenewal: false), .circuitOpened, .circuitEnded: .info
        case .granted(_, isRenewal: true), .denied: .debug
        }
    }

    /// One sentence for a person.
    public var words: String {
        switch self {
        case .reserved(let relay, let time, let limit):
            "reachable through relay \(relay.suffix()) for \(time.components.seconds) s"
                + (limit.map { ", \($0.words) for each connection" } ?? ", without limits")
        case .refused(let relay, let reason, let wait):
            "no reservation with relay \(relay.suffix()): \(reason); trying again in \(wait.components.seconds) s"
        case .lost(let relay, let reason): "the reservation with relay \(relay.suffix()) is over: \(reason)"
        case .granted(let peer, let isRenewal):
            "\(peer.suffix()) \(isRenewal ? "renewed its reservation" : "has a reservation")"
        case .denied(let peer, let status): "\(peer.suffix()) was refused: \(status.name)"
        case .circuitOpened(let from, let to): "a circuit from \(from.suffix()) to \(to.suffix())"
        case .circuitEnded(let from, let to, let bytes, let reason):
            "the circuit from \(from.suffix()) to \(to.suffix()) ended after \(bytes) bytes: \(reason)"
        }
    }
}

extension RelayLimit {
    /// `120 s and 131072 bytes each way`.
    public var words: String {
        let parts = [seconds == 0 ? nil : "\(seconds) s", bytes == 0 ? nil : "\(bytes) bytes each way"]
        let text = parts.compactMap(\.self).joined(separator: " and ")
        return text.isEmpty ? "no limits" : text
    }
}
