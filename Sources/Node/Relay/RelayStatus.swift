/// What a relay, or a peer behind one, answers (libp2p/specs circuit-v2). Codes nobody knows are failures.
public struct RelayStatus: Hashable, Sendable, CustomStringConvertible {
    /// The number on the wire.
    public let code: UInt64

    package init(code: UInt64) { self.code = code }

    /// It is done as asked.
    public static let ok = RelayStatus(code: 100)
    /// No reservation for you.
    public static let reservationRefused = RelayStatus(code: 200)
    /// A limit of the relay would be exceeded.
    public static let resourceLimitExceeded = RelayStatus(code: 201)
    /// You may not.
    public static let permissionDenied = RelayStatus(code: 202)
    /// The other peer did not take the circuit.
    public static let connectionFailed = RelayStatus(code: 203)
    /// The other peer has no reservation.
    public static let noReservation = RelayStatus(code: 204)
    /// What you sent is no message.
    public static let malformedMessage = RelayStatus(code: 400)
    /// What you sent does not belong there.
    public static let unexpectedMessage = RelayStatus(code: 401)

    /// In the specification's words.
    public var name: String {
        switch self {
        case .ok: "OK"
        case .reservationRefused: "RESERVATION_REFUSED"
        case .resourceLimitExceeded: "RESOURCE_LIMIT_EXCEEDED"
        case .permissionDenied: "PERMISSION_DENIED"
        case .connectionFailed: "CONNECTION_FAILED"
        case .noReservation: "NO_RESERVATION"
        case .malformedMessage: "MALFORMED_MESSAGE"
        case .unexpectedMessage: "UNEXPECTED_MESSAGE"
        default: "status \(code)"
        }
    }

    /// One sentence for a person, with the specification's word.
    public var description: String {
        switch self {
        case .ok: "the relay agreed"
        case .reservationRefused: "the relay is full: it gives no reservation (\(name))"
        case .resourceLimitExceeded: "the relay is full: it has reached a limit (\(name))"
        case .permissionDenied: "the relay does not allow it (\(name))"
        case .connectionFailed: "the relay could not reach the peer (\(name))"
        case .noReservation: "the peer has no reservation with the relay (\(name))"
        case .malformedMessage, .unexpectedMessage: "the relay did not understand the request (\(name))"
        default: "the relay refused with a status nobody knows (\(code))"
        }
    }
}

/// What a circuit may carry before its relay ends it; zero stands for no bound.
public struct RelayLimit: Hashable, Sendable {
    /// Seconds from its beginning.
    public var seconds: UInt32
    /// Bytes in each direction.
    public var bytes: UInt64

    /// Bounds on time and bytes.
    public init(seconds: UInt32, bytes: UInt64) { (self.seconds, self.bytes) = (seconds, bytes) }
}
