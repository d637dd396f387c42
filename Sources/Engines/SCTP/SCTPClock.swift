import NIOCore

/// The one clock of usrsctp, driven by the `now` of all associations.
///
/// usrsctp counts milliseconds for the whole process, while each association is told the time by its own owner, in
/// whatever order. Each therefore has an anchor: a moment of its own, and what the clock showed then. The clock shows
/// the latest that any of them calls for, and never goes back. With one source of time (the program) all anchors
/// agree, so that it does not matter who calls; with several (tests) an association that finds the clock far ahead
/// is anchored anew and goes on from there.
struct SCTPClock: Sendable {
    /// One association's view.
    struct Anchor: Sendable {
        fileprivate var moment: NIODeadline
        fileprivate var shown: Int64
    }
    /// Behind by more than this, an association goes by another source of time.
    private static let tolerance: Int64 = 1_000_000_000

    /// Nanoseconds.
    private var shown: Int64 = 0
    /// Milliseconds usrsctp has been told of.
    private var told: Int64 = 0
    /// The last call of any association.
    private var latest: Anchor?

    /// A new association at `now`: all that passed since the last call passes first, lest its timers feel it later.
    mutating func join(now: NIODeadline) -> Anchor {
        if let latest { shown = max(shown, Self.wanted(latest, now)) }
        let anchor = Anchor(moment: now, shown: shown)
        latest = anchor
        return anchor
    }

    mutating func advance(_ anchor: inout Anchor, to now: NIODeadline) {
        let wanted = Self.wanted(anchor, now)
        if wanted >= shown {
            shown = wanted
        } else if shown - wanted > Self.tolerance {
            anchor = Anchor(moment: now, shown: shown)
        }
        latest = Anchor(moment: now, shown: shown)
    }

    private static func wanted(_ anchor: Anchor, _ now: NIODeadline) -> Int64 {
        let (sum, overflow) = anchor.shown.addingReportingOverflow((now - anchor.moment).nanoseconds)
        return overflow ? anchor.shown : sum
    }

    /// Milliseconds that usrsctp is to be told of now: nothing before `least` have come together.
    mutating func due(least: Int64) -> UInt32? {
        let due = shown / 1_000_000 - told
        guard due >= max(1, least) else { return nil }
        // Far beyond all its timers, and no overflow of its counter.
        let elapsed = UInt32(clamping: min(due, 86_400_000))
        told += due
        return elapsed
    }
}
