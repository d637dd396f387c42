import Testing
import Wire

@testable import WebRTC

@Suite struct RefusedStreamsTests {
    /// What happens to a stream that was refused.
    enum Event: CaseIterable { case reset, notReset, remoteReset, announcedAgain }

    /// What follows, and whether the stream is still one of these.
    private func outcome(_ events: [Event], isRemoteReset: Bool = false) -> (isAnnounced: Bool, isKept: Bool) {
        var refused = RefusedStreams()
        let isNew = refused.refuse(5, isRemoteReset: isRemoteReset)
        #expect(isNew)
        var isAnnounced = false
        for event in events {
            switch event {
            case .reset: refused.wasReset(5, performed: true)
            case .notReset: refused.wasReset(5, performed: false)
            case .remoteReset: _ = refused.remoteReset(5)
            case .announcedAgain: isAnnounced = refused.forgive(5)
            }
        }
        #expect(refused.contains(5) == (refused.count == 1))
        return (isAnnounced, refused.contains(5))
    }

    @Test(
        arguments: [
            ([], false, true), ([.reset], false, true), ([.remoteReset], false, true), ([.notReset], false, false),
            // Both sides, in either order.
            ([.reset, .remoteReset], false, false), ([.remoteReset, .reset], false, false),
            ([.remoteReset, .notReset], false, false),
            // A new announcement counts once our side is reset.
            ([.announcedAgain], false, true), ([.remoteReset, .announcedAgain], false, true),
            ([.reset, .announcedAgain], true, false), ([.reset, .remoteReset, .announcedAgain], true, false),
        ] as [([Event], Bool, Bool)])
    func aStreamIsKeptUntilBothSidesAreReset(events: [Event], isAnnounced: Bool, isKept: Bool) {
        let outcome = outcome(events)
        #expect(outcome.isAnnounced == isAnnounced && outcome.isKept == isKept)
    }

    @Test func whatTheRemoteHasResetAlreadyNeedsOnlyOurs() {
        #expect(outcome([.reset], isRemoteReset: true).isKept == false)
        #expect(outcome([.announcedAgain], isRemoteReset: true).isAnnounced == false)
    }

    @Test func anotherRefusalOfTheSameStreamIsNoSecondReset() {
        var refused = RefusedStreams()
        let isNew = [refused.refuse(5), refused.refuse(5)]
        #expect(isNew == [true, false] && refused.count == 1)
    }

    @Test func otherStreamsAreNoneOfItsBusiness() {
        var refused = RefusedStreams()
        refused.wasReset(7, performed: true)
        let outcomes = [refused.remoteReset(7), refused.forgive(7)]
        #expect(outcomes == [false, true] && !refused.contains(7))
    }

    @Test func thereIsALimit() {
        var refused = RefusedStreams()
        let answered = (0..<UInt16(60_000)).filter { refused.refuse($0) }
        #expect(answered.count == Limits.refusedStreams && refused.count == Limits.refusedStreams)
        #expect(!refused.contains(UInt16(Limits.refusedStreams)))
        refused.wasReset(0, performed: false)
        let isNew = refused.refuse(50_000)
        #expect(isNew)
    }
}
