import Testing
import Wire

@testable import Node

/// When silence over UDP is worth a word.
@Suite struct UDPSilenceTests {
    private func host(_ number: UInt32) -> IPAddress { .v4(IPv4Address(0x0A00_0000 + number)) }

    @Test func oneSilentHostMaySimplyBeGone() {
        var silence = UDPSilence()
        #expect(silence.stayedSilent(host(1)) == nil)
        #expect(silence.stayedSilent(host(1)) == nil)
        #expect(silence.answeredOverTCP(host(2)) == nil)
        #expect(silence.stayedSilent(host(3)) == nil)
    }

    @Test func aHostThatAnswersOverTCPAloneGivesItAway() {
        var silence = UDPSilence()
        #expect(silence.stayedSilent(host(1)) == nil)
        #expect(silence.answeredOverTCP(host(1)) == .blocked)
        #expect(silence.answeredOverTCP(host(1)) == nil, "once is enough")
        var other = UDPSilence()
        #expect(other.answeredOverTCP(host(1)) == nil)
        #expect(other.stayedSilent(host(1)) == .blocked)
    }

    @Test func manySilentHostsAreNoAccident() {
        var silence = UDPSilence()
        let verdicts = (1...4).map { silence.stayedSilent(host($0)) }
        #expect(verdicts == [nil, nil, .silent, nil])
        #expect(silence.answeredOverTCP(host(9)) == .blocked)
        #expect(silence.stayedSilent(host(5)) == nil)
    }

    @Test func oneAnswerIsEnoughForGood() {
        var silence = UDPSilence()
        silence.answered(host(200))
        for number in 1...20 as ClosedRange<UInt32> {
            #expect(silence.stayedSilent(host(number)) == nil)
            #expect(silence.answeredOverTCP(host(number)) == nil)
        }
    }

    @Test func whatAnswersAtHomeSaysNothingOfTheWorld() {
        var silence = UDPSilence()
        let world = (1...3).map { IPAddress.v4(IPv4Address(0x0808_0800 + $0)) }
        silence.answered(host(1))
        #expect(silence.answeredOverTCP(host(1)) == nil)
        #expect(world.map { silence.stayedSilent($0) } == [nil, nil, .silent])
        #expect(silence.answeredOverTCP(world[0]) == .blocked)
    }

    @Test func manyHostsAreForgotten() {
        var silence = UDPSilence()
        for number in 1...100 as ClosedRange<UInt32> { _ = silence.answeredOverTCP(host(number)) }
        #expect(silence.stayedSilent(host(1)) == nil, "it was forgotten")
        #expect(silence.stayedSilent(host(100)) == .blocked)
    }
}
