import Foundation
import Testing

extension Interop {
    /// A page in Chromium that comes through a relay over WebSocket, and somebody in a terminal.
    ///
    /// The page is the project's own, in plain JavaScript: a js-libp2p build is not to be had where these tests run.
    @Suite struct BrowserRelayTests {
        enum Dialer: String, CaseIterable, Sendable { case page, terminal }

        /// A relay that listens for WebSockets.
        private static func relay(_ kind: Kind, on stage: Stage) async throws -> Participant {
            let listen = Participant.loopback + "/ws"
            switch kind {
            case .ours: return try await .webSocketRelay(at: "127.0.0.1") { try stage.start($0, $1, $2) }
            case .python:
                return try await .start(kind, on: stage, name: "relay", listen: listen, flags: ["--relay"])
            case .go:
                let flags = ["--daemon-arg=-relayService", "--daemon-arg=-forceReachabilityPublic"]
                return try await .start(kind, on: stage, name: "relay", listen: listen, flags: flags)
            }
        }

        @Test(
            "A page and a terminal start to talk through a relay and go on without it; no line is lost or comes twice",
            .timeLimit(.minutes(2)), arguments: Kind.allCases, Dialer.allCases)
        func upgrade(_ kind: Kind, _ dialer: Dialer) async throws {
            try await Stage.play { stage in
                let relay = try await Self.relay(kind, on: stage)
                let page = try await Participant.page(relay: relay.address, options: ["discover=no"]) {
                    try stage.start($0, $1, $2)
                }
                let terminal = try await Participant.terminal(with: relay, flags: ["--no-stun", "--no-discovery"]) {
                    try stage.start($0, $1, $2)
                }
                switch dialer {
                case .page: try page.child.send(#"{"connect":\#(JSON.quoted(terminal.address))}"#)
                case .terminal: try terminal.child.send(#"{"connect":\#(JSON.quoted(page.address))}"#)
                }
                for (end, other, direction) in [
                    (terminal, page, dialer == .terminal ? "out" : "in"),
                    (page, terminal, dialer == .page ? "out" : "in"),
                ] {
                    for transport in ["relay", "webrtc"] {
                        let open = try await end.isConnected(to: other, by: transport)
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
                let long = String(repeating: "lang und länger ", count: 3000)
                for (speaker, listener, text) in [
                    (page, terminal, "grüß dich im Terminal 👋🏽"), (terminal, page, "и тебе привет 👋🏽"),
                    (page, terminal, long + "1"), (terminal, page, long + "2"),
                ] {
                    try speaker.say(text)
                    try await listener.hears(text, from: speaker)
                }
                #expect(try await page.ping(terminal) >= 0)
                #expect(page.child.events.last { $0.event == "pong" }?.text("transport") == "webrtc")
                #expect(try await terminal.ping(page) >= 0)
                // Whoever leaves says so, and the other side does not have to wait until nothing comes any more.
                try page.child.send(#"{"disconnect":\#(JSON.quoted(terminal.peer))}"#)
                try await terminal.child.event(
                    "connection", ["peer": page.peer, "transport": "webrtc", "state": "closed"], within: .seconds(10))
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
                let page = try await Participant.page(relay: relay.address, options: ["limited=no"]) {
                    try stage.start($0, $1, $2)
                }
                let terminal = try await Participant.terminal(with: relay, flags: ["--no-stun"]) {
                    try stage.start($0, $1, $2)
                }
                try await terminal.isConnected(to: page, by: "webrtc")
                try await page.isConnected(to: terminal, by: "webrtc")
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
