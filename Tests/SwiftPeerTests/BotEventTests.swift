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

    @Test("Durations become milliseconds")
    func durations() {
        #expect(Duration.seconds(2).milliseconds == 2000)
        #expect(Duration.nanoseconds(1500).milliseconds == 0.0015)
    }
}
