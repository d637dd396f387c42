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

    @Test("An address nobody could dial is a usage error that says what is wrong with it")
    func certhash() throws {
        let tool = PingTool(address: try Multiaddr("/ip4/127.0.0.1/udp/1/webrtc-direct"), count: 1)
        do {
            _ = try tool.run()
            Issue.record("dialled")
        } catch {
            #expect(error.status == .usage)
            #expect(error.message.contains("certhash"))
        }
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

    @Test("How the connection was made is told with its version and its steps")
    func steps() throws {
        let peer = try KeyPair(seed: [UInt8](repeating: 4, count: 32)).peerID
        let address = try Multiaddr("/ip4/1.2.3.4/udp/1/webrtc-direct")
        var connection = ConnectionInfo(
            id: 1, peer: peer, state: .open, direction: .outbound, transport: "webrtc-direct", address: address)
        connection.detail = "v2"
        connection.phases = [
            .init(name: "STUN", duration: .microseconds(420)), .init(name: "first stream", duration: .milliseconds(2)),
        ]
        let fields = IdentifyFields(info: IdentifyInfo(peer: peer), connection: connection, dialled: address)
        let lines = fields.text.split(separator: "\n").suffix(2)
        #expect(
            lines == [
                "connected by: webrtc-direct v2 to \(address)", "in these steps: STUN 0.42 ms, first stream 2 ms",
            ])
        #expect(
            fields.json.contains(
                #""transport":"webrtc-direct","detail":"v2","phases":[{"name":"stun","ms":0.42},"#
                    + #"{"name":"first-stream","ms":2}]"#))
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
