import NIOCore
import Testing
import Wire

@testable import Node
@testable import SwiftPeer

@Suite struct ToolTests {
    @Test("The summary of a ping counts and averages")
    func ping() {
        #expect(PingTool.summary(sent: 3, times: []) == "3 sent, 0 answered")
        #expect(PingTool.summary(sent: 3, times: [1, 2.5, 4]) == "3 sent, 3 answered; min/avg/max 1/2.5/4 ms")
    }

    @Test("An address this version cannot dial is told apart from a peer that does not answer")
    func transport() throws {
        let tool = PingTool(address: try Multiaddr("/ip4/127.0.0.1/udp/1/quic-v1"), count: 1)
        do {
            _ = try tool.run()
            Issue.record("dialled")
        } catch { #expect(error.status == .unavailable) }
    }

    @Test("Nobody at an address is a failure of one line")
    func nobody() throws {
        do {
            _ = try PingTool(address: Multiaddr("/ip4/127.0.0.1/tcp/1"), count: 1).run()
            Issue.record("somebody answered")
        } catch {
            let failure = try #require(error as? Failure)
            #expect(failure.status == .failure)
            #expect(!failure.message.isEmpty)
        }
    }

    @Test("What identify brought is told as text and as JSON")
    func identify() throws {
        let peer = try KeyPair(seed: [UInt8](repeating: 4, count: 32)).peerID
        let fields = IdentifyFields(
            info: IdentifyInfo(peer: peer), connection: nil, dialled: try Multiaddr("/ip4/1.2.3.4/tcp/1"))
        #expect(fields.text.hasPrefix("peer: \(peer)\nagent: unknown\n"))
        #expect(
            fields.json
                == #"{"peer":"\#(peer)","protocols":[],"addresses":[],"address":"/ip4/1.2.3.4/tcp/1"}"#)
    }
}
