import Foundation
import Testing

/// Those who take part where a page does: a relay over WebSocket, a terminal that is reachable through it.
extension Participant {
    /// The page of `Peers/browser_relay` in Chromium, once it has a reservation; it speaks our bot's JSON lines.
    ///
    /// Its address is the one for WebRTC through the relay. `options` are those of the page, as NAME=VALUE; `prefix` is
    /// what to put before a command to run it in another network.
    static func page(
        on stage: Stage, relay: Participant, options: [String] = [], inside prefix: [String] = [], flags: [String] = []
    ) async throws -> Participant {
        let words =
            prefix + [
                try Installed.python(), Installed.script("browser_relay.py"), "--browser",
                try Installed.tool("chromium"),
                "--relay", relay.address,
            ]
        let given = options.flatMap { ["--option", $0] } + flags
        let child = try stage.start("page", words[0], words.dropFirst() + given)
        let ready = try await child.event("ready", within: .seconds(60))
        let reserved = try await child.event("reserved", within: .seconds(30))
        return Participant(
            kind: .ours, child: child, peer: try #require(ready.text("peer")),
            address: try #require(reserved.texts("addresses").first { $0.contains("/webrtc/") }))
    }

    /// Our relay, that listens for WebSockets at `host`.
    static func webSocketRelay(
        on stage: Stage, at host: String = "127.0.0.1", port: Int = 0, transport: String = "ws",
        inside prefix: [String] = [], flags: [String] = []
    ) async throws -> Participant {
        let words = prefix + [try Installed.program(), "relay", "--json", "--no-mdns", "--no-stun"]
        let forgetting = flags.contains("--identity") ? [] : ["--ephemeral"]
        let listening = ["--listen", "/ip4/\(host)/tcp/\(port)/\(transport)"]
        let child = try stage.start("relay", words[0], words.dropFirst() + forgetting + listening + flags)
        let ready = try await child.event("ready", within: .seconds(40))
        return Participant(
            kind: .ours, child: child, peer: try #require(ready.text("peer")),
            address: try #require(ready.texts("addresses").first))
    }

    /// Somebody in a terminal with a reservation at the relay; the address is the one for WebRTC.
    static func terminal(on stage: Stage, with relay: Participant, flags: [String] = []) async throws -> Participant {
        let listening = ["--listen", relay.address + "/p2p-circuit"]
        let terminal = try await Participant.start(.ours, on: stage, name: "terminal", flags: listening + flags)
        try await terminal.child.event("relay", ["state": "reserved", "relay": relay.peer])
        let address = "\(relay.address)/p2p-circuit/webrtc/p2p/\(terminal.peer)"
        return Participant(kind: .ours, child: terminal.child, peer: terminal.peer, address: address)
    }

    /// Dials the address of `other`, whatever comes of it.
    func dials(_ other: Participant) throws {
        try child.send(#"{"connect":\#(JSON.quoted(other.address))}"#)
    }

    /// Waits for a connection to `other`.
    @discardableResult
    func isConnected(to other: Participant, by transport: String) async throws -> JSON {
        try await child.event(
            "connection", ["peer": other.peer, "transport": transport, "state": "open"], within: .seconds(40))
    }

    /// Whether a relayed connection to `other` has ended.
    func hasLeftRelay(to other: Participant) -> Bool {
        child.events.contains {
            $0.event == "connection" && $0.text("peer") == other.peer && $0.text("transport") == "relay"
                && $0.text("state") == "closed"
        }
    }
}
