import Foundation
import NIOCore
import Node
import Runtime
import Wire

/// The streams that the benchmark speaks, as `py_bench.py` does.
///
/// As `serve LISTEN RELAY` it is reached through a relay, and as `crowd RELAY COUNT` it is as many peers of that relay:
/// see ``Crowd``.
///
/// `/bench/echo/1` writes everything back. `/bench/sink/1` reads eight bytes big-endian n, then n bytes, and answers with
/// the eight bytes. `/bench/stats/1` answers each line with `STATS cpu rss peak` in 41 bytes.
@main
struct BenchPeer {
    static let protocols = ["/bench/echo/1", "/bench/sink/1", "/bench/stats/1"]

    static func main() async throws {
        var configuration = PeerConfiguration(agentVersion: "bench-peer")
        configuration.discoversLocally = false
        configuration.protocols = protocols
        // What leads through a relay stays there: that is what is measured.
        configuration.protocolsOnLimitedConnections = protocols
        (configuration.seeksDirectPaths, configuration.punchesHoles) = (false, false)
        let peer = try Peer(identity: KeyPair.generate(), configuration: configuration)
        let arguments = CommandLine.arguments.dropFirst()
        if arguments.first == "serve" {
            let place = arguments.dropFirst().first ?? "/ip4/127.0.0.1/tcp/0"
            let bound = try await peer.start(listening: [try Multiaddr(place)])
            if let relay = arguments.dropFirst(2).first {
                say("LISTEN \(try await Crowd.reserve(peer, with: try Multiaddr(relay)))")
            } else {
                say("LISTEN \(bound[0])")
            }
            await withTaskExecutorPreference(peer.executor) { await Server(peer: peer).run() }
        } else if arguments.first == "crowd", let relay = arguments.dropFirst().first {
            let count = arguments.dropFirst(2).first.flatMap { Int($0) } ?? 1000
            try await Crowd(relay: try Multiaddr(relay), count: count).run()
        } else if let address = arguments.dropFirst().first {
            _ = try await peer.start()
            let client = Client(peer: peer, address: try Multiaddr(address))
            try await withTaskExecutorPreference(peer.executor) { try await client.run() }
            await peer.shutdown()
        } else {
            print("usage: BenchPeer serve [LISTEN [RELAY]] | client ADDRESS | crowd RELAY [COUNT]")
        }
    }
}

/// A line on standard output, at once: a pipe would keep what is printed.
func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

/// What this process has used: CPU seconds, and kB of memory now and at most.
func usage() -> (cpu: Double, resident: Int, peak: Int) {
    var usage = rusage()
    getrusage(RUSAGE_SELF.rawValue, &usage)
    let micros = Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)
    let cpu = Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + micros / 1e6
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    func field(_ name: String) -> Int {
        let line = status.split(separator: "\n").first { $0.hasPrefix(name) }
        return line?.split(separator: " ").dropLast().last.flatMap { Int($0) } ?? 0
    }
    return (cpu, field("VmRSS"), field("VmHWM"))
}

/// A stream with the bytes that were read and not used yet.
struct ByteStream {
    let stream: PeerStream
    private var inbox = ByteBuffer()

    init(_ stream: PeerStream) { self.stream = stream }

    /// Exactly `count` bytes; nil when the stream ends before.
    mutating func exactly(_ count: Int) async throws -> ByteBuffer? {
        while inbox.readableBytes < count {
            guard var more = try await stream.read() else { return nil }
            if inbox.readableBytes == 0 { inbox = more } else { inbox.writeBuffer(&more) }
        }
        return inbox.readSlice(length: count)
    }

    /// Drops `count` bytes; false when the stream ends before.
    mutating func drop(_ count: Int) async throws -> Bool {
        var rest = count
        while rest > 0 {
            if inbox.readableBytes == 0 {
                guard let more = try await stream.read() else { return false }
                inbox = more
            }
            let step = min(rest, inbox.readableBytes)
            inbox.moveReaderIndex(forwardBy: step)
            rest -= step
        }
        return true
    }
}
