import Foundation
import NIOCore
import Node
import Runtime
import Wire

/// Measures against any peer that serves the benchmark's streams; prints `R<TAB>name<TAB>value<TAB>unit<TAB>details`.
actor Client {
    private let peer: Peer
    private let address: Multiaddr
    nonisolated var unownedExecutor: UnownedSerialExecutor { peer.unownedExecutor }

    init(peer: Peer, address: Multiaddr) {
        self.peer = peer
        self.address = address
    }

    func run() async throws {
        let remote = try await setUps(8)
        var statistics = ByteStream(try await peer.openStream(to: remote, protocols: ["/bench/stats/1"]))
        try await roundTrips(remote, 2000, &statistics)
        try await bulk("tput64k", remote, size: 65_536, count: 4096, &statistics)
        try await bulk("tput1k", remote, size: 1024, count: 16_384, &statistics)
        try await bulk("tput64", remote, size: 64, count: 20_000, &statistics)
    }

    /// Dials, opens a stream, sends a byte and gets it back, again and again; leaves the last connection open.
    private func setUps(_ count: Int) async throws -> PeerID {
        var times: [Double] = []
        var remote: PeerID?
        for _ in 0..<count {
            if let remote { try await peer.disconnect(remote) }
            try await Task.sleep(for: .milliseconds(50))
            let begin = ContinuousClock.now
            let id = try await peer.connect(address)
            var stream = ByteStream(try await peer.openStream(to: id, protocols: ["/bench/echo/1"]))
            try await stream.stream.write(ByteBuffer(string: "x"))
            _ = try await stream.exactly(1)
            times.append(milliseconds(since: begin))
            remote = id
        }
        guard let remote else { throw PeerError(.invalid, "no round at all") }
        result("setup_first_ms", times[0], "ms", "")
        let later = times.dropFirst().sorted()
        result("setup_ms", later[later.count / 2], "ms_p50", "min=\(later[0]) max=\(later[later.count - 1])")
        return remote
    }

    private func roundTrips(_ remote: PeerID, _ count: Int, _ statistics: inout ByteStream) async throws {
        var stream = ByteStream(try await peer.openStream(to: remote, protocols: ["/bench/echo/1"]))
        let bytes = ByteBuffer(repeating: 7, count: 64)
        let before = usage().cpu + (try await cpu(&statistics))
        var times: [Double] = []
        for round in -100..<count {
            let begin = ContinuousClock.now
            try await stream.stream.write(bytes)
            guard try await stream.exactly(64) != nil else { throw PeerError(.closed, "the echo ended") }
            if round >= 0 { times.append(milliseconds(since: begin) * 1000) }
        }
        let used = usage().cpu + (try await cpu(&statistics)) - before
        times.sort()
        let details = String(
            format: "p99=%.1f cpu_us_per_rtt=%.1f", times[count * 99 / 100], used / Double(count + 100) * 1e6)
        result("rtt64_p50_us", times[count / 2], "us", details)
    }

    private func bulk(
        _ name: String, _ remote: PeerID, size: Int, count: Int, _ statistics: inout ByteStream
    ) async throws {
        var stream = ByteStream(try await peer.openStream(to: remote, protocols: ["/bench/sink/1"]))
        let (bytes, total) = (ByteBuffer(repeating: 7, count: size), size * count)
        let (mine, theirs) = (usage().cpu, try await cpu(&statistics))
        let begin = ContinuousClock.now
        try await stream.stream.write(ByteBuffer(integer: UInt64(total)))
        for _ in 0..<count { try await stream.stream.write(bytes) }
        guard try await stream.exactly(8) != nil else { throw PeerError(.closed, "the sink ended") }
        let seconds = milliseconds(since: begin) / 1000
        let sent = usage().cpu - mine
        let received = try await cpu(&statistics) - theirs
        let details = String(
            format: "msg_per_s=%.0f cpu_s_per_GiB=%.3f cpu_us_per_msg=%.3f tx_cpu=%.3f rx_cpu=%.3f peakrss_tx=%.1f",
            Double(count) / seconds, (sent + received) / Double(total) * Double(1 << 30),
            (sent + received) / Double(count) * 1e6, sent, received, Double(usage().peak) / 1024)
        result(name, Double(total) / seconds / 1e6, "MB/s", details)
    }

    /// The CPU seconds that the other side has used.
    private func cpu(_ statistics: inout ByteStream) async throws -> Double {
        try await statistics.stream.write(ByteBuffer(string: "STATS\n"))
        guard let line = try await statistics.exactly(41) else { throw PeerError(.closed, "the statistics ended") }
        return Double(String(buffer: line).split(separator: " ")[1]) ?? 0
    }

    private func milliseconds(since begin: ContinuousClock.Instant) -> Double {
        (ContinuousClock.now - begin) / .milliseconds(1)
    }

    private func result(_ name: String, _ value: Double, _ unit: String, _ details: String) {
        say(String(format: "R\t\(name)\t%.4f\t\(unit)\t\(details)", value))
    }
}
