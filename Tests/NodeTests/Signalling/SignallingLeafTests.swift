import ICE
import NIOCore
import PlainEngines
import Testing
import WebRTC
import Wire

@testable import Node

@Suite struct SignallingLeafTests {
    private let start = Fixture.start

    private static func description(_ kind: SessionDescription.Kind) -> SessionDescription {
        SessionDescription(
            kind, credentials: ICECredentials(ufrag: "abcd", password: String(repeating: "p", count: 22)),
            fingerprint: PlainEngines(seed: 1).fingerprint, setup: kind == .offer ? .actpass : .active,
            hasAllCandidates: false)
    }

    private static func candidate(_ number: Int) -> ICECandidate {
        .host(TransportAddress(.v4(IPv4Address(0xC000_0200 + UInt32(number % 250))), port: UInt16(1000 + number)))
    }

    private static func message(_ candidate: ICECandidate) -> ByteBuffer {
        SignallingMessage(.candidate, SignalledCandidate.json(candidate, mid: "0", ufrag: "abcd")).encoded
    }

    private static func glued(_ parts: [ByteBuffer]) -> ByteBuffer {
        var all = ByteBuffer()
        for part in parts { all.writeImmutableBuffer(part) }
        return all
    }

    // MARK: The offering end

    private func offered() -> SignallingInitiator {
        var leaf = SignallingInitiator(Self.description(.offer), now: start)
        #expect(leaf.opened() == .write(SignallingMessage(.offer, Self.description(.offer).text).encoded))
        #expect(leaf.opened() == .none)
        return leaf
    }

