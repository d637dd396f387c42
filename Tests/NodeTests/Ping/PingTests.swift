import NIOCore
import Testing
import Wire

@testable import Node

@Suite struct PingTests {
    private let start = Fixture.start

    private func asked(_ ping: inout Ping) throws -> ByteBuffer {
        var entropy = Entropy.seeded(7)
        guard case .write(let sent) = ping.asked(now: start, entropy: &entropy) else {
            Issue.record("nothing is sent")
            return ByteBuffer()
        }
        #expect(sent.readableBytes == 32)
        return sent
    }

    @Test("The echo gives the time, however it is cut", arguments: [1, 5, 31, 32, 64])
    func echo(size: Int) throws {
        var ping = Ping()
        let sent = try asked(&ping)
        #expect(!ping.isIdle)
        let later = start + .milliseconds(3)
        let actions = Fixture.feed(sent, by: size, none: .none) { ping.received(&$0, now: later) }
        #expect(actions == [.pong(.milliseconds(3))])
        #expect(ping.isIdle)
        #expect(ping.deadline == .distantFuture)
    }

    @Test("Several pings go over one stream, each with other bytes")
    func severalPings() {
        var ping = Ping()
        var entropy = Entropy.seeded(1)
        var seen: Set<ByteBuffer> = []
        for round in 0..<5 {
            let now = start + .seconds(Int64(round))
            guard case .write(var bytes) = ping.asked(now: now, entropy: &entropy) else {
                Issue.record("nothing is sent")
                return
            }
            seen.insert(bytes)
            #expect(ping.asked(now: now, entropy: &entropy) == .none, "one ping at a time")
            #expect(ping.received(&bytes, now: now + .microseconds(40)) == .pong(.microseconds(40)))
        }
        #expect(seen.count == 5)
    }

    @Test("A wrong byte anywhere fails the ping", arguments: [0, 1, 16, 31], [1, 32])
    func wrongEcho(position: Int, size: Int) throws {
        var ping = Ping()
        var echo = try asked(&ping)
        let byte = try #require(echo.getInteger(at: position, as: UInt8.self))
        echo.setInteger(byte ^ 1, at: position)
        let actions = Fixture.feed(echo, by: size, none: .none) { ping.received(&$0, now: start) }
        #expect(actions == [.failed(.wrongEcho)])
    }

    @Test("Bytes behind the echo are not asked for", arguments: [1, 33])
    func trailingBytes(size: Int) throws {
        var ping = Ping()
        var echo = try asked(&ping)
        echo.writeInteger(UInt8(0))
        let actions = Fixture.feed(echo, by: size, none: .none) { ping.received(&$0, now: start) }
        #expect(actions == [.pong(.zero), .failed(.unsolicited)])
    }

    @Test("Ten seconds without the whole echo are too long")
    func timeout() throws {
        var ping = Ping()
        var echo = try asked(&ping)
        let part = echo.readSlice(length: 16)
        var half = try #require(part)
        #expect(ping.received(&half, now: start) == .none)
        #expect(ping.deadline == start + .seconds(10))
        #expect(ping.timedOut(now: start + .milliseconds(9999)) == .none)
        #expect(ping.timedOut(now: start + .seconds(10)) == .failed(.timedOut))
        #expect(ping.timedOut(now: start + .seconds(20)) == .none)
    }

    @Test("The end of the stream is a failure only while a ping is out")
    func end() throws {
        var idle = Ping()
        #expect(idle.closed() == .close)
        #expect(idle.closed() == .none)
        var waiting = Ping()
        let echo = try asked(&waiting)
        #expect(waiting.closed() == .failed(.closed))
        var late = echo
        #expect(waiting.received(&late, now: start) == .none)
        #expect(late.readableBytes == 0)
        var entropy = Entropy.seeded(1)
        #expect(waiting.asked(now: start, entropy: &entropy) == .none)
    }
}

@Suite struct PingResponderTests {
    private let start = Fixture.start

    @Test("Whole blocks come back as they came, however they are cut", arguments: [1, 31, 33, 96, 1000])
    func echo(size: Int) {
        var responder = PingResponder(now: start)
        let sent = ByteBuffer(bytes: (0..<100).map { UInt8($0) })
        var echoed = ByteBuffer()
        for case .write(var bytes) in Fixture.feed(
            sent, by: size, none: PingResponder.Action.none,
            { responder.received(&$0, buffered: 0, now: start) })
        {
            echoed.writeBuffer(&bytes)
        }
        #expect(echoed == sent.getSlice(at: 0, length: 96))
        #expect(responder.closed() == .close)
        #expect(responder.closed() == .none)
    }

    @Test("Echoes that nobody reads stop the reading")
    func backpressure() {
        var responder = PingResponder(now: start)
        var inbox = ByteBuffer(repeating: 7, count: 10_000)
        guard case .write(let first) = responder.received(&inbox, buffered: 0, now: start) else {
            Issue.record("nothing is echoed")
            return
        }
        #expect(first.readableBytes == Limits.pingEchoBuffered)
        #expect(responder.received(&inbox, buffered: Limits.pingEchoBuffered, now: start) == .none)
        #expect(responder.received(&inbox, buffered: .max, now: start) == .none)
        #expect(inbox.readableBytes == 10_000 - Limits.pingEchoBuffered)
    }

    @Test("A silent stream is closed, a busy one is not")
    func idle() {
        var responder = PingResponder(now: start)
        var block = ByteBuffer(repeating: 1, count: 32)
        _ = responder.received(&block, buffered: 0, now: start + .seconds(60))
        #expect(responder.deadline == start + .seconds(180))
        #expect(responder.timedOut(now: start + .seconds(120)) == .none)
        #expect(responder.timedOut(now: start + .seconds(180)) == .close)
        #expect(responder.deadline == .distantFuture)
    }
}
