import Glibc
import Testing

@testable import SwiftPeer

@Suite struct WakeTests {
    private func isReadable(_ descriptor: Int32, within milliseconds: Int32 = 0) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, milliseconds) > 0
    }

    @Test("An inbox is readable while something is in it, and keeps the order")
    func inbox() throws {
        let inbox = try Inbox<Int>()
        #expect(!isReadable(inbox.descriptor))
        for number in 0..<100_000 { inbox.send(number) }
        #expect(isReadable(inbox.descriptor))
        #expect(inbox.drain() == Array(0..<100_000))
        #expect(!isReadable(inbox.descriptor) && inbox.drain().isEmpty)
        inbox.send(1)
        #expect(isReadable(inbox.descriptor) && inbox.drain() == [1])
    }

    @Test("A merged wake-up hears of each source, also of news that came while it was read")
    func merged() throws {
        let sources = [try Inbox<Int>(), try Inbox<Int>()]
        let wake = try MergedWake(sources.map(\.descriptor))
        #expect(!isReadable(wake.descriptor))
        for (round, source) in [sources[0], sources[1], sources[0]].enumerated() {
            source.send(round)
            #expect(isReadable(wake.descriptor, within: 5000))
            for source in sources { _ = source.drain() }
            sources[1].send(-1)
            wake.rearm()
            #expect(isReadable(wake.descriptor, within: 5000))
            #expect(sources[1].drain() == [-1])
            wake.rearm()
        }
        #expect(!isReadable(wake.descriptor, within: 20))
    }
}
