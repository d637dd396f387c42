import NIOCore
import Node
import Runtime
import Wire

/// Many peers of one relay in one process: each with a key and a connection of its own, then with a reservation, then
/// with a circuit to the next one. After each step it says so, and waits for a line, so that the relay can be weighed.
struct Crowd {
    private let relay: Multiaddr
    private let peers: [Peer]

    init(relay: Multiaddr, count: Int) throws {
        self.relay = relay
        var configuration = PeerConfiguration(agentVersion: "bench-crowd")
        configuration.discoversLocally = false
        (configuration.seeksDirectPaths, configuration.punchesHoles) = (false, false)
        peers = try (0..<count).map { _ in try Peer(identity: KeyPair.generate(), configuration: configuration) }
    }

    func run() async throws {
        try await each { peer, _ in
            _ = try await peer.start()
            _ = try await peer.connect(relay)
        }
        step("connected")
        var addresses: [Multiaddr] = []
        for peer in peers { addresses.append(try await Self.reserve(peer, with: relay)) }
        step("reserved")
        let places = addresses
        try await each { peer, index in _ = try await peer.connect(places[(index + 1) % places.count]) }
        step("circuits")
    }

    /// Does something with each, sixteen at a time.
    private func each(_ work: @escaping @Sendable (Peer, Int) async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, peer) in peers.enumerated() {
                if index >= 16 { try await group.next() }
                group.addTask { try await work(peer, index) }
            }
            try await group.waitForAll()
        }
    }

    private func step(_ name: String) {
        say("STEP \(name)")
        _ = readLine()
    }

    /// Has a peer reached through a relay, and says by which address.
    static func reserve(_ peer: Peer, with relay: Multiaddr) async throws -> Multiaddr {
        try await peer.start(listening: [Multiaddr("\(relay)/p2p-circuit")])
        for _ in 0..<400 {
            if let address = await peer.snapshot().addresses.first(where: { "\($0)".contains("/p2p-circuit") }) {
                return address
            }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw PeerError(.timedOut, "no reservation with \(relay)")
    }
}
