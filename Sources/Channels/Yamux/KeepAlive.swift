import NIOCore
import Wire

/// Pings of one session: liveness and round-trip time.
///
///     idle ──interval over──▶ waiting(value) ──answer──▶ idle
///                               └─ timeout, and nothing arrived meanwhile ──▶ silent
///
/// The first ping leaves at the start, so that a round-trip time is known before windows want to grow. Whatever
/// arrives counts as life: a long transfer may delay the answer. One ping is out at a time.
struct KeepAlive {
    private enum State {
        case stopped
        case idle(until: NIODeadline)
        case waiting(value: UInt32, sentAt: NIODeadline, since: NIODeadline)
    }
    private var state = State.stopped
    private var interval: TimeAmount
    private var lastValue: UInt32 = 0
    private var lastReceived = NIODeadline.uptimeNanoseconds(0)
    /// The value of a ping that is to be sent.
    private(set) var pingDue: UInt32?
    /// Half the old and half the new, as go-yamux smooths it.
    private(set) var roundTrip: TimeAmount?

    init(interval: TimeAmount) { self.interval = interval }

    var deadline: NIODeadline {
        switch state {
        case .stopped: .distantFuture
        case .idle(let until): until
        case .waiting(_, _, let since): since + Limits.keepAliveTimeout
        }
    }

    mutating func started(now: NIODeadline) { ping(now: now) }

    private mutating func ping(now: NIODeadline) {
        lastValue &+= 1
        pingDue = lastValue
        state = .waiting(value: lastValue, sentAt: now, since: now)
    }

    /// Asks this often from now on.
    mutating func setInterval(_ interval: TimeAmount, now: NIODeadline) {
        self.interval = interval
        if case .idle(let until) = state { state = .idle(until: min(until, now + interval)) }
    }

    /// The ping that was due has been put into the pipe.
    mutating func pingSent() { pingDue = nil }

    mutating func received(now: NIODeadline) { lastReceived = now }

    /// An answer. One nobody waits for is ignored; otherwise the time it took.
    mutating func answered(_ value: UInt32, now: NIODeadline) -> TimeAmount? {
        guard case .waiting(value, let sentAt, _) = state, pingDue == nil else { return nil }
        state = .idle(until: now + interval)
        let sample = now - sentAt
        roundTrip = roundTrip.map { .nanoseconds(($0.nanoseconds + sample.nanoseconds) / 2) } ?? sample
        return sample
    }

    /// True when the remote has been silent for too long.
    mutating func timedOut(now: NIODeadline) -> Bool {
        guard now >= deadline else { return false }
        switch state {
        case .stopped: return false
        case .idle:
            ping(now: now)
            return false
        case .waiting(let value, let sentAt, let since):
            guard lastReceived > since else { return true }
            state = .waiting(value: value, sentAt: sentAt, since: now)
            return false
        }
    }
}
