import Glibc
import NIOCore
import Node
import Runtime
import Wire

/// Runs one question to one peer: a peer that listens nowhere and keeps nothing, dials, asks, leaves.
enum ToolRun {
    /// Dials `address` and does `work`; a signal withdraws it. `work` prints what it finds and returns the status.
    static func run(
        _ address: Multiaddr, _ dialling: Dialling,
        _ work: @escaping @Sendable (Peer, PeerID) async throws(PeerError) -> ProcessStatus
    ) throws(Failure) -> ProcessStatus {
        switch address.dialling {
        case .possible: break
        case .later:
            throw Failure(.unavailable, "\(address): not available in this version, which dials \(Version.transports)")
        case .never(let reason): throw Failure(.usage, "\(address): \(reason)")
        }
        try Signals.install()
        let done = try Inbox<Result<ProcessStatus, Failure>>()
        var configuration = PeerConfiguration(agentVersion: Version.agent)
        configuration.discoversLocally = false
        configuration.webRTCDirectVersion = dialling.version
        let peer: Peer
        do { peer = try Peer(identity: .generate(), configuration: configuration, security: dialling.security) } catch {
            throw Failure(.system, error.message)
        }
        let task = Task {
            let result: Result<ProcessStatus, Failure>
            do throws(PeerError) {
                try await peer.start()
                let id = try await peer.connect(address)
                result = .success(try await work(peer, id))
            } catch {
                result = .failure(Failure(.failure, error.message))
            }
            await peer.shutdown()
            done.send(result)
        }
        var entries = [
            pollfd(fd: done.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: Signals.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        while poll(&entries, 2, -1) < 0 {}
        guard entries[0].revents == 0 else { return try result(of: done) }
        task.cancel()
        entries[1].fd = -1
        guard poll(&entries, 2, Int32(Limits.leaveTimeout.nanoseconds / 1_000_000)) > 0 else { return .success }
        // Leaving by a signal is no failure of the peer that was asked.
        return (try? result(of: done)) ?? .success
    }

    private static func result(of done: Inbox<Result<ProcessStatus, Failure>>) throws(Failure) -> ProcessStatus {
        guard let result = done.drain().first else { return .failure }
        return try result.get()
    }
}
