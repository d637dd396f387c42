import NIOCore
import Wire

/// One request of ours to a TURN server that waits for its response (RFC 8489 §6.2).
///
///     sent ──500 ms──▶ again ──1 s──▶ again ──2, 4, 8, 16 s──▶ again … ──8 s──▶ given up
///
/// Over TCP it is sent once and given up after the same 39.5 s in all. Limits: seven packets.
struct TURNTransaction {
    enum Purpose: Hashable {
        case allocate
        case refresh
        /// Gives an allocation back that stands in our way.
        case clear
        case permit(IPAddress)
        case bind(TransportAddress)
    }

    private static let attempts = 7
    private static let first = TimeAmount.milliseconds(500)
    private static let last = TimeAmount.seconds(8)
    private static let whole = TimeAmount.milliseconds(39_500)

    let id: STUNTransactionID
    let purpose: Purpose
    let request: ByteBuffer
    /// The request had MESSAGE-INTEGRITY, so must the response.
    let isSigned: Bool
    /// How many of its kind were refused for their nonce before it.
    let stale: Int
    private var sent = 1
    /// When it is sent again or given up.
    private(set) var next: NIODeadline

    init(
        id: STUNTransactionID, purpose: Purpose, request: ByteBuffer, isSigned: Bool, stale: Int,
        transport: TURNServer.Transport, now: NIODeadline
    ) {
        (self.id, self.purpose, self.request) = (id, purpose, request)
        (self.isSigned, self.stale) = (isSigned, stale)
        if transport == .tcp { sent = Self.attempts }
        next = now + (transport == .tcp ? Self.whole : Self.first)
    }

    /// The time came: true to send the request again, false to give it up.
    mutating func timedOut(now: NIODeadline) -> Bool {
        guard sent < Self.attempts else { return false }
        sent += 1
        next = now + (sent == Self.attempts ? Self.last : .nanoseconds(Self.first.nanoseconds << Int64(sent - 1)))
        return true
    }
}
