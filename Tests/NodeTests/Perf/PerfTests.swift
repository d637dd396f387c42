import NIOCore
import Testing
import Wire

@testable import Node

@Suite struct PerfTests {
    private let start = Fixture.start

    /// Lets a client and a server talk, one block at a time each way, a millisecond a step.
    private func measure(upload: UInt64, download: UInt64) -> (Result<PerfResult, PerfError>?, served: UInt64) {
        var now = start
        var client = PerfClient(upload: upload, download: download, now: now)
        var server = PerfServer(now: now)
        for _ in 0..<10_000 {
            now = now + .milliseconds(1)
            switch client.writable(now: now) {
            case .write(var bytes): _ = server.received(&bytes, now: now)
            case .closeWrite: _ = server.ended(now: now)
            case .none: break
            case .finish(let result): return (result, server.drained)
            }
            switch server.writable(now: now) {
            case .write(var bytes): _ = client.received(&bytes, now: now)
            case .closeWrite:
                if case .finish(let result) = client.ended(now: now) { return (result, server.drained) }
                return (nil, server.drained)
            case .none: break
            case .reset: return (nil, server.drained)
            }
        }
        return (nil, server.drained)
    }

    @Test(
        "Everything asked for goes there and back",
        arguments: [(0, 0), (1, 0), (0, 1), (65_536, 65_537), (1_000_000, 3_000_000)] as [(UInt64, UInt64)])
    func roundTrip(upload: UInt64, download: UInt64) throws {
        let (result, served) = measure(upload: upload, download: download)
        let found = try #require(try result?.get())
        #expect(found.uploaded == upload)
        #expect(found.downloaded == download)
        #expect(served == upload)
        #expect(found.total > .zero)
        if upload > 0 { #expect(found.upload + found.download == found.total) }
    }

    @Test("All blocks share one storage of 64 KiB")
    func blocks() {
        #expect(perfBlock(atMost: 1 << 40).readableBytes == 65_536)
        #expect(perfBlock(atMost: 17).readableBytes == 17)
        #expect(perfBlock(atMost: 0).readableBytes == 0)
    }

    @Test("The header is read however it is cut", arguments: [1, 3, 8, 64])
    func header(size: Int) {
        var bytes = ByteBuffer(integer: UInt64(5))
        bytes.writeString("uploaded")
        var server = PerfServer(now: start)
        #expect(Fixture.feed(bytes, by: size, none: .none) { server.received(&$0, now: start) } == [])
        #expect(server.writable(now: start) == .none, "it drains first")
        #expect(server.ended(now: start) == .none)
        #expect(server.drained == 8)
        #expect(server.writable(now: start) == .write(ByteBuffer(repeating: 0, count: 5)))
        #expect(server.writable(now: start) == .closeWrite)
        #expect(server.writable(now: start) == .none)
    }

    @Test("A server asked for all there is sends block by block")
    func endlessDownload() {
        var server = PerfServer(now: start)
        var header = ByteBuffer(integer: UInt64.max)
        _ = server.received(&header, now: start)
        _ = server.ended(now: start)
        for _ in 0..<100 { #expect(server.writable(now: start) == .write(PerfClient.zeros)) }
    }

    @Test("A header that breaks off resets, silence too")
    func serverFailures() {
        var short = PerfServer(now: start)
        var bytes = ByteBuffer(repeating: 0, count: 7)
        _ = short.received(&bytes, now: start)
        #expect(short.ended(now: start) == .reset)
        var silent = PerfServer(now: start)
        #expect(silent.timedOut(now: start + .seconds(29)) == .none)
        #expect(silent.timedOut(now: start + .seconds(30)) == .reset)
        #expect(silent.timedOut(now: start + .seconds(60)) == .none)
        #expect(silent.deadline == .distantFuture)
    }

    @Test("More than was asked for is refused", arguments: [1, 11])
    func tooMuch(size: Int) {
        var client = PerfClient(upload: 0, download: 10, now: start)
        let actions = Fixture.feed(ByteBuffer(repeating: 0, count: 11), by: size, none: .none) {
            client.received(&$0, now: start)
        }
        #expect(actions == [.finish(.failure(.tooMuch))])
        #expect(client.writable(now: start) == .none)
    }

    @Test("Less than was asked for is a failure, at an early end too")
    func tooLittle() {
        var client = PerfClient(upload: 0, download: 10, now: start)
        _ = client.writable(now: start)
        #expect(client.writable(now: start) == .closeWrite)
        var bytes = ByteBuffer(repeating: 0, count: 9)
        _ = client.received(&bytes, now: start)
        #expect(client.ended(now: start) == .finish(.failure(.closed(received: 9))))
        #expect(client.ended(now: start) == .none)

        var early = PerfClient(upload: 1 << 30, download: 0, now: start)
        _ = early.writable(now: start)
        #expect(early.ended(now: start) == .finish(.failure(.closed(received: 0))))

        var reset = PerfClient(upload: 0, download: 10, now: start)
        #expect(reset.closed() == .finish(.failure(.closed(received: 0))))
        #expect(reset.timedOut(now: .distantFuture) == .none)
    }

    @Test("A measurement on which nothing moves is given up")
    func idle() {
        var client = PerfClient(upload: 1, download: 1, now: start)
        _ = client.writable(now: start + .seconds(20))
        #expect(client.deadline == start + .seconds(50))
        #expect(client.timedOut(now: start + .seconds(49)) == .none)
        #expect(client.timedOut(now: start + .seconds(50)) == .finish(.failure(.timedOut)))
    }
}
