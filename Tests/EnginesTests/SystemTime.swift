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

/// The system's clock, as this process's usrsctp and OpenSSL read it.
///
/// For two things usrsctp asks the system and not the clock we drive: how long a round trip took (and with it, which
/// packets have been out for one, when its timer for lost packets fires), and how old a message of limited lifetime
/// is. OpenSSL asks it when to repeat a flight. In virtual time all of it would depend on how busy the machine is. So
/// ``timeOfDay(_:_:)`` stands before the system's `gettimeofday`, and tells ``now`` to whom virtual time has begun; to
/// all others, and in every other process, the real time.
///
/// Two kinds of virtual time:
/// - a test's own (`virtualTime`), for OpenSSL, which asks only when it is called;
/// - the process's (``begin()``), for usrsctp, whose timers know no test: who uses it runs alone in a process of its
///   own (`processExitsWith`).
enum SystemTime {
    /// Nanoseconds of virtual time; zero while nobody uses it.
    fileprivate final class Shown: Sendable {
        let nanoseconds: Atomic<Int64>
        init(_ nanoseconds: Int64) { self.nanoseconds = Atomic(nanoseconds) }
    }

    /// Where virtual time begins.
    fileprivate static let beginning: Int64 = 1_000_000_000
    /// Seconds of real time after which a test's process ends itself: long after the test, whatever the machine does.
    /// It does not outlive a test run that was interrupted.
    private static let lifetime: UInt32 = 300

    private static let ofProcess = Shown(0)
    @TaskLocal fileprivate static var ofTest: Shown?
    fileprivate static var shown: Shown { ofTest ?? ofProcess }

    static var now: NIODeadline { .uptimeNanoseconds(UInt64(shown.nanoseconds.load(ordering: .relaxed))) }

    /// From here on the process's time is virtual.
    static func begin() {
        let (exchanged, _) = ofProcess.nanoseconds.compareExchange(
            expected: 0, desired: beginning, ordering: .relaxed)
        if exchanged { endInTime() }
    }

    /// For tests in real time, too.
    static func endInTime() { alarm(lifetime) }

    /// Never goes back.
    static func advance(to time: NIODeadline) {
        let time = Int64(clamping: time.uptimeNanoseconds)
        if time > shown.nanoseconds.load(ordering: .relaxed) { shown.nanoseconds.store(time, ordering: .relaxed) }
    }
}

/// A time of its own for each test: it passes when the test says so.
struct VirtualTime: TestTrait, SuiteTrait, TestScoping {
    var isRecursive: Bool { true }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        try await SystemTime.$ofTest.withValue(SystemTime.Shown(SystemTime.beginning)) { try await function() }
    }
}

extension Trait where Self == VirtualTime {
    static var virtualTime: Self { Self() }
}

/// What libusrsctp and libcrypto find for `gettimeofday`: a program's own symbols come before those of the libraries.
@_cdecl("gettimeofday")
public func timeOfDay(_ time: UnsafeMutablePointer<timeval>?, _ zone: UnsafeMutableRawPointer?) -> CInt {
    guard let time else { return 0 }
    let shown = SystemTime.shown.nanoseconds.load(ordering: .relaxed)
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
