import Testing

@testable import SwiftPeer

@Suite struct WallClockTests {
    @Test(
        "A moment is written as RFC 3339 in UTC with milliseconds",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (1_709_210_096_007_999_999, "2024-02-29T12:34:56.007Z"),
            (4_102_444_799_999_000_000, "2099-12-31T23:59:59.999Z"),
        ] as [(Int64, String)])
    func rfc3339(nanoseconds: Int64, text: String) {
        #expect(WallClock(nanoseconds: nanoseconds).rfc3339 == text)
    }

    @Test("The present is after this was written")
    func present() { #expect(WallClock.now > WallClock(nanoseconds: 1_709_210_096_000_000_000)) }
}
