import Foundation
import Testing

/// Those who take part where a page does: anywhere, with relays over WebSocket.
extension Participant {
    /// Starts a program with these arguments, where it is to run.
    typealias Starting = (_ name: String, _ program: String, _ arguments: [String]) throws -> Child

    /// The page of `Peers/browser_relay` in Chromium, once it has a reservation; it speaks our bot's JSON lines.
    ///
    /// Its address is the one for WebRTC through the relay. `options` are those of the page, as NAME=VALUE.
    static func page(
        relay address: String, options: [String] = [], flags: [String] = [], start: Starting
    ) async throws -> Participant {
        let script = [Installed.script("browser_relay.py"), "--browser", try Installed.tool("chromium")]
        let given = ["--relay", address] + options.flatMap { ["--option", $0] } + flags
        let child = try start("page", try Installed.python(), script + given)
        let ready = try await child.event("ready", within: .seconds(60))
        let reserved = try await child.event("reserved", within: .seconds(30))
        return Participant(
            kind: .ours, child: child, peer: try #require(ready.text("peer")),
            address: try #require(reserved.texts("addresses").first { $0.contains("/webrtc/") }))
    }

    /// Our relay, that listens for WebSockets at `host`.
    static func webSocketRelay(at host: String, start: Starting) async throws -> Participant {
        let arguments = [
            "relay", "--json", "--ephemeral", "--no-mdns", "--no-stun", "--listen", "/ip4/\(host)/tcp/0/ws",
        ]
        let child = try start("relay", try Installed.program(), arguments)
        let ready = try await child.event("ready", within: .seconds(40))
        return Participant(
            kind: .ours, child: child, peer: try #require(ready.text("peer")),
            address: try #require(ready.texts("addresses").first))
    }

    /// Somebody in a terminal with a reservation at the relay; the address is the one for WebRTC.
    static func terminal(
        with relay: Participant, listen: String = loopback, flags: [String], start: Starting
    ) async throws -> Participant {
        let quiet = ["bot", "--json", "--ephemeral", "--no-mdns", "--nick", "terminal", "--listen", listen]
        let arguments = quiet + ["--listen", relay.address + "/p2p-circuit"] + flags
        let child = try start("terminal", try Installed.program(), arguments)
        let ready = try await child.event("ready", within: .seconds(40))
        try await child.event("relay", ["state": "reserved", "relay": relay.peer])
        let peer = try #require(ready.text("peer"))
        let address = "\(relay.address)/p2p-circuit/webrtc/p2p/\(peer)"
        return Participant(kind: .ours, child: child, peer: peer, address: address)
    }

    /// Waits for a connection to `other`.
    @discardableResult
    func isConnected(to other: Participant, by transport: String) async throws -> JSON {
        try await child.event(
            "connection", ["peer": other.peer, "transport": transport, "state": "open"], within: .seconds(40))
    }
}