    @Test(arguments: [1, 7, 100, 100_000]) func theAnswerAndItsCandidatesAreReadHoweverTheyAreCut(size: Int) {
        var leaf = offered()
        let bytes = Self.glued([
            SignallingMessage(.answer, Self.description(.answer).text).encoded, Self.message(Self.candidate(1)),
            SignallingMessage(.candidate, "nonsense").encoded, SignallingMessage(.other(3), "").encoded,
            Self.message(Self.candidate(2)), SignallingMessage(.candidate, "null").encoded,
            Self.message(Self.candidate(3)),
        ])
        let actions = Fixture.feed(bytes, by: size, none: .none) { leaf.received(&$0) }
        #expect(
            actions == [
                .answered(Self.description(.answer)), .candidate(Self.candidate(1)), .candidate(Self.candidate(2)),
                .endOfCandidates, .candidate(Self.candidate(3)),
            ])
        #expect(leaf.connected() == .close)
        #expect(leaf.closed() == .none && leaf.deadline == .distantFuture)
    }

    @Test func ourCandidatesLeaveAsSoonAsTheOfferHas() {
        var leaf = SignallingInitiator(Self.description(.offer), now: start)
        #expect(leaf.found(Self.candidate(1)) == .none)
        _ = leaf.opened()
        for number in 0..<Limits.signallingOwnCandidates {
            #expect(leaf.found(Self.candidate(number)) == .write(Self.message(Self.candidate(number))))
        }
        #expect(leaf.found(Self.candidate(1)) == .none)
    }

    static let notAnAnswer: [(ByteBuffer, SignallingError)] = [
        (SignallingMessage(.offer, "v=0").encoded, .unexpected(.offer)),
        (SignallingMessage(.candidate, "null").encoded, .unexpected(.candidate)),
        (SignallingMessage(.answer, "").encoded, .description(.notSDP)),
        (SignallingMessage(.answer, "v=0\r\n").encoded, .description(.noDataChannels)),
        (ByteBuffer(bytes: [3, 0x12, 9, 1]), .malformed(.truncated)),
    ]

    @Test func whatIsNoAnswerEndsIt() {
        for (bytes, error) in Self.notAnAnswer {
            var leaf = offered()
            var inbox = bytes
            let action = leaf.received(&inbox)
            #expect(action == .failed(error))
            #expect(
                inbox.readableBytes == 0 && leaf.received(&inbox) == .none && leaf.found(Self.candidate(1)) == .none)
        }
    }

    /// Ten megabytes are refused by their length, before they come.
    @Test func aDescriptionThatIsTooLongIsRefusedAtOnce() {
        var leaf = offered()
        var inbox = ByteBuffer()
        inbox.writeUVarint(10 << 20)
        #expect(leaf.received(&inbox) == .failed(.framing(.tooLong(10 << 20, limit: Limits.signallingMessage))))
        var responder = SignallingResponder(now: start)
        inbox.writeUVarint(10 << 20)
        #expect(responder.received(&inbox) == .failed(.framing(.tooLong(10 << 20, limit: Limits.signallingMessage))))
        var other = SignallingResponder(now: start)
        inbox = SignallingMessage(.offer, "v=0\r\n" + String(repeating: "a", count: Limits.sdp - 4)).encoded
        #expect(other.received(&inbox) == .failed(.description(.tooLong)))
    }

    @Test func theEndOfTheStreamCountsOnlyBeforeTheAnswer() {
        var leaf = offered()
        #expect(leaf.closed() == .failed(.closed))
        leaf = offered()
        var inbox = SignallingMessage(.answer, Self.description(.answer).text).encoded
        _ = leaf.received(&inbox)
        #expect(leaf.closed() == .close)
        leaf = offered()
        #expect(leaf.timedOut(now: start) == .none && leaf.deadline == start + Limits.signallingTimeout)
        #expect(leaf.timedOut(now: leaf.deadline) == .failed(.timedOut))
    }

    // MARK: The answering end

    @Test(arguments: [1, 9, 100_000]) func theOfferIsReadAndItsCandidatesWaitForTheAnswer(size: Int) {
        var leaf = SignallingResponder(now: start)
        let bytes = Self.glued([
            SignallingMessage(.offer, Self.description(.offer).text).encoded, Self.message(Self.candidate(1)),
            Self.message(Self.candidate(2)),
        ])
        let actions = Fixture.feed(bytes, by: size, none: .none) {
            (inbox: inout ByteBuffer) -> SignallingResponder.Action in
            let action = leaf.received(&inbox)
            if case .offered = action {
                // Nothing may be said before the answer.
                #expect(leaf.found(Self.candidate(9)) == .none)
                #expect(leaf.received(&inbox) == .none)
                let answer = Self.description(.answer)
                #expect(leaf.answered(answer) == .write(SignallingMessage(.answer, answer.text).encoded))
            }
            return action
        }
        #expect(
            actions == [
                .offered(Self.description(.offer)), .candidate(Self.candidate(1)), .candidate(Self.candidate(2)),
            ])
        #expect(leaf.found(Self.candidate(9)) == .write(Self.message(Self.candidate(9))))
        #expect(leaf.connected() == .close)
    }

    @Test func whatIsNoOfferEndsIt() {
        let cases: [(SignallingMessage, SignallingError)] = [
            (SignallingMessage(.answer, "v=0"), .unexpected(.answer)),
            (SignallingMessage(.candidate, "null"), .unexpected(.candidate)),
            (SignallingMessage(.offer, "v=1"), .description(.notSDP)),
        ]
        for (message, error) in cases {
            var leaf = SignallingResponder(now: start)
            var inbox = message.encoded
            #expect(leaf.received(&inbox) == .failed(error))
        }
        var leaf = SignallingResponder(now: start)
        #expect(leaf.closed() == .failed(.closed))
        leaf = SignallingResponder(now: start)
        #expect(leaf.timedOut(now: leaf.deadline) == .failed(.timedOut))
    }

    @Test func tenThousandCandidatesAreTooMany() {
        var leaf = SignallingResponder(now: start)
        var inbox = SignallingMessage(.offer, Self.description(.offer).text).encoded
        _ = leaf.received(&inbox)
        _ = leaf.answered(Self.description(.answer))
        var taken = 0
        var last = SignallingResponder.Action.none
        for number in 0..<10_000 {
            // Those of no use count as well.
            var message = number % 2 == 0 ? Self.message(Self.candidate(number)) : Self.useless
            inbox.writeBuffer(&message)
            let action = leaf.received(&inbox)
            if case .candidate = action { taken += 1 }
            if case .failed = action { last = action }
        }
        #expect(last == .failed(.tooManyCandidates))
        #expect(taken == Limits.signallingCandidates / 2 && inbox.readableBytes == 0)
    }

    private static var useless: ByteBuffer { SignallingMessage(.candidate, "{}").encoded }

    @Test func unknownMessagesAreIgnoredUpToALimit() {
        var leaf = SignallingResponder(now: start)
        var inbox = ByteBuffer()
        for _ in 0..<Limits.signallingUnknown { inbox.writeImmutableBuffer(SignallingMessage(.other(9), "").encoded) }
        #expect(leaf.received(&inbox) == .none)
        inbox.writeImmutableBuffer(SignallingMessage(.other(3), "").encoded)
        #expect(leaf.received(&inbox) == .failed(.tooManyMessages))
    }
}
