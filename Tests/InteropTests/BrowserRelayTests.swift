import Foundation
import Testing

extension Interop {
    /// A page in Chromium that comes through a relay over WebSocket, and somebody in a terminal.
    ///
    /// The page is the project's own, in plain JavaScript: a js-libp2p build is not to be had where these tests run.
    @Suite struct BrowserRelayTests {
        static let webSocket = "/ip4/127.0.0.1/tcp/0/ws"

        enum Dialer: String, CaseIterable, Sendable { case page, terminal }

        /// A relay that listens for WebSockets.
        private static func relay(_ kind: Kind, on stage: Stage) async throws -> Participant {
            switch kind {
            case .ours:
                let arguments = ["relay", "--json", "--ephemeral", "--no-mdns", "--no-stun", "--listen", webSocket]
                let child = try stage.start("relay", try Installed.program(), arguments)
                let ready = try await child.event("ready", within: .seconds(40))
                return Participant(
                    kind: .ours, child: child, peer: try #require(ready.text("peer")),
                    address: try #require(ready.texts("addresses").first))
            case .python:
                return try await .start(kind, on: stage, name: "relay", listen: webSocket, flags: ["--relay"])
            case .go:
                let flags = ["--daemon-arg=-relayService", "--daemon-arg=-forceReachabilityPublic"]
                return try await .start(kind, on: stage, name: "relay", listen: webSocket, flags: flags)
            }
        }

        /// Somebody in a terminal with a reservation at the relay; the address is the one for WebRTC.
        private static func terminal(
            with relay: Participant, on stage: Stage, flags: [String] = []
        ) async throws -> Participant {
            let listening = ["--listen", relay.address + "/p2p-circuit"]
            let terminal = try await Participant.start(.ours, on: stage, name: "terminal", flags: listening + flags)
            try await terminal.child.event("relay", ["state": "reserved", "relay": relay.peer])
            let address = "\(relay.address)/p2p-circuit/webrtc/p2p/\(terminal.peer)"
            return Participant(kind: .ours, child: terminal.child, peer: terminal.peer, address: address)
        }

        @Test(
            "A page and a terminal start to talk through a relay and go on without it; no line is lost or comes twice",
            .timeLimit(.minutes(2)), arguments: Kind.allCases, Dialer.allCases)
        func upgrade(_ kind: Kind, _ dialer: Dialer) async throws {
            try await Stage.play { stage in
                let relay = try await Self.relay(kind, on: stage)
                let page = try await Participant.page(on: stage, relay: relay.address, options: ["discover=no"])
                let terminal = try await Self.terminal(with: relay, on: stage, flags: ["--no-discovery"])
                switch dialer {
                case .page: try page.child.send(#"{"connect":\#(JSON.quoted(terminal.address))}"#)
                case .terminal: try terminal.child.send(#"{"connect":\#(JSON.quoted(page.address))}"#)
                }
                for (end, other, direction) in [
                    (terminal, page, dialer == .terminal ? "out" : "in"),
                    (page, terminal, dialer == .page ? "out" : "in"),
                ] {
                    for transport in ["relay", "webrtc"] {
                        let open = try await end.child.event(
                            "connection", ["peer": other.peer, "transport": transport, "state": "open"],
                            within: .seconds(30))
                        #expect(open.text("direction") == direction, "\(open)")
                    }
                }
                // Said before, while and after the direct connection takes over.
                try await Self.talk([page, terminal]) {
                    let isOver = { (end: Participant, other: Participant) in
                        end.child.events.contains {
                            $0.event == "connection" && $0.text("peer") == other.peer && $0.text("transport") == "relay"
                                && $0.text("state") == "closed"
                        }
                    }
                    return isOver(page, terminal) && isOver(terminal, page)
                }
                try await terminal.child.event("path", ["peer": page.peer, "from": "relay", "to": "webrtc"])
                await relay.child.stop()
                for (speaker, listener, text) in [
                    (page, terminal, "grüß dich im Terminal 👋🏽"), (terminal, page, "и тебе привет 👋🏽"),
                ] {
                    try speaker.say(text)
                    try await listener.hears(text, from: speaker)
                }
                #expect(try await page.ping(terminal) >= 0)
                #expect(page.child.events.last { $0.event == "pong" }?.text("transport") == "webrtc")
                #expect(try await terminal.ping(page) >= 0)
            }
        }

        /// Two say numbered lines until some come after `isOver`: each hears all of the other's once, in order.
        private static func talk(_ pair: [Participant], until isOver: () -> Bool) async throws {
            for (end, other) in [(pair[0], pair[1]), (pair[1], pair[0])] {
                try await end.child.event("peer", ["peer": other.peer, "state": "joined"])
            }
            let speakers = [(pair[0], pair[1]), (pair[1], pair[0])]
            let heard = { (listener: Participant, speaker: Participant) in
                listener.child.events.compactMap(listener.heard).filter { $0.from == speaker.peer }.map(\.text)
            }
            var spoken = [0, 0]
            var last: Int?
            try await until("all is said and heard", within: .seconds(60)) {
                if last == nil, isOver() { last = spoken.max().map { $0 + 10 } }
                // A relay takes no more than 128 KiB: one line at a time, and few that were not heard yet.
                for (index, (speaker, listener)) in speakers.enumerated()
                where spoken[index] < min(last ?? .max, heard(listener, speaker).count + 3) {
                    try speaker.say("line \(spoken[index])")
                    spoken[index] += 1
                }
                return speakers.indices.allSatisfy { index in
                    spoken[index] == last && heard(speakers[index].1, speakers[index].0).count >= spoken[index]
                }
            }
            for (index, (speaker, listener)) in speakers.enumerated() {
                #expect(heard(listener, speaker) == (0..<spoken[index]).map { "line \($0)" }, "\(listener.child.name)")
            }
        }

        @Test(
            "Knowing a relay is enough: a page and a terminal find each other there and become directly connected",
            .timeLimit(.minutes(2)))
        func discovery() async throws {
            try await Stage.play { stage in
                let relay = try await Self.relay(.ours, on: stage)
                // As js-libp2p does it: over a relay that limits, nothing is said in rooms.
                let page = try await Participant.page(on: stage, relay: relay.address, options: ["limited=no"])
                let terminal = try await Self.terminal(with: relay, on: stage)
                for (end, other) in [(terminal, page), (page, terminal)] {
                    try await end.child.event(
                        "connection", ["peer": other.peer, "transport": "webrtc", "state": "open"], within: .seconds(40)
                    )
                }
                try await waitForMesh([page, terminal])
                await relay.child.stop()
                for (speaker, listener, text) in [(page, terminal, "found you"), (terminal, page, "so you did")] {
                    try speaker.say(text)
                    try await listener.hears(text, from: speaker)
                }
            }
        }
    }
}
