import NIOCore
import Testing
import Wire

@testable import Node

@Suite struct BootstrapTests {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private static func drain(_ machine: inout Bootstrap) -> [Bootstrap.Output] {
        var outputs: [Bootstrap.Output] = []
        while let output = machine.poll() { outputs.append(output) }
        return outputs
    }

    private static func give(
        _ input: Bootstrap.Input, _ machine: inout Bootstrap, at time: TimeAmount = .zero
    ) -> [Bootstrap.Output] {
        machine.handle(input, now: start + time)
        return drain(&machine)
    }

    @Test func sourcesAreAskedInOrderThreeSecondsApart() {
        var machine = Bootstrap([.lists, .localNetwork, .remembered, .given], now: Self.start)
        #expect(Self.drain(&machine) == [.begin(.given)])
        #expect(Self.give(.tick, &machine, at: .seconds(2)).isEmpty)
        #expect(machine.deadline == Self.start + .seconds(3))
        #expect(Self.give(.tick, &machine, at: .seconds(3)) == [.begin(.remembered)])
        #expect(Self.give(.tick, &machine, at: .seconds(6)) == [.begin(.localNetwork)])
        let words = "the local network: nobody answered"
        #expect(Self.give(.tick, &machine, at: .seconds(9)) == [.tell(words), .begin(.lists)])
        #expect(Self.give(.tick, &machine, at: .seconds(12)).count == 1)
        #expect(machine.deadline == .distantFuture)
    }

    @Test func aSourceThatFailsLetsTheNextBeginAtOnceAndSaysWhy() {
        var machine = Bootstrap([.given, .lists], now: Self.start)
        _ = Self.drain(&machine)
        let outputs = Self.give(.failed(.given, "UDP seems blocked"), &machine)
        #expect(outputs == [.tell("the peers you named: UDP seems blocked"), .begin(.lists)])
        // The dialer goes on trying; once was enough.
        #expect(Self.give(.failed(.given, "UDP seems blocked"), &machine).isEmpty)
        #expect(Self.give(.failed(.lists, "no such name"), &machine).count == 2)
        #expect(machine.deadline == .distantFuture)
    }

    @Test func aConnectionSparesThePeersOfLastTimeAndHurriesTheRest() {
        var machine = Bootstrap(Bootstrap.Step.allCases, now: Self.start)
        _ = Self.drain(&machine)
        #expect(Self.give(.connected, &machine) == [.begin(.localNetwork), .begin(.lists)])
        #expect(machine.deadline == .distantFuture)
        #expect(Self.give(.failed(.given, "refused"), &machine).isEmpty)
        #expect(Self.give(.connected, &machine).isEmpty)
    }

    @Test func whatHasNothingIsPassedOver() {
        var machine = Bootstrap([], now: Self.start)
        #expect(Self.drain(&machine).isEmpty)
        #expect(machine.deadline == .distantFuture)
        var lists = Bootstrap([.lists], now: Self.start)
        #expect(Self.drain(&lists) == [.begin(.lists)])
    }

    @Test func aLateFailureOfAnEarlierStepIsToldWithoutHurryingTheNext() {
        var machine = Bootstrap([.given, .remembered, .lists], now: Self.start)
        _ = Self.drain(&machine)
        #expect(Self.give(.tick, &machine, at: .seconds(3)) == [.begin(.remembered)])
        #expect(Self.give(.failed(.given, "refused"), &machine, at: .seconds(4)).count == 1)
        #expect(machine.deadline == Self.start + .seconds(6))
    }
}
