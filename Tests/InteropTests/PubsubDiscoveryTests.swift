import Foundation
import Testing

extension Interop {
    /// Finding peers on the discovery topic, with a python peer that says and reads what js-libp2p does.
    @Suite struct PubsubDiscoveryTests {
        /// A relay of ours, which carries the topic, and a peer of ours that only knows it.
        private static func hub(on stage: Stage, flags: [String] = []) async throws -> (Participant, Participant) {
            let hub = try await Participant.relay(on: stage)
            let ours = try await Participant.start(
                .ours, on: stage, flags: ["--connect", hub.address] + flags)
            try await ours.child.event("connection", ["peer": hub.peer, "state": "open"])
            return (hub, ours)
        }

        /// Says it until `heard` holds: the mesh of the topic may not stand yet, and js repeats itself too.
        private static func announce(
            _ line: String, from peer: Participant, until heard: () throws -> Bool
        ) async throws {
            var next = ContinuousClock.now
            try await InteropTests.until("what \(peer.child.name) announced is heard", within: .seconds(40)) {
                if try heard() { return true }
                if ContinuousClock.now >= next {
                    next = .now + .seconds(1)
                    try peer.child.send(line)
                }
                return false
            }
        }

        @Test("Ours dials who announced itself through a hub, at the address it gave", .timeLimit(.minutes(2)))
        func announced() async throws {
            try await Stage.play { stage in
                let (hub, ours) = try await Self.hub(on: stage)
                let python = try await Participant.start(.python, on: stage)
                try await python.connect(to: hub)
                // The raw peer id of nim changes nothing; neither do addresses that are another's.
                try python.child.send("/announce-bare")
                try python.child.send("/announce " + hub.address)
                try await python.child.event("announced")
                try await Self.announce("/announce " + python.address, from: python) {
                    ours.child.events.contains {
                        $0.event == "connection" && $0.text("peer") == python.peer && $0.text("state") == "open"
                    }
                }
                let open = try await ours.child.event("connection", ["peer": python.peer, "state": "open"])
                #expect(open.text("direction") == "out" && open.text("transport") == "tcp")
                #expect(python.address.hasPrefix(try #require(open.text("address"))))
                let dialled = ours.child.events.filter { $0.event == "connection" && $0.text("direction") == "out" }
                #expect(Set(dialled.compactMap { $0.text("peer") }) == [hub.peer, python.peer])
                // The room is whole without the hub, which is in none.
                try await waitForMesh([ours, python])
            }
        }

        @Test("A bare peer id, as nim publishes it, does no harm, and leads nowhere", .timeLimit(.minutes(2)))
        func bare() async throws {
            try await Stage.play { stage in
                let (hub, ours) = try await Self.hub(
                    on: stage, flags: ["--room", "universal-connectivity", "--room", Self.topic])
                let python = try await Participant.start(.python, on: stage)
                try await python.connect(to: hub)
                try await Self.announce("/announce-bare", from: python) {
                    ours.child.events.contains { $0.event == "message" && $0.text("from") == python.peer }
                }
                #expect(ours.child.isRunning && hub.child.isRunning)
                #expect(!ours.child.events.contains { $0.event == "connection" && $0.text("peer") == python.peer })
                #expect(!hub.child.events.contains { $0.text("peer") == python.peer && $0.text("state") == "closed" })
            }
        }

        @Test("Others read where we are: our own addresses, and those through relays, /webrtc among them")
        func read() async throws {
            try await Stage.play { stage in
                let hub = try await Participant.relay(on: stage)
                let python = try await Participant.start(.python, on: stage)
                try await python.connect(to: hub)
                let circuit = hub.address + "/p2p-circuit"
                let ours = try await Participant.start(.ours, on: stage, flags: ["--listen", circuit])
                let said = try await python.child.event("our addresses, relayed ones too", within: .seconds(60)) {
                    $0.event == "discovery" && $0.text("from") == ours.peer
                        && $0.texts("addrs").contains { $0.contains("/p2p-circuit") }
                }
                #expect(said.text("peer") == ours.peer, "the key in it is our own")
                let addresses = said.texts("addrs")
                #expect(addresses.contains(ours.address), "\(addresses)")
                for behind in ["/p2p/", "/webrtc/p2p/"] {
                    #expect(addresses.contains(circuit + behind + ours.peer), "\(addresses)")
                }
            }
        }

        private static let topic = "universal-connectivity-browser-peer-discovery"
    }
}
