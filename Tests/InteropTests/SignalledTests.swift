import Foundation
import Testing

extension Interop {
    /// `/webrtc` with aiortc: signalled through relays of py-libp2p's and ours, over TCP and WebSocket.
    @Suite struct SignalledTests {
        struct Scene: Sendable, CustomTestStringConvertible {
            let relay: Kind
            let dialer: Kind
            /// What leads to the relay.
            let leg: String

            static let all: [Scene] = [Kind.python, .ours].flatMap { relay in
                [Kind.ours, .python].flatMap { dialer in
                    ["tcp", "ws"].map { Scene(relay: relay, dialer: dialer, leg: $0) }
                }
            }
            var testDescription: String { "\(dialer.rawValue) dials through \(relay.rawValue) over \(leg)" }
            var listen: String { leg == "ws" ? Participant.loopback + "/ws" : Participant.loopback }
        }

        /// A relay without narrow limits, and the end that has a reservation there, by its address for WebRTC.
        private static func cast(
            _ scene: Scene, on stage: Stage
        ) async throws -> (relay: Participant, waiting: Participant) {
            let relay: Participant
            switch scene.relay {
            case .ours:
                let arguments = [
                    "relay", "--json", "--ephemeral", "--no-mdns", "--no-stun", "--listen", scene.listen,
                ]
                let child = try stage.start("relay", try Installed.program(), arguments)
                let ready = try await child.event("ready", within: .seconds(40))
                relay = Participant(
                    kind: .ours, child: child, peer: try #require(ready.text("peer")),
                    address: try #require(ready.texts("addresses").first))
            case .python, .go:
                relay = try await .start(
                    scene.relay, on: stage, name: "relay", listen: scene.listen, flags: ["--relay"])
            }
            let waiting: Participant
            if scene.dialer == .ours {
                let flags = ["--reserve", relay.address, "--webrtc-private"]
                waiting = try await .start(.python, on: stage, name: "theirs", flags: flags)
                try await waiting.child.event("reserved", within: .seconds(30))
            } else {
                waiting = try await .start(
                    .ours, on: stage, name: "ours", flags: ["--listen", relay.address + "/p2p-circuit"])
                try await waiting.child.event(
                    "relay", ["state": "reserved", "relay": relay.peer], within: .seconds(30))
            }
            let address = "\(relay.address)/p2p-circuit/webrtc/p2p/\(waiting.peer)"
            return (
                relay, Participant(kind: waiting.kind, child: waiting.child, peer: waiting.peer, address: address)
            )
        }

        @Test(
            "A relayed connection between ours and aiortc becomes a direct one", .timeLimit(.minutes(3)),
            arguments: Scene.all)
        func upgrade(_ scene: Scene) async throws {
            try await Stage.play { stage in
                let (relay, waiting) = try await Self.cast(scene, on: stage)
                let flags = scene.dialer == .python ? ["--circuit", "--webrtc-private"] : []
                let dialing = try await Participant.start(scene.dialer, on: stage, name: "dialer", flags: flags)
                switch scene.dialer {
                case .ours: try dialing.child.send(#"{"connect":\#(JSON.quoted(waiting.address))}"#)
                case .python, .go: try dialing.child.send("/connect " + waiting.address)
                }
                let (ours, theirs) = scene.dialer == .ours ? (dialing, waiting) : (waiting, dialing)
                let open = try await ours.child.event(
                    "connection", ["peer": theirs.peer, "transport": "webrtc", "state": "open"], within: .seconds(40))
                #expect(open.text("direction") == (scene.dialer == .ours ? "out" : "in"))
                #expect(open.text("address")?.contains("/p2p-circuit/webrtc") == true, "\(open)")
                try await ours.child.event(
                    "path", ["peer": theirs.peer, "from": "relay", "to": "webrtc"], within: .seconds(30))
                try await theirs.child.event("webrtc", ["peer": ours.peer], within: .seconds(20))
                // py-libp2p leaves its stream on a relayed connection that it did not dial until ours ends it, a minute
                // later: once is enough. The relay is not stopped, or py-libp2p would forget what ours subscribed to.
                if scene.dialer == .python || scene.relay == .ours && scene.leg == "tcp" {
                    let members = ["peer": theirs.peer, "transport": "relay", "state": "closed"]
                    try await ours.child.event("connection", members, within: .seconds(90))
                    if scene.relay == .ours {
                        let circuit = ["state": "circuit-ended", "from": dialing.peer, "to": waiting.peer]
                        try await relay.child.event("relay", circuit, within: .seconds(30))
                    }
                }
                try await waitForMesh([ours, theirs])
                for (speaker, listener, text) in [(ours, theirs, "direct at last"), (theirs, ours, "so it is")] {
                    try speaker.say(text)
                    try await listener.hears(text, from: speaker)
                }
                #expect(try await ours.ping(theirs) >= 0)
            }
        }
    }
}
