import NIOCore
import WebRTC
import WebRTCRuntime

/// The end that offers and measures.
struct Client {
    let configuration: WebRTCConfiguration
    let options: [String: Int]

    private func option(_ name: String, _ otherwise: Int) -> Int { options[name] ?? otherwise }

    func run(port: Int) async throws {
        var signals = SignalLine.connect(port: port)
        var times: [Double] = []
        var link: Link?
        for _ in 0..<max(1, option("--setups", 12)) {
            if let link {
                await link.peer.close()
                try await Task.sleep(for: .milliseconds(20))
            }
            let (made, time) = try await dial(&signals)
            link = made
            times.append(time)
        }
        guard let link else { return }
        report("setup_first_ms", times[0], "ms")
        let rest = times.dropFirst().sorted()
        if let median = rest.dropFirst(rest.count / 2).first {
            let all = times.map { text($0, 1) }.joined(separator: " ")
            report(
                "setup_ms", median, "ms_p50",
                "min=\(text(rest[0], 2)) max=\(text(rest[rest.count - 1], 2)) n=\(rest.count) all=\(all)")
        }
        let resident = usage().resident
        let far = try await link.statistics()
        report("rss_idle_MB", Double(resident) / 1024, "MB", "peer=\(text(Double(far.resident) / 1024, 1))")
        try await roundTrips(link)
        try await throughput(link, "tput16k", size: 16_384, count: option("--mb16k", 256) * 64)
        try await throughput(link, "tput1k", size: 1024, count: option("--mb1k", 64) * 1024)
        try await throughput(link, "tput64", size: 64, count: option("--msgs64", 300_000))
        signals.send("QUIT", "")
    }

    private func report(_ name: String, _ value: Double, _ unit: String, _ details: String = "") {
        say("R\t\(name)\t\(text(value))\t\(unit)\t\(details)")
    }

    private func dial(_ signals: inout SignalLine) async throws -> (Link, Double) {
        let start = microseconds()
        let peer = WebRTCPeer(configuration: configuration)
        signals.send("OFFER", try await peer.createOffer())
        guard let (_, answer) = signals.receive() else { throw WebRTCBenchError.noAnswer }
        try await peer.accept(answer: answer)
        let channel = try await peer.openChannel(DataChannelOptions(label: "bench"))
        let time = (microseconds() - start) / 1000
        let (replies, feed) = AsyncStream.makeStream(of: String.self)
        let link = Link(peer: peer, channel: channel, replies: replies)
        await peer.onMessage(of: channel.id) { _, message in
            if case .text(let bytes) = message { feed.yield(String(buffer: bytes)) }
        }
        return (link, time)
    }

    private func roundTrips(_ link: Link) async throws {
        _ = try await link.ask("ECHO")
        let farBefore = try await link.statistics().cpu
        let before = usage().cpu
        let count = option("--pings", 5000)
        let times = await link.pings(warmUp: 300, count: count).sorted()
        let used = usage().cpu - before + (try await link.statistics().cpu) - farBefore
        // The channel's handler was the pings': back to control.
        report(
            "rtt64_p50_us", times[times.count / 2], "us",
            "p99=\(text(times[times.count * 99 / 100], 1)) p999=\(text(times[times.count * 999 / 1000], 1)) "
                + "cpu_us_per_rtt=\(text(used / Double(count + 300) * 1e6, 1))")
    }

    private func throughput(_ link: Link, _ name: String, size: Int, count: Int) async throws {
        guard count > 0 else { return }
        _ = try await link.ask("SINK \(size * count)")
        let farBefore = try await link.statistics().cpu
        let before = usage().cpu
        let start = microseconds()
        await link.flood(size: size, count: count)
        _ = await link.reply()
        let seconds = (microseconds() - start) / 1e6
        let near = usage()
        let far = try await link.statistics()
        let (sending, receiving) = (near.cpu - before, far.cpu - farBefore)
        let bytes = Double(size * count)
        report(
            name, bytes / seconds / 1e6, "MB/s",
            "msg_per_s=\(text(Double(count) / seconds, 0)) "
                + "cpu_s_per_GiB=\(text((sending + receiving) / bytes * Double(1 << 30), 3)) "
                + "cpu_us_per_msg=\(text((sending + receiving) / Double(count) * 1e6, 3)) "
                + "tx_cpu=\(text(sending, 3)) rx_cpu=\(text(receiving, 3)) "
                + "peakrss_tx=\(text(Double(near.peak) / 1024, 1)) peakrss_rx=\(text(Double(far.peak) / 1024, 1))")
    }
}

