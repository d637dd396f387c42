import NIOCore
import Testing
import Wire

@testable import WebRTC

@Suite struct OrphanMessagesTests {
    private let now = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private func message(_ stream: UInt16, _ text: String) -> SCTPMessage {
        SCTPMessage(stream: stream, .text, ByteBuffer(string: text))
    }

    @Test func aStreamGetsItsOwnInOrderAndOnce() {
        var orphans = OrphanMessages()
        for (stream, text) in [(2, "a"), (4, "b"), (2, "c"), (6, "d"), (2, "e")] as [(UInt16, String)] {
            let isTaken = orphans.append(message(stream, text), now: now)
            #expect(isTaken)
        }
        let taken = [2, 2, 8, 6, 4].map { (stream: UInt16) in orphans.take(stream) }
        #expect(taken[0] == ["a", "c", "e"].map { message(2, $0) })
        #expect(taken[1].isEmpty && taken[2].isEmpty)
        #expect(taken[3] == [message(6, "d")] && taken[4] == [message(4, "b")])
        #expect(orphans.isEmpty)
    }

    @Test func theirNumberIsLimited() {
        var orphans = OrphanMessages()
        let taken = (0..<1000).filter { orphans.append(message(UInt16($0 % 7), "x"), now: now) }
        #expect(taken == Array(0..<Limits.orphanMessages))
        let count = orphans.take(3).count
        // As many as left may come.
        let again = (0..<1000).filter { _ in orphans.append(message(9, "x"), now: now) }
        #expect(again.count == count)
    }

    @Test func theirBytesAreLimited() {
        var orphans = OrphanMessages()
        let large = SCTPMessage(stream: 1, .binary, ByteBuffer(repeating: 1, count: Limits.orphanBytes))
        let larger = SCTPMessage(stream: 1, .binary, ByteBuffer(repeating: 1, count: Limits.orphanBytes + 1))
        let taken = [larger, large, message(2, "x")].map { orphans.append($0, now: now) }
        #expect(taken == [false, true, false])
        let found = orphans.take(1)
        #expect(found == [large] && orphans.isEmpty)
    }

    @Test func theOldMakeRoom() {
        var orphans = OrphanMessages()
        let first = orphans.append(message(1, "old"), now: now)
        while orphans.append(message(2, "x"), now: now + .seconds(1)) {}
        let soon = orphans.append(message(3, "new"), now: now + Limits.orphanTime - .nanoseconds(1))
        let late = orphans.append(message(3, "new"), now: now + Limits.orphanTime)
        #expect(first && !soon && late)
        let found = [1, 3, 2].map { (stream: UInt16) in orphans.take(stream) }
        #expect(found.map(\.count) == [0, 1, Limits.orphanMessages - 1])
    }
}
