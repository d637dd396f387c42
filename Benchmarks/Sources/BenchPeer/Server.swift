import Foundation
import NIOCore
import Runtime

/// Serves the benchmark's streams, on the loop that carries them.
actor Server {
    private let peer: Peer
    nonisolated var unownedExecutor: UnownedSerialExecutor { peer.unownedExecutor }

    init(peer: Peer) {
        self.peer = peer
    }

    func run() async {
        while let stream = await peer.acceptStream() {
            Task(executorPreference: peer.executor) { await self.serve(stream) }
        }
    }

    private func serve(_ stream: PeerStream) async {
        do {
            switch stream.protocolID {
            case "/bench/echo/1": try await echo(stream)
            case "/bench/sink/1": try await sink(stream)
            default: try await statistics(stream)
            }
        } catch {
            await stream.reset()
        }
    }

    private func echo(_ stream: PeerStream) async throws {
        while let bytes = try await stream.read() { try await stream.write(bytes) }
        await stream.closeWrite()
    }

    private func sink(_ stream: PeerStream) async throws {
        var bytes = ByteStream(stream)
        while let head = try await bytes.exactly(8) {
            guard let total = head.getInteger(at: head.readerIndex, as: UInt64.self) else { return }
            guard try await bytes.drop(Int(total)) else { return }
            try await stream.write(head)
        }
    }

    private func statistics(_ stream: PeerStream) async throws {
        var bytes = ByteStream(stream)
        while try await bytes.exactly(6) != nil {
            let (cpu, resident, peak) = usage()
            let line = String(format: "STATS %014.6f %09d %09d\n", cpu, resident, peak)
            try await stream.write(ByteBuffer(string: line))
        }
    }
}