enum WebRTCBenchError: Error { case noAnswer }

/// A connection with its channel.
final class Link {
    let peer: WebRTCPeer
    private let channel: DataChannelHandle
    private var replies: AsyncStream<String>.Iterator

    init(peer: WebRTCPeer, channel: DataChannelHandle, replies: AsyncStream<String>) {
        (self.peer, self.channel, self.replies) = (peer, channel, replies.makeAsyncIterator())
    }

    /// The next text of the other end.
    func reply() async -> String { await replies.next(isolation: #isolation) ?? "" }

    func ask(_ line: String) async throws -> String {
        try await channel.send(line)
        return await reply()
    }

    /// The other end's CPU seconds and memory in kB.
    func statistics() async throws -> (cpu: Double, resident: Int, peak: Int) {
        let words = try await ask("STATS").split(separator: " ")
        guard words.count == 4 else { return (0, 0, 0) }
        return (Double(words[1]) ?? 0, Int(words[2]) ?? 0, Int(words[3]) ?? 0)
    }

    /// Ping-pong of 64 bytes on the loop; microseconds of each round but the warm-up's.
    func pings(warmUp: Int, count: Int) async -> [Double] {
        let (stream, feed) = AsyncStream.makeStream(of: [Double].self)
        let (texts, textFeed) = AsyncStream.makeStream(of: String.self)
        let id = channel.id
        let state = Pings(warmUp: warmUp, count: count)
        let message = DataChannelMessage.binary(ByteBuffer(repeating: 1, count: 64))
        await peer.run { peer in
            peer.onMessage(of: id) { peer, received in
                switch received {
                case .text(let bytes): textFeed.yield(String(buffer: bytes))
                case .binary:
                    guard state.arrived() else {
                        feed.yield(state.times)
                        return
                    }
                    try? peer.send(message, on: id)
                }
            }
            state.begin()
            try? peer.send(message, on: id)
        }
        var results = stream.makeAsyncIterator()
        let times = await results.next() ?? []
        replies = texts.makeAsyncIterator()
        return times
    }

    /// Sends as the other programs do: one by one, pausing above 1 MiB until 256 KiB are left.
    func flood(size: Int, count: Int) async {
        let (stream, feed) = AsyncStream.makeStream(of: Void.self)
        let id = channel.id
        let state = Flood(count: count, message: .binary(ByteBuffer(repeating: 1, count: size)))
        await peer.run { peer in
            let go: @Sendable (isolated WebRTCPeer) -> Void = { peer in
                if state.go(peer, id) { feed.yield() }
            }
            peer.onBufferedAmountLow(of: id, threshold: 262_144, go)
            go(peer)
        }
        var done = stream.makeAsyncIterator()
        await done.next()
    }
}

/// The times of a ping-pong. Used on one event loop only, which is what makes it safe to share.
final class Pings: @unchecked Sendable {
    private(set) var times: [Double] = []
    private var left: Int
    private let count: Int
    private var start = 0.0

    init(warmUp: Int, count: Int) {
        (left, self.count) = (warmUp + count, count)
        times.reserveCapacity(count)
    }

    func begin() { start = microseconds() }

    /// An echo is back; false when it was the last.
    func arrived() -> Bool {
        let now = microseconds()
        if left <= count { times.append(now - start) }
        left -= 1
        start = now
        return left > 0
    }
}

/// How far a flood is. Used on one event loop only, which is what makes it safe to share.
final class Flood: @unchecked Sendable {
    private var left: Int
    private let message: DataChannelMessage

    init(count: Int, message: DataChannelMessage) { (left, self.message) = (count, message) }

    /// Sends until it must pause; true when the last message was sent.
    func go(_ peer: isolated WebRTCPeer, _ id: DataChannelID) -> Bool {
        guard left > 0 else { return false }
        while left > 0, peer.bufferedAmount(of: id) <= 1 << 20 {
            try? peer.send(message, on: id)
            left -= 1
        }
        return left == 0
    }
}

extension WebRTCPeer {
    /// Runs a piece of work on the peer's loop.
    func run(_ body: @Sendable (isolated WebRTCPeer) -> Void) { body(self) }
}
