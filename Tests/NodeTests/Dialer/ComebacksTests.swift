import NIOCore
import Testing
import Wire

@testable import Node

@Suite("Peers to be reached again")
struct ComebacksTests {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private func peer(_ number: UInt8) throws -> PeerID {
        var entropy = Entropy.seeded(UInt64(number))
        return try KeyPair(seed: entropy.bytes(32)).peerID
    }

    private func address(_ number: Int) throws -> Multiaddr { try Multiaddr("/ip4/10.0.0.1/tcp/\(number)") }

    /// Every dial from now on, in seconds since the start.
    private func dials(_ comebacks: inout Comebacks) -> [Double] {
        var entropy = Entropy.seeded(4)
        var times: [Double] = []
        while comebacks.deadline < .distantFuture, times.count < 100 {
            let now = comebacks.deadline
            for _ in comebacks.takeDue(now: now, entropy: &entropy) {
                times.append(Double((now - Self.start).nanoseconds) / 1e9)
            }
        }
        return times
    }

    @Test("Waits grow from a second to a minute, and end after ten minutes")
    func waits() throws {
        var entropy = Entropy.seeded(1)
        var comebacks = Comebacks()
        comebacks.reached(try peer(1), by: try address(1), now: Self.start)
        #expect(comebacks.deadline == .distantFuture)
        comebacks.missed(try peer(1), now: Self.start, entropy: &entropy)
        comebacks.missed(try peer(1), now: Self.start + .milliseconds(500), entropy: &entropy)
        let times = dials(&comebacks)
        #expect((0.8...1.2).contains(times[0]) && (1.6...2.4).contains(times[1] - times[0]))
        #expect(zip(times.dropFirst(), times).allSatisfy { $0 - $1 <= 72 })
        #expect((12...20).contains(times.count) && times.last.map { $0 < 600 } == true)
        comebacks.missed(try peer(1), now: Self.start, entropy: &entropy)
        #expect(comebacks.deadline == .distantFuture, "given up and forgotten")
    }

    @Test("Who is back, was never reached, or left on purpose is not dialled")
    func nobody() throws {
        var entropy = Entropy.seeded(1)
        var comebacks = Comebacks()
        comebacks.missed(try peer(1), now: Self.start, entropy: &entropy)
        #expect(comebacks.deadline == .distantFuture)
        for number in 1...2 as ClosedRange<UInt8> {
            comebacks.reached(try peer(number), by: try address(1), now: Self.start)
            comebacks.missed(try peer(number), now: Self.start, entropy: &entropy)
        }
        comebacks.found(try peer(1), now: Self.start)
        comebacks.forget(try peer(2))
        #expect(dials(&comebacks).isEmpty)
        // And once more it may be missed.
        comebacks.missed(try peer(1), now: Self.start, entropy: &entropy)
        #expect(!dials(&comebacks).isEmpty)
    }

    @Test("A short connection makes the next wait longer, one that stood makes it short again")
    func shortConnections() throws {
        var entropy = Entropy.seeded(1)
        var comebacks = Comebacks()
        comebacks.reached(try peer(1), by: try address(1), now: Self.start)
        var now = Self.start + Limits.comebackStable
        for round in 0...3 {
            comebacks.missed(try peer(1), now: now, entropy: &entropy)
            let wait = comebacks.deadline - now
            #expect(wait >= .milliseconds(800 << Int64(round)) && wait <= .milliseconds(1200 << Int64(round)))
            now = comebacks.deadline
            #expect(comebacks.takeDue(now: now, entropy: &entropy).count == 1)
            comebacks.found(try peer(1), now: now)
            now = now + .seconds(5)
        }
        comebacks.missed(try peer(1), now: now + Limits.comebackStable, entropy: &entropy)
        #expect(comebacks.deadline <= now + Limits.comebackStable + .milliseconds(1200))
    }

    @Test("Peers and addresses are bounded, the newest stay and come first")
    func bounds() throws {
        var entropy = Entropy.seeded(1)
        var comebacks = Comebacks()
        for number in 0...9 { comebacks.reached(try peer(1), by: try address(number), now: Self.start) }
        comebacks.reached(try peer(1), by: try address(7), now: Self.start)
        comebacks.missed(try peer(1), now: Self.start, entropy: &entropy)
        let due = comebacks.takeDue(now: Self.start + .seconds(2), entropy: &entropy)
        #expect(due.first?.addresses == [try address(7), try address(9), try address(8), try address(6)])
        for number in 2...(UInt8(Limits.comebacks) + 1) {
            comebacks.reached(try peer(number), by: try address(1), now: Self.start)
        }
        comebacks.found(try peer(1), now: Self.start)
        comebacks.missed(try peer(1), now: Self.start, entropy: &entropy)
        #expect(comebacks.deadline == .distantFuture)
    }
}
