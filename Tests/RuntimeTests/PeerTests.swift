import NIOCore
import Node
import Runtime
import Testing
import Wire

/// Two real peers on loopback sockets.
@Suite struct PeerTests {
    /// Everything a connection carries is to be the same over every transport.
    static let transports = [
        "/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/0/ws", "/ip6/::1/tcp/0/ws",
        "/ip4/127.0.0.1/udp/0/webrtc-direct", "/ip6/::1/udp/0/webrtc-direct",
    ]

    /// Two peers, connected, and taken down at the end whatever happens.
    private func withTwoPeers(
        over transport: String, _ change: (inout PeerConfiguration) -> Void = { _ in },
        _ body: (_ alice: Peer, _ bob: Peer) async throws -> Void
    ) async throws {
        let alice = try Peer.quiet(.system, change)
        let bob = try Peer.quiet(.system, change)
        let address = try await #require(alice.start(listening: [Multiaddr(transport)]).first)
        try await bob.start()
        let reached = try await bob.connect(address)
        #expect(reached == alice.id)
        do { try await body(alice, bob) } catch {
            await alice.shutdown()
            await bob.shutdown()
            throw error
        }
        await alice.shutdown()
        await bob.shutdown()
    }

    private func servingPerf(_ configuration: inout PeerConfiguration) { configuration.servesPerf = true }
    private func echoing(_ configuration: inout PeerConfiguration) { configuration.protocols = ["/echo/1"] }

    @Test(arguments: transports) func aPingComesBackBothWays(over transport: String) async throws {
        try await withTwoPeers(over: transport) { alice, bob in
            let there = try await bob.ping(alice.id)
            let back = try await alice.ping(bob.id)
            #expect(there > .zero && back > .zero)
        }
    }

    @Test(arguments: transports) func identifySaysWhoIsThere(over transport: String) async throws {
        try await withTwoPeers(over: transport) { alice, bob in
            let info = try await bob.identify(alice.id)
            #expect(info.peer == alice.id)
            #expect(info.agentVersion == "test")
            #expect(info.protocols.contains("/ipfs/ping/1.0.0"))
            let shape = try Multiaddr(transport).components.map(\.code)
            #expect(info.observedAddress?.components.map(\.code) == shape)
        }
    }

    @Test(arguments: transports) func perfMovesBytesBothWays(over transport: String) async throws {
        try await withTwoPeers(over: transport, servingPerf) { alice, bob in
            let result = try await bob.perf(alice.id, upload: 3_000_000, download: 2_000_001)
            #expect(result.uploaded == 3_000_000)
            #expect(result.downloaded == 2_000_001)
        }
    }

    @Test(arguments: transports) func perfIsUnsupportedWhereItIsNotServed(over transport: String) async throws {
        try await withTwoPeers(over: transport) { alice, bob in
            await #expect(throws: PeerError.self) { try await bob.perf(alice.id, upload: 1, download: 1) }
        }
    }

    @Test(arguments: transports) func aPublishedLineArrives(over transport: String) async throws {
        try await withTwoPeers(over: transport) { alice, bob in
            try await alice.join("room")
            try await bob.join("room")
            let heard = Inbox(alice.mailbox)
            try await heard.wait { if case .topicPeer(bob.id, "room", true) = $0 { true } else { false } }
            let toBob = Inbox(bob.mailbox)
            try await toBob.wait { if case .topicPeer(alice.id, "room", true) = $0 { true } else { false } }
            let published = try await bob.publish(Array("hello".utf8), to: "room")
            #expect(published.peers == 1)
            let event = try await heard.wait { if case .message = $0 { true } else { false } }
            guard case .message(let message) = event else { return }
            #expect(message.author == bob.id)
            #expect(message.data == Array("hello".utf8))
            #expect(message.id == published.id)
        }
    }

    @Test(arguments: transports) func anApplicationsStreamCarriesBytesBothWaysAndEnds(over transport: String)
        async throws
    {
        try await withTwoPeers(over: transport, echoing) { alice, bob in
            let echo = Task {
                guard let stream = await alice.acceptStream() else { return }
                while let bytes = try await stream.read() { try await stream.write(bytes) }
                await stream.closeWrite()
            }
            let stream = try await bob.openStream(to: alice.id, protocols: ["/echo/1"])
            let sent = ByteBuffer(repeating: 7, count: 3_000_000)
            let writer = Task {
                try await stream.write(sent)
                await stream.closeWrite()
            }
            var received = ByteBuffer()
            while var bytes = try await stream.read() { received.writeBuffer(&bytes) }
            #expect(received == sent)
            try await writer.value
            try await echo.value
        }
    }

