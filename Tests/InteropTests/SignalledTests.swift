import Foundation
import Testing

extension Interop {
    /// `/webrtc` with aiortc, signalled through a relay of py-libp2p.
    @Suite struct SignalledTests {
        /// A relay, and somebody with a reservation there who signals, by the address for it.
        private static func behindRelay(_ stage: Stage) async throws -> (relay: Participant, theirs: Participant) {
            let relay = try await Participant.start(.python, on: stage, name: "relay", flags: ["--relay"])
            let flags = ["--reserve", relay.address, "--webrtc-private"]
            let theirs = try await Participant.start(.python, on: stage, name: "theirs", flags: flags)
            let reserved = try await theirs.child.event("reserved", within: .seconds(30))
            let address = try #require(reserved.text("addr"))
                .replacingOccurrences(of: "/p2p-circuit/", with: "/p2p-circuit/webrtc/")
            let named = Participant(kind: .python, child: theirs.child, peer: theirs.peer, address: address)
            return (relay, named)
        }

        @Test("A relayed connection to py-libp2p becomes a direct one to aiortc", .timeLimit(.minutes(2)))
        func weDial() async throws {
            try await Stage.play { stage in
                let (_, theirs) = try await Self.behindRelay(stage)
                let ours = try await Participant.start(.ours, on: stage)
                try await ours.connect(to: theirs)
                let open = try await ours.child.event(
                    "connection", ["peer": theirs.peer, "transport": "webrtc", "state": "open"], within: .seconds(30))
                #expect(open.text("direction") == "out")
                #expect(open.text("address")?.contains("/p2p-circuit/webrtc") == true, "\(open)")
                try await ours.child.event(
                    "path", ["peer": theirs.peer, "from": "relay", "to": "webrtc"], within: .seconds(30))
                try await theirs.child.event("webrtc", ["peer": ours.peer], within: .seconds(20))
                try await ours.child.event(
                    "connection", ["peer": theirs.peer, "transport": "relay", "state": "closed"], within: .seconds(90))
                try await waitForMesh([ours, theirs])
                for (speaker, listener, text) in [(ours, theirs, "direct at last"), (theirs, ours, "so it is")] {
                    try speaker.say(text)
                    try await listener.hears(text, from: speaker)
                }
            }
        }
    }
}
