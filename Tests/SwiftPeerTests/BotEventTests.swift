import Testing
import Wire

@testable import Node
@testable import SwiftPeer

@Suite struct BotEventTests {
    private let time = WallClock(nanoseconds: 1_709_210_096_007_000_000)
    private let peer: PeerID

    init() throws { peer = try KeyPair(seed: [UInt8](repeating: 3, count: 32)).peerID }

    @Test("Every event is written as the contract says")
    func json() {
        let events: [(BotEvent, String)] = [
            (.addresses([]), #"{"event":"addresses","addresses":[]}"#),
            (
                .peer(peer, room: "r\n", joined: false),
                #"{"event":"peer","room":"r\n","peer":"\#(peer)","state":"left"}"#
            ),
            (
                .message(room: "r", id: [1, 0xAB], from: peer, nick: "n", text: "t\"\u{0}"),
                #"{"event":"message","room":"r","id":"01ab","from":"\#(peer)","nick":"n","text":"t\"\u0000","#
                    + #""time":"2024-02-29T12:34:56.007Z"}"#
            ),
            (.pong(peer, .microseconds(420)), #"{"event":"pong","peer":"\#(peer)","ms":0.42}"#),
            (.error(input: "", message: "m"), #"{"event":"error","input":"","message":"m"}"#),
            (.log(.debug, "x"), #"{"event":"log","level":"debug","message":"x"}"#),
        ]
        for (event, line) in events { #expect(event.json(at: time) == line) }
    }

    @Test("A connection is told with the variant of its transport and its steps, as far as they are known")
    func connection() throws {
        let address = try Multiaddr("/ip4/1.2.3.4/udp/9/webrtc-direct")
        var info = ConnectionInfo(
            id: 3, peer: peer, state: .dialing, direction: .outbound, transport: "webrtc-direct", address: address)
        let start =
            #"{"event":"connection","id":3,"peer":"\#(peer)","state":"dialing","direction":"out","#
            + #""transport":"webrtc-direct","#
        #expect(BotEvent.connection(info).json(at: time) == start + #""address":"\#(address)"}"#)
        info.detail = "v1"
        info.phases = [.init(name: "STUN", duration: .microseconds(400)), .init(name: "DTLS", duration: .seconds(1))]
        #expect(
            BotEvent.connection(info).json(at: time)
                == start + #""detail":"v1","phases":[{"name":"stun","ms":0.4},{"name":"dtls","ms":1000}],"#
                + #""address":"\#(address)"}"#)
    }

    @Test("Durations become milliseconds")
    func durations() {
        #expect(Duration.seconds(2).milliseconds == 2000)
        #expect(Duration.nanoseconds(1500).milliseconds == 0.0015)
    }
}
