import Foundation
import NIOCore
import Node
import Runtime
import Testing
import Wire

/// A node of ours in the test's own process, on webrtc-direct, that echoes streams as py_chat_peer.py does.
struct EchoingNode: Sendable {
    private static let name = "/interop/echo/1"

    private let peer: Peer
    /// Its peer id.
    let id: String
    /// To be dialled at, peer id included.
    let address: String

    /// One that dials by `version`; it ends with the scenario.
    static func start(_ version: DirectVersion, on stage: Stage) async throws -> EchoingNode {
        var configuration = PeerConfiguration(agentVersion: "interop")
        configuration.discoversLocally = false
        configuration.protocols = [name]
        configuration.webRTCDirectVersion = version == .one ? .one : .two
        let identity = KeyPair.generate()
        let peer = try Peer(identity: identity, configuration: configuration)
        stage.atEnd { await peer.shutdown() }
        let bound = try await peer.start(listening: [try Multiaddr(Loopback.v4.direct)])
        Task {
            while let stream = await peer.acceptStream() {
                Task {
                    do {
                        while let bytes = try await stream.read() { try await stream.write(bytes) }
                        await stream.closeWrite()
                    } catch { await stream.reset() }
                }
            }
        }
        return EchoingNode(
            peer: peer, id: "\(identity.peerID)",
            address: try #require(bound.first.map { "\($0)" }))
    }

    /// Dials, sends `bytes` on one stream, and reads until it ends.
    func echo(_ bytes: Data, dialling address: String) async throws -> Data {
        let remote = try await peer.connect(try Multiaddr(address))
        let stream = try await peer.openStream(to: remote, protocols: [Self.name])
        async let sent: Void = {
            for start in stride(from: 0, to: bytes.count, by: 60_000) {
                try await stream.write(ByteBuffer(bytes: bytes[start..<min(start + 60_000, bytes.count)]))
            }
            await stream.closeWrite()
        }()
        var back = Data(capacity: bytes.count)
        while back.count < bytes.count, let piece = try await stream.read() { back += piece.readableBytesView }
        try await sent
        return back
    }
}
