import Foundation
import Testing

extension Interop {
    /// Two people behind NATs, one with a page in Chromium, one in a terminal, on networks of the kernel's.
    ///
    /// The browser is as a person has it: it names its local addresses by mDNS only.
    @Suite struct BrowserHomesTests {
        /// Who is where: a relay outside, a page in the first home, a terminal in the second.
        private struct Scene {
            let homes: Homes
            let relay: Participant
            let page: Participant
            let terminal: Participant

            static func start(
                on stage: Stage, _ router: Homes.Router, turn: Bool = false, discovers: Bool
            ) async throws -> Scene {
                let homes = try await Homes.start(on: stage, [router, router])
                try await homes.startTurn()
                let relay = try await Participant.webSocketRelay(at: Homes.server) { try homes.start($0, $1, $2) }
                let options = ["stun=" + Homes.stun, "discover=" + (discovers ? "yes" : "no")]
                let page = try await Participant.page(
                    relay: relay.address, options: options, flags: ["--as-installed"]
                ) { try homes.start($0, $1, $2, home: 0) }
                let servers = ["--stun", Homes.stun] + (turn ? ["--turn", Homes.turn] : [])
                let terminal = try await Participant.terminal(
                    with: relay, listen: "/ip4/0.0.0.0/tcp/0", flags: servers + (discovers ? [] : ["--no-discovery"])
                ) { try homes.start($0, $1, $2, home: 1) }
                return Scene(homes: homes, relay: relay, page: page, terminal: terminal)
            }

            /// The page dials the terminal, through the relay.
            func dial() throws {
                try page.child.send(#"{"connect":\#(JSON.quoted(terminal.address))}"#)
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
                let scene = try await Scene.start(on: stage, .portRestricted, discovers: true)
                try await scene.page.isConnected(to: scene.terminal, by: "webrtc")
                try await scene.terminal.child.event(
                    "path", ["peer": scene.page.peer, "from": "relay", "to": "webrtc"], within: .seconds(30))
                let candidates = scene.page.child.events.compactMap { $0.text("candidate") }
                // One behind a name that only the own network could resolve, one as the server saw it.
                #expect(candidates.contains { $0.contains(".local ") && $0.contains("typ host") }, "\(candidates)")
                #expect(candidates.contains { $0.contains("10.9.1.2") && $0.contains("typ srflx") }, "\(candidates)")
                await scene.relay.child.stop()
                try await scene.talk()
            }
        }

        @Test("Behind symmetric NATs a TURN server that the terminal knows carries it", .timeLimit(.minutes(2)))
        func turned() async throws {
            try await Stage.play { stage in
                let scene = try await Scene.start(on: stage, .symmetric, turn: true, discovers: false)
                try scene.dial()
                try await scene.terminal.child.event(
                    "path", ["peer": scene.page.peer, "from": "relay", "to": "webrtc"], within: .seconds(40))
                await scene.relay.child.stop()
                try await scene.talk()
            }
        }

        @Test("Behind symmetric NATs, without one, the relay goes on carrying what they say", .timeLimit(.minutes(2)))
        func relayed() async throws {
            try await Stage.play { stage in
                let scene = try await Scene.start(on: stage, .symmetric, discovers: false)
                try scene.dial()
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
