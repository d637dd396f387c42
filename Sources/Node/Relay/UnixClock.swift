package import NIOCore

/// What the wall clock says at a moment of the node's own clock, as far as the last look at it tells.
///
/// For times that go over the wire, as the end of a reservation; nothing here waits by it. It is looked at again and
/// again, since it is set, and runs on while a machine sleeps, which the node's own clock does not.
package struct UnixClock: Sendable {
    private let start: NIODeadline
    private let nanoseconds: UInt64

    /// The wall clock showed `nanoseconds` since 1970 at `start`.
    package init(nanoseconds: UInt64, at start: NIODeadline) { (self.nanoseconds, self.start) = (nanoseconds, start) }

    /// Whole seconds since 1970.
    package func seconds(at now: NIODeadline) -> UInt64 {
        let passed = UInt64(max(0, (now - start).nanoseconds))
        return (nanoseconds &+ passed) / 1_000_000_000
    }
}
