import Foundation
import Testing

extension Participant {
    /// The page of `Peers/browser_relay` in Chromium, once it has a reservation; it speaks our bot's JSON lines.
    ///
    /// Its address is the one for WebRTC through the relay. `options` are those of the page, as NAME=VALUE.
    static func page(
        on stage: Stage, relay address: String, name: String = "page", options: [String] = [], flags: [String] = []
    ) async throws -> Participant {
        let script = [Installed.script("browser_relay.py"), "--browser", try Installed.tool("chromium")]
        let given = ["--relay", address] + options.flatMap { ["--option", $0] } + flags
        let child = try stage.start(name, try Installed.python(), script + given)
        let ready = try await child.event("ready", within: .seconds(60))
        let reserved = try await child.event("reserved", within: .seconds(30))
        return Participant(
            kind: .ours, child: child, peer: try #require(ready.text("peer")),
            address: try #require(reserved.texts("addresses").first { $0.contains("/webrtc/") }))
    }
}
