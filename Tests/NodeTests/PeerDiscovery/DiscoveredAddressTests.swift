import NIOCore
import Testing
import Wire

@testable import Node

@Suite struct DiscoveredAddressTests {
    private static let hash = "uEiDDq4_xNyDorZBH3TlGazyJdOWSwvo4PUo5YHFMrvDE8g"
    private static let peer = try? KeyPair(seed: [UInt8](repeating: 1, count: 32)).peerID
    private static let other = try? KeyPair(seed: [UInt8](repeating: 2, count: 32)).peerID
    private static let relay = "12D3KooWCKq9ZvccjmCqhBbPsrgpAKBHWQpgB61ruM19CyAvH1Cp"
    private static let farRelay = "12D3KooWA4Xop1JaT3MHxwYMkCepYsv4iPVopMXwCz5iHYdBfeSB"

    static let home = ["/ip4/192.168.1.5/tcp/9095", "/ip4/127.0.0.1/tcp/9095", "/ip6/fd00::1:5/tcp/9095"]

    /// Where we listen, what is published, and whether we could have been meant.
    static let cases: [([String], String, Bool)] = [
        (home, "/ip4/1.2.3.4/tcp/5", true),
        (home, "/ip4/1.2.3.4/tcp/0", false),
        (home, "/ip4/1.2.3.4/tcp/5/ws", true),
        (home, "/ip4/1.2.3.4/tcp/5/tls/sni/example.org/ws", true),
        (home, "/ip4/1.2.3.4/udp/5/webrtc-direct", false),
        (home, "/ip4/1.2.3.4/udp/5/webrtc-direct/certhash/\(hash)", true),
        (home, "/ip4/1.2.3.4/udp/5/quic-v1", false),
        (home, "/ip6/2606:4700::1/tcp/5", true),
        (home, "/ip6/::ffff:127.0.0.1/tcp/5", false),
        (home, "/ip6/::ffff:192.168.1.9/tcp/5", true),
        (home, "/dns4/example.org/tcp/443/wss", false),
        (home, "/dnsaddr/example.org", false),
        (home, "/ip4/127.0.0.1/tcp/22", false),
        (home, "/ip6/::1/tcp/22", false),
        (home, "/ip4/0.0.0.0/tcp/22", false),
        (home, "/ip4/224.0.0.251/udp/5353/webrtc-direct/certhash/\(hash)", false),
        (home, "/ip4/255.255.255.255/tcp/1", false),
        (home, "/ip4/169.254.169.254/tcp/80", false),
        (home, "/ip6/fe80::1/tcp/80", false),
        (home, "/ip6/ff02::1/tcp/80", false),
        (home, "/ip4/192.168.1.77/tcp/80", true),
        (home, "/ip4/192.168.2.77/tcp/80", false),
        (home, "/ip4/10.0.0.1/tcp/80", false),
        (home, "/ip4/100.64.0.1/tcp/80", false),
        (home, "/ip4/192.0.2.1/tcp/80", false),
        (home, "/ip6/fd00::77/tcp/80", true),
        (home, "/ip6/fd00:0:0:1::77/tcp/80", false),
        (["/ip4/127.0.0.1/tcp/1"], "/ip4/127.0.0.1/tcp/22", true),
        ([], "/ip4/127.0.0.1/tcp/22", false),
        (home, "/ip4/1.2.3.4/tcp/5/p2p/\(relay)", false),
        (home, "/ip4/1.2.3.4/tcp/5/p2p/\(relay)/p2p-circuit", true),
        (home, "/dns4/relay.example/tcp/443/wss/p2p/\(relay)/p2p-circuit/webrtc", true),
        (home, "/ip4/1.2.3.4/tcp/5/p2p/\(farRelay)/p2p-circuit", false),
        (home, "/memory/1", false),
    ]

    @Test(arguments: cases)
    func addressesWeCouldHaveBeenMeantToDial(own: [String], text: String, isAdmitted: Bool) throws {
        let policy = DiscoveredAddress(listening: try own.map { try Multiaddr($0) })
        let peer = try #require(Self.peer)
        let address = try Multiaddr(text)
        #expect(policy.admits(address, of: peer) { $0.description == Self.relay } == isAdmitted)
        guard address.peerID == nil else { return }
        let isConnected: (PeerID) -> Bool = { $0.description == Self.relay }
        #expect(policy.admits(try address.appending(peer), of: peer, isConnected: isConnected) == isAdmitted)
        // Somebody else's name at the end.
        #expect(!policy.admits(try address.appending(try #require(Self.other)), of: peer, isConnected: isConnected))
    }

    @Test func theLoopbackIsPublishedOnlyWhereThereIsNothingElse() throws {
        let addresses = try Self.home.map { try Multiaddr($0) }
        #expect(DiscoveredAddress.published(addresses).map(\.description) == [Self.home[0], Self.home[2]])
        #expect(DiscoveredAddress.published([addresses[1]]) == [addresses[1]])
    }
}
