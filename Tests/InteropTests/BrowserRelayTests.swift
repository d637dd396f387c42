import Foundation
import Testing

extension Interop {
    /// A page in Chromium that comes through a relay over WebSocket, and somebody in a terminal.
    ///
    /// The page is the project's own, in plain JavaScript: a js-libp2p build is not to be had where these tests run.
    @Suite struct BrowserRelayTests {
        enum Dialer: String, CaseIterable, Sendable { case page, terminal }

        /// A relay that listens for WebSockets. Others' are in no room: they may exchange what they forward.
        private static func relay(_ kind: Kind, on stage: Stage) async throws -> Participant {
            let listen = Participant.loopback + "/ws"
            switch kind {
            case .ours: return try await .webSocketRelay(on: stage)
            case .python:
                return try await .start(
                    kind, on: stage, name: "relay", listen: listen, flags: ["--relay", "--no-topics"])
            case .go:
                let flags = ["--daemon-arg=-relayService", "--daemon-arg=-forceReachabilityPublic", "--no-topics"]
                return try await .start(kind, on: stage, name: "relay", listen: listen, flags: flags)
            }
        }

        @Test(
            "A page and a terminal start to talk through a relay and go on without it; no line is lost or comes twice",
            .timeLimit(.minutes(2)), arguments: Kind.allCases, Dialer.allCases)
        func upgrade(_ kind: Kind, _ dialer: Dialer) async throws {
            try await Stage.play { stage in
                let relay = try await Self.relay(kind, on: stage)
                let page = try await Participant.page(on: stage, relay: relay, options: ["discover=no"])
                let terminal = try await Participant.terminal(on: stage, with: relay, flags: ["--no-discovery"])
                if dialer == .page { try page.dials(terminal) } else { try terminal.dials(page) }
                for (end, other, isDialer) in [
                    (terminal, page, dialer == .terminal), (page, terminal, dialer == .page),
                ] {
                    for transport in ["relay", "webrtc"] {
                        let open = try await end.isConnected(to: other, by: transport)
                        #expect(open.text("direction") == (isDialer ? "out" : "in"), "\(open)")
                    }
                }
                // Said before, while and after the direct connection takes over.
                try await Conversation(pair: [page, terminal]).lasts {
                    page.hasLeftRelay(to: terminal) && terminal.hasLeftRelay(to: page)
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

        @Test(
            "Knowing a relay is enough: a page and a terminal find each other there and become directly connected",
            .timeLimit(.minutes(2)), arguments: ["ws", "wss"])
        func discovery(_ transport: String) async throws {
            try await Stage.play { stage in
                let authority = transport == "wss" ? try await TestAuthority(on: stage) : nil
                let relay = try await Participant.webSocketRelay(
                    on: stage, transport: transport, flags: authority?.serving ?? [])
                // As js-libp2p does it: over a relay that limits, nothing is said in rooms. No browser takes an
                // authority from a file, so this one asks about none.
                let page = try await Participant.page(
                    on: stage, relay: relay, options: ["limited=no"],
                    flags: authority == nil ? [] : ["--flag=--ignore-certificate-errors"])
                let terminal = try await Participant.terminal(
                    on: stage, with: relay, flags: ["--perf"] + (authority?.trusting ?? []))
                try await relay.child.event(
                    "connection", ["peer": page.peer, "state": "open", "transport": transport])
                try await terminal.isConnected(to: page, by: "webrtc")
                try await page.isConnected(to: terminal, by: "webrtc")
                // The relay carries the room as well: only what says that each hears the other needs no relay.
                for (end, other) in [(page, terminal), (terminal, page)] {
                    try await end.child.event("peer", ["peer": other.peer, "state": "joined"])
                }
                await relay.child.stop()
                for (speaker, listener, text) in [(page, terminal, "found you"), (terminal, page, "so you did")] {
                    try speaker.say(text)
                    try await listener.hears(text, from: speaker)
                }
                // More than fits into any buffer on the way, in both directions.
                let bytes = 4 << 20
                try page.child.send(#"{"perf":"\#(terminal.peer)","bytes":\#(bytes)}"#)
                let measured = try await page.child.event("perf", within: .seconds(60))
                #expect(measured.text("transport") == "webrtc" && measured.number("bytes") == Double(bytes))
            }
        }

        @Test("A relay that was gone for a while is there for both again", .timeLimit(.minutes(2)))
        func restart() async throws {
            try await Stage.play { stage in
                let identity = ["--identity", stage.folder.appending(path: "relay.key").path]
                let relay = try await Participant.webSocketRelay(on: stage, flags: identity)
                let page = try await Participant.page(on: stage, relay: relay, options: ["discover=no"])
                let terminal = try await Participant.terminal(on: stage, with: relay, flags: ["--no-discovery"])
                let (seenByPage, seenByTerminal) = (page.child.events.count, terminal.child.events.count)
                await relay.child.stop()
                try await terminal.child.event("relay", ["state": "lost"])
                try await page.child.event("connection", ["peer": relay.peer, "state": "closed"])
                let port = try #require(relay.address.split(separator: "/").dropFirst(3).first.flatMap { Int($0) })
                let again = try await Participant.webSocketRelay(on: stage, port: port, flags: identity)
                #expect(again.address == relay.address)
                try await page.child.event("reserved", within: .seconds(60), skipping: seenByPage)
                try await terminal.child.event(
                    "relay", ["state": "reserved"], within: .seconds(60), skipping: seenByTerminal)
                try terminal.dials(page)
                try await page.isConnected(to: terminal, by: "webrtc")
                try await waitForMesh([page, terminal])
            }
        }
    }
}
