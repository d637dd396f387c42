import Foundation
import Testing

extension Interop {
    /// Two people at home behind NATs, one with a page in Chromium, one in a terminal.
    ///
    /// The browser is as a person has it: it names its local addresses by mDNS only.
    @Suite struct BrowserNATTests {
        /// A relay on the street, a page in the first home, a terminal in the second.
        private struct Scene {
            let relay: Participant
            let page: Participant
            let terminal: Participant

            static func start(
                on stage: Stage, _ nat: SmallInternet.NAT, discovers: Bool = false, flags: [String] = []
            ) async throws -> Scene {
                let internet = try await SmallInternet.build(on: stage, homes: [nat, nat])
                try await internet.coturn()
                let relay = try await Participant.webSocketRelay(
                    on: stage, at: "198.51.100.1", inside: internet.street)
                let page = try await Participant.page(
                    on: stage, relay: relay,
                    options: ["stun=" + SmallInternet.stunURL, "discover=" + (discovers ? "yes" : "no")],
                    inside: internet.home(1), flags: ["--as-installed"])
                let terminal = try await internet.reachableBot(
                    2, through: relay, flags: flags + (discovers ? [] : ["--no-discovery"]))
                return Scene(relay: relay, page: page, terminal: terminal)
            }

            func talk() async throws {
                try await waitForMesh([page, terminal])
                for (speaker, listener, text) in [(page, terminal, "from my sofa"), (terminal, page, "from mine")] {
                    try speaker.say(text)
                    try await listener.hears(text, from: speaker)
                }
            }
        }

        @Test("At home behind NATs, knowing one relay, they find each other and talk directly", .timeLimit(.minutes(2)))
        func direct() async throws {
            try await Stage.play { stage in
                let scene = try await Scene.start(on: stage, .cone, discovers: true)
                try await scene.page.isConnected(to: scene.terminal, by: "webrtc")
                try await scene.terminal.child.event(
                    "path", ["peer": scene.page.peer, "from": "relay", "to": "webrtc"], within: .seconds(30))
                let candidates = scene.page.child.events.compactMap { $0.text("candidate") }
                // One behind a name that only the own network could resolve, one as the server saw it.
                #expect(candidates.contains { $0.contains(".local ") && $0.contains("typ host") }, "\(candidates)")
                #expect(candidates.contains { $0.contains(" 198.51.100.11 ") && $0.contains("typ srflx") })
                await scene.relay.child.stop()
                try await scene.talk()
            }
        }

        @Test("Behind symmetric NATs a TURN server that the terminal knows carries it", .timeLimit(.minutes(2)))
        func turned() async throws {
            try await Stage.play { stage in
                let scene = try await Scene.start(
                    on: stage, .symmetric, flags: ["--turn", SmallInternet.turnURL("udp")])
                try scene.page.dials(scene.terminal)
                try await scene.terminal.child.event(
                    "path", ["peer": scene.page.peer, "from": "relay", "to": "webrtc"], within: .seconds(40))
                await scene.relay.child.stop()
                try await scene.talk()
            }
        }

        @Test("Behind symmetric NATs, without one, the relay goes on carrying what they say", .timeLimit(.minutes(2)))
        func relayed() async throws {
            try await Stage.play { stage in
                let scene = try await Scene.start(on: stage, .symmetric)
                try scene.page.dials(scene.terminal)
                let failed = try await scene.terminal.child.event(
                    "connection", ["peer": scene.page.peer, "transport": "webrtc", "state": "failed"],
                    within: .seconds(40))
                #expect(failed.text("reason")?.contains("NAT") == true, "\(failed)")
                try await scene.talk()
                #expect(try await scene.page.ping(scene.terminal) > 0)
                #expect(scene.page.child.events.last { $0.event == "pong" }?.text("transport") == "relay")
            }
        }
    }
}