    @Test(arguments: transports) func aTaskMayLiveOnThePeersOwnLoop(over transport: String) async throws {
        try await withTwoPeers(over: transport, echoing) { alice, bob in
            let echo = Task(executorPreference: alice.executor) {
                guard let stream = await alice.acceptStream() else { return }
                while let bytes = try await stream.read() { try await stream.write(bytes) }
                await stream.closeWrite()
            }
            let received = try await withTaskExecutorPreference(bob.executor) {
                let stream = try await bob.openStream(to: alice.id, protocols: ["/echo/1"])
                var received = ByteBuffer()
                for round in 0..<200 {
                    try await stream.write(ByteBuffer(integer: UInt64(round)))
                    while received.readableBytes < (round + 1) * 8, var bytes = try await stream.read() {
                        received.writeBuffer(&bytes)
                    }
                }
                await stream.closeWrite()
                return received
            }
            #expect(received.readableBytes == 1600)
            try await echo.value
        }
    }

    @Test(arguments: transports) func diallingOneselfIsRefused(over transport: String) async throws {
        try await withTwoPeers(over: transport) { alice, _ in
            let own = try #require(await alice.snapshot().addresses.first)
            await #expect { try await alice.connect(own) } throws: { ($0 as? PeerError)?.code == .dialsItself }
        }
    }

    @Test func aDeadAddressSaysWhy() async throws {
        let peer = try Peer.quiet()
        try await peer.start()
        await #expect {
            try await peer.connect(Multiaddr("/ip4/127.0.0.1/tcp/1"))
        } throws: { error in
            "\(error)".contains("refused")
        }
        await peer.shutdown()
    }

    @Test func afterShutdownEveryCallSaysSo() async throws {
        let peer = try Peer.quiet()
        await peer.shutdown()
        await #expect { try await peer.join("room") } throws: { ($0 as? PeerError)?.code == .shutDown }
    }
}

extension Peer {
    /// A peer that does not look for others: tests stay on loopback.
    static func quiet(
        _ security: TransportSecurity = .system, _ change: (inout PeerConfiguration) -> Void = { _ in }
    ) throws -> Peer {
        var configuration = PeerConfiguration(agentVersion: "test")
        configuration.discoversLocally = false
        change(&configuration)
        return try Peer(identity: .generate(), configuration: configuration, security: security)
    }
}

/// Waits for events of a mailbox without polling on the clock's account: looks whenever the loop turns.
struct Inbox {
    private let mailbox: Mailbox

    init(_ mailbox: Mailbox) { self.mailbox = mailbox }

    /// The first event that fits; fails after ten seconds.
    @discardableResult
    func wait(_ fits: (PeerEvent) -> Bool) async throws -> PeerEvent {
        let deadline = NIODeadline.now() + .seconds(10)
        while NIODeadline.now() < deadline {
            for event in mailbox.drain() where fits(event) { return event }
            await Task.yield()
        }
        throw PeerError(.timedOut, "the event did not come")
    }
}

/// Both IP versions on one port.
@Suite struct ListeningTests {
    @Test func onePortServesBothVersionsOfIP() async throws {
        let alice = try Peer.quiet()
        let bob = try Peer.quiet()
        let first = try await #require(alice.start(listening: [Multiaddr("/ip4/127.0.0.1/tcp/0")]).first)
        let port = try #require(first.components.lazy.compactMap(\.port).first)
        let carol = try Peer.quiet()
        // A wildcard of IPv6 beside an IPv4 listener on the same port.
        let addresses = try await carol.start(listening: [Multiaddr("/ip6/::/tcp/\(port)")])
        #expect(!addresses.isEmpty)
        let reached = try await bob.connect(Multiaddr("/ip6/::1/tcp/\(port)"))
        #expect(reached == carol.id)
        for peer in [alice, bob, carol] { await peer.shutdown() }
    }
}
