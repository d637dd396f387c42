import NIOCore
import NIOPosix
import Node
import Runtime
import Testing
import Wire

/// Dials from the port that is listened on, on loopback sockets.
@Suite struct ListeningPortTests {
    private static let loopback = "/ip4/127.0.0.1/tcp/0"

    /// What remains of an address without the peer's id.
    private func bare(_ address: Multiaddr) -> Multiaddr? { address.withoutPeerID }

    @Test func aDialOfAnAddressForHolePunchingComesFromTheListener() async throws {
        let alice = try Peer.quiet()
        let bob = try Peer.quiet { $0.probesPrivateAddresses = true }
        let target = try await #require(alice.start(listening: [Multiaddr(Self.loopback)]).first)
        let own = try await #require(bob.start(listening: [Multiaddr(Self.loopback)]).first)
        _ = try await bob.connect(target)
        let info = try await bob.identify(alice.id)
        #expect(info.observedAddress == bare(own))
        // A second one between the same two ports cannot be: it comes from another port, and stands.
        try await bob.disconnect(alice.id)
        _ = try await bob.connect(target)
        #expect(try await bob.ping(alice.id) > .zero)
        await bob.shutdown()
        await alice.shutdown()
    }

    @Test func anotherListenerCannotHaveThePort() async throws {
        let alice = try Peer.quiet()
        let bob = try Peer.quiet()
        let address = try await #require(alice.start(listening: [Multiaddr(Self.loopback)]).first)
        let taken = try #require(bare(address))
        await #expect(throws: PeerError.self) { try await bob.start(listening: [taken]) }
        await bob.shutdown()
        await alice.shutdown()
    }
}
