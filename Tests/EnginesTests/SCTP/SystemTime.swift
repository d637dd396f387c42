import NIOCore
import Synchronization
import Testing

#if canImport(Glibc)
    public import Glibc
#elseif canImport(Musl)
    public import Musl
#elseif canImport(Darwin)
    public import Darwin
#endif

/// The system's clock, as this process's usrsctp reads it.
///
/// For two things usrsctp asks the system and not the clock we drive: how long a round trip took (and with it, which
/// packets have been out for one, when its timer for lost packets fires), and how old a message of limited lifetime
/// is. In virtual time both would depend on how busy the machine is. So ``timeOfDay(_:_:)`` stands before the
/// system's `gettimeofday`, and tells ``now`` once a test has begun to use it. Before, and in every other process, it
/// tells the real time.
///
/// Virtual time is the process's: who uses it runs alone in one of its own (`processExitsWith`). OpenSSL, which repeats
/// a flight whenever it is called and the system's clock says so, is content with time that stands still for one test:
/// see `standsStill`.
enum SystemTime {
    /// Nanoseconds; zero while nobody uses it.
    fileprivate static let shown = Atomic<Int64>(0)
    /// Where virtual time begins.
    private static let beginning: Int64 = 1_000_000_000
    /// Seconds of real time after which a test's process ends itself: long after the test, whatever the machine does.
    /// It does not outlive a test run that was interrupted.
    private static let lifetime: UInt32 = 300

    /// Nanoseconds, for what the present test calls; nil: time passes.
    @TaskLocal fileprivate static var held: Int64?

    static var now: NIODeadline { .uptimeNanoseconds(UInt64(shown.load(ordering: .relaxed))) }

    /// From here on time is virtual.
    static func begin() {
        guard shown.compareExchange(expected: 0, desired: beginning, ordering: .relaxed).exchanged else { return }
        endInTime()
    }

    /// For tests in real time, too.
    static func endInTime() { alarm(lifetime) }

    /// Never goes back.
    static func advance(to time: NIODeadline) {
        let time = Int64(clamping: time.uptimeNanoseconds)
        if time > shown.load(ordering: .relaxed) { shown.store(time, ordering: .relaxed) }
    }
}

/// For tests in which nothing has to wait: no timer of OpenSSL fires in them, however long they are kept waiting.
struct StandingTime: TestTrait, SuiteTrait, TestScoping {
    var isRecursive: Bool { true }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        try await SystemTime.$held.withValue(1_000_000_000) { try await function() }
    }
}

extension Trait where Self == StandingTime {
    static var standsStill: Self { Self() }
}

/// What libusrsctp and libcrypto find for `gettimeofday`: a program's own symbols come before those of the libraries.
@_cdecl("gettimeofday")
public func timeOfDay(_ time: UnsafeMutablePointer<timeval>?, _ zone: UnsafeMutableRawPointer?) -> CInt {
    guard let time else { return 0 }
    let shown = SystemTime.held ?? SystemTime.shown.load(ordering: .relaxed)
    if shown == 0 {
        var real = timespec()
        guard clock_gettime(CLOCK_REALTIME, &real) == 0 else { return -1 }
        time.pointee = timeval(tv_sec: real.tv_sec, tv_usec: numericCast(real.tv_nsec / 1000))
    } else {
        time.pointee = timeval(
            tv_sec: numericCast(shown / 1_000_000_000), tv_usec: numericCast(shown / 1000 % 1_000_000))
    }
    return 0
}
