import Glibc
import Testing
import Wire

@testable import Node
@testable import SwiftPeer

@Suite struct PeersFileTests {
    private static let peer = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp"

    /// A file of its own, gone afterwards.
    private func withFile(_ body: (_ file: PeersFile, _ path: String) throws -> Void) throws {
        var template = Array("/tmp/swift-peer-peers-XXXXXX".utf8CString)
        let directory = try #require(mkdtemp(&template).map { String(cString: $0) })
        let path = directory + "/peers"
        defer {
            unlink(path)
            rmdir(directory)
        }
        try body(PeersFile(path: path), path)
    }

    private func connection(
        _ address: String, _ direction: ConnectionInfo.Direction = .outbound, _ state: ConnectionInfo.State = .open
    ) throws -> ConnectionInfo {
        ConnectionInfo(
            id: 1, peer: try PeerID(text: Self.peer), state: state, direction: direction, transport: "tcp",
            address: try Multiaddr(address))
    }

    @Test("Peers that were dialled and are there are found again")
    func roundTrip() throws {
        try withFile { file, _ in
            #expect(file.read().isEmpty)
            try file.write([
                connection("/ip4/1.2.3.4/tcp/5"), connection("/ip4/1.2.3.4/tcp/5"),
                connection("/ip4/1.2.3.4/tcp/6", .inbound), connection("/ip4/1.2.3.4/tcp/7", .outbound, .dialing),
                connection("/ip4/1.2.3.4/tcp/8/ws"),
            ])
            let wanted = ["/ip4/1.2.3.4/tcp/5/p2p/\(Self.peer)", "/ip4/1.2.3.4/tcp/8/ws/p2p/\(Self.peer)"]
            #expect(file.read().map(\.description) == wanted)
            // Nobody there is no reason to forget those of before.
            try file.write([])
            #expect(file.read().count == 2)
            try file.write([connection("/ip4/1.2.3.4/tcp/9")])
            #expect(file.read().map(\.description) == ["/ip4/1.2.3.4/tcp/9/p2p/\(Self.peer)"])
        }
    }

    @Test("A damaged file says as much as can be read")
    func damaged() throws {
        try withFile { file, path in
            let good = "/ip4/1.2.3.4/tcp/5/p2p/\(Self.peer)"
            let text = "garbage\n/ip4/1.2.3.4/tcp/5\n\u{0}\n\(good)\n"
            _ = try SmallFile(path: path).create(Array(text.utf8))
            #expect(file.read().map(\.description) == [good])
        }
        try withFile { file, path in
            _ = try SmallFile(path: path).create([UInt8](repeating: 0x61, count: Limits.rememberedPeersFile + 1))
            #expect(file.read().isEmpty)
        }
    }
}
