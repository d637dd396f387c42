import NIOCore
import Wire

/// One request of ours that waits for its response (RFC 8489 §6.2.1, RFC 8445 §14.3).
///
///     sent ──50 ms──▶ again ──100 ms──▶ again ──500 ms, 1, 2, 4 s──▶ again … ──4 s──▶ given up
///
/// RFC 8445 wants 500 ms before the first retransmission, so that many checks at once do not flood a thin path. With
/// few under way that reason falls away, and a remote that was not listening yet when the first packet came costs
/// 50 ms instead of half a second; with many, the RFC's times hold. All retransmissions are one transaction:
/// whichever arrives, its answer counts.
///
/// Limits: seven packets. A consent check is sent once and forgotten after `Limits.iceConsentMemory`.
struct CheckTransaction {
    enum Purpose: Hashable {
        case check
        /// With USE-CANDIDATE, and selecting the pair when it succeeds.
        case nomination
        case consent
    }

    private static let early: [TimeAmount] = [.milliseconds(50), .milliseconds(100)]
    private static let least = TimeAmount.milliseconds(500)
    private static let longest = TimeAmount.seconds(4)
    private static let attempts = 7
    private static let hurry = TimeAmount.milliseconds(20)
    /// So many checks under way are few.
    private static let few = 4

    let id: STUNTransactionID
    let pair: Int
    let path: ICEPath
    let purpose: Purpose
    /// Our role as the request has it.
    let role: ICERole
    let request: ByteBuffer
    let sentAt: NIODeadline
    private var lastSent: NIODeadline
    private(set) var sent = 1
    /// When it is sent again or given up.
    private(set) var next: NIODeadline

    init(
        id: STUNTransactionID, pair: CandidatePair, purpose: Purpose, role: ICERole, request: ByteBuffer,
        inProgress: Int, pacing: TimeAmount, now: NIODeadline
    ) {
        (self.id, self.pair, self.path, self.purpose) = (id, pair.id, pair.path, purpose)
        (self.role, self.request, sentAt, lastSent, next) = (role, request, now, now, now)
        next = now + wait(inProgress: inProgress, pacing: pacing)
    }

    private func wait(inProgress: Int, pacing: TimeAmount) -> TimeAmount {
        if purpose == .consent { return Limits.iceConsentMemory }
        if inProgress <= Self.few, sent <= Self.early.count { return Self.early[sent - 1] }
        let paced = TimeAmount.nanoseconds(pacing.nanoseconds * Int64(inProgress))
        let doublings = max(0, sent - 1 - Self.early.count)
        let first = max(Self.least, paced).nanoseconds
        return min(Self.longest, .nanoseconds(first << Int64(min(doublings, 4))))
    }

    /// The time came: true to send the request again, false to give it up.
    mutating func timedOut(inProgress: Int, pacing: TimeAmount, now: NIODeadline) -> Bool {
        guard purpose != .consent, sent < Self.attempts else { return false }
        sent += 1
        lastSent = now
        next = now + wait(inProgress: inProgress, pacing: pacing)
        return true
    }

    /// The remote just showed that it is there, perhaps since a moment ago only: if the answer is not on its way
    /// already, do not let it wait for long.
    mutating func hurry(now: NIODeadline) {
        guard purpose != .consent else { return }
        next = min(next, max(now, lastSent + Self.hurry))
    }

    /// The round trip, when it is beyond doubt which packet was answered (Karn).
    func roundTrip(now: NIODeadline) -> TimeAmount? { sent == 1 ? now - sentAt : nil }
}
