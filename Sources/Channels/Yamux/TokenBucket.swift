package import NIOCore

/// A budget for what a remote makes us do for free: so many at once, so many per second after that.
package struct TokenBucket {
    private let capacity: Int64
    private let interval: Int64
    private var tokens: Int64
    private var updated: NIODeadline?

    /// `capacity` at once, then `perSecond`, at least one.
    package init(capacity: Int, perSecond: Int) {
        self.capacity = Int64(capacity)
        interval = 1_000_000_000 / Int64(max(1, perSecond))
        tokens = self.capacity
    }

    /// Takes one; false when there is none.
    package mutating func take(now: NIODeadline) -> Bool {
        if let last = updated {
            let earned = (now - last).nanoseconds / interval
            if earned > 0 {
                tokens = min(capacity, tokens + min(earned, capacity))
                updated = tokens == capacity ? now : last + .nanoseconds(earned * interval)
            }
        } else {
            updated = now
        }
        guard tokens > 0 else { return false }
        tokens -= 1
        return true
    }
}
