import Foundation
import Testing

extension Interop {
    /// Over WebSocket with other people's peers, each side dialling.
    @Suite struct WebSocketTests {
        typealias Direction = ConversationTests.Direction
        private static let webSocket = "/ip4/127.0.0.1/tcp/0/ws"

        @Test("We talk over WebSocket with other people's peers", arguments: Kind.others, Direction.allCases)
        func conversation(_ kind: Kind, _ direction: Direction) async throws {
            try await Stage.play { stage in
                let ours = try await Participant.start(.ours, on: stage, listen: Self.webSocket)
                let theirs = try await Participant.start(kind, on: stage, listen: Self.webSocket)
                switch direction {
                case .theyDial: try await theirs.connect(to: ours)
                case .weDial: try await ours.connect(to: theirs)
                }
                let open = try await ours.child.event("connection", ["peer": theirs.peer, "state": "open"])
                #expect(open.text("transport") == "ws")
                #expect(open.text("direction") == (direction == .weDial ? "out" : "in"))
                #expect(open.text("address")?.hasSuffix("/ws") == true, "\(open)")

                #expect(try await ours.ping(theirs) > 0)
                #expect(try await theirs.ping(ours) >= 0)
                try theirs.child.send("/identify " + ours.peer)
                let identity = try await theirs.child.event("identify", ["peer": ours.peer])
                #expect(identity.texts("listen").contains { $0.hasSuffix("/ws") }, "\(identity)")

                try await waitForMesh([ours, theirs])
                let long = String(repeating: "lang und länger ", count: 3000)
                for (speaker, listener, text) in [
                    (ours, theirs, "grüß dich 👋🏽"), (theirs, ours, "здравствуй 👋🏽"), (ours, theirs, long + "1"),
                    (theirs, ours, long + "2"),
                ] {
                    try speaker.say(text)
                    try await listener.hears(text, from: speaker)
                }
            }
        }

        @Test("One port serves TCP to one and WebSocket to another, and they talk through us")
        func onePort() async throws {
            try await Stage.play { stage in
                // A listener of its own tells a free port; it is gone when ours comes.
                let probe = try await Participant.start(.ours, on: stage, name: "probe")
                let port = try #require(probe.address.split(separator: "/").dropFirst(3).first)
                await probe.child.stop()
                let shared = "/ip4/127.0.0.1/tcp/\(port)"
                let ours = try await Participant.start(
                    .ours, on: stage, listen: shared, flags: ["--listen", shared + "/ws"])
                let python = try await Participant.start(.python, on: stage, listen: Self.webSocket)
                let go = try await Participant.start(.go, on: stage)
                try python.child.send("/connect \(shared)/ws/p2p/\(ours.peer)")
                try go.child.send("/connect \(shared)/p2p/\(ours.peer)")
                for (other, transport) in [(python, "ws"), (go, "tcp")] {
                    let open = try await ours.child.event("connection", ["peer": other.peer, "state": "open"])
                    #expect(open.text("transport") == transport)
                }
                try await waitForMesh([ours, python, go])
            }
        }
    }
}
