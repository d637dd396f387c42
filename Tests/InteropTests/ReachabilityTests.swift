import Foundation
import Testing

extension Interop {
    /// Who can be dialled, found out by real programs on networks of the kernel's: AutoNAT v2, reservations that nobody
    /// asked for, and DCUtR.
    ///
    /// AutoNAT and DCUtR leave private addresses alone, so that these networks have public ones; nothing leaves them.
    @Suite struct ReachabilityTests {
        private static let relayHost = "45.33.0.1"

        /// A street on which the relay and others have public addresses.
        private static func street(_ stage: Stage, others: [String]) async throws -> [String] {
            let street = try await SmallInternet.build(on: stage, homes: []).street
            let tool = try Installed.tool("ip")
            for ip in [relayHost] + others {
                let words: [String] = street + [tool, "address", "add", ip + "/32", "dev", "lo"]
                try await run(words, on: stage)
            }
            return street
        }

        private static func relay(inside street: [String], on stage: Stage) async throws -> Participant {
            try await participant("relay", ["relay"], at: relayHost, inside: street, on: stage)
        }

        /// From here on nobody makes a connection to this address.
        private static func close(_ ip: String, inside street: [String], on stage: Stage) async throws {
            let rules = """
                table ip firewall {
                    chain inward {
                        type filter hook input priority 0;
                        ip daddr \(ip) tcp flags & (syn | ack) == syn drop
                    }
                }
                """
            let tool = try Installed.tool("nft")
            try await run(street + [tool, rules], on: stage)
        }

        private static func run(_ words: [String], on stage: Stage) async throws {
            let child = try stage.start("a tool", words[0], Array(words.dropFirst()))
            try #require(try await child.ended(within: .seconds(20)) == 0)
        }

        private static func participant(
            _ name: String, _ command: [String], at ip: String, inside prefix: [String], on stage: Stage
        ) async throws -> Participant {
            var words: [String] = prefix
            words.append(try Installed.program())
            words.append(command[0])
            words += ["--json", "--ephemeral", "--no-mdns", "--no-stun", "--no-discovery"]
            words += ["--listen", "/ip4/\(ip)/tcp/0"]
            words += Array(command.dropFirst())
            let child = try stage.start(name, words[0], Array(words.dropFirst()))
            let ready = try await child.event("ready", within: .seconds(40))
            return Participant(
                kind: .ours, child: child, peer: try #require(ready.text("peer")),
                address: try #require(ready.texts("addresses").first))
        }

        @Test(
            "Two at home behind NATs who only name a relay get addresses, and dial each other", .timeLimit(.minutes(2)))
        func atHome() async throws {
            try await Stage.play { stage in
                let internet = try await SmallInternet.build(on: stage, homes: [.symmetric, .symmetric])
                let relay = try await internet.relay()
                var people: [Participant] = []
                for home in 1...2 {
                    let person = try await Self.participant(
                        "home\(home)", ["bot", "--connect", relay.address], at: "0.0.0.0",
                        inside: internet.home(home), on: stage)
                    try await person.child.event("relay", ["state": "reserved", "relay": relay.peer])
                    people.append(person)
                }
                let told = try await people[1].child.event("an address behind the relay") { event in
                    event.event == "addresses" && event.texts("addresses").contains { $0.contains("/p2p-circuit/") }
                }
                let address = try #require(told.texts("addresses").first { $0.contains("/p2p-circuit/p2p/") })
                #expect(address == "\(relay.address)/p2p-circuit/p2p/\(people[1].peer)")
                try people[0].child.send(#"{"connect":\#(JSON.quoted(address))}"#)
                try await people[0].child.event(
                    "connection", ["peer": people[1].peer, "state": "open", "transport": "relay"])
                try await waitForMesh(people)
                try people[0].say("neither of us can be dialled")
                try await people[1].hears("neither of us can be dialled", from: people[0])
            }
        }

        @Test("Who can be dialled learns so from the relay, and asks for no reservation", .timeLimit(.minutes(2)))
        func reachable() async throws {
            try await Stage.play { stage in
                let street = try await Self.street(stage, others: ["45.33.0.3"])
                let relay = try await Self.relay(inside: street, on: stage)
                let peer = try await Self.participant(
                    "reachable", ["bot", "--connect", relay.address], at: "45.33.0.3", inside: street, on: stage)
                let verdict = try await peer.child.event("reachability", within: .seconds(40))
                #expect(verdict.text("state") == "public")
                #expect(peer.address.hasPrefix(try #require(verdict.text("address"))))
                #expect(!peer.child.events.contains { $0.event == "relay" })
            }
        }

        @Test(
            "Who cannot be dialled learns so, withdraws its address, and is reached by the relay",
            .timeLimit(.minutes(2)))
        func firewalled() async throws {
            try await Stage.play { stage in
                let street = try await Self.street(stage, others: ["45.33.0.4"])
                let relay = try await Self.relay(inside: street, on: stage)
                try await Self.close("45.33.0.4", inside: street, on: stage)
                let peer = try await Self.participant(
                    "firewalled", ["bot", "--connect", relay.address], at: "45.33.0.4", inside: street, on: stage)
                let verdict = try await peer.child.event("reachability", within: .seconds(60))
                #expect(verdict.text("state") == "private")
                try await peer.child.event("relay", ["state": "reserved", "relay": relay.peer], within: .seconds(30))
                let address = "\(relay.address)/p2p-circuit/p2p/\(peer.peer)"
                try await peer.child.event("its address behind the relay, and not its own") { event in
                    let addresses = event.texts("addresses")
                    return event.event == "addresses" && addresses.contains(address)
                        && !addresses.contains { !$0.contains("/p2p-circuit/") }
                }
            }
        }

        @Test("py-libp2p asks for a direct connection by DCUtR, and gets it", .timeLimit(.minutes(2)))
        func punch() async throws {
            try await Stage.play { stage in
                let street = try await Self.street(stage, others: ["45.33.0.5", "45.33.0.6"])
                let relay = try await Self.relay(inside: street, on: stage)
                let script = [
                    Installed.script("py_chat_peer.py"), "--exit-on-eof", "--no-webrtc", "--dcutr", "--reserve",
                    relay.address, "--listen", "/ip4/45.33.0.5/tcp/0",
                ]
                let interpreter = try Installed.python()
                let words: [String] = street + [interpreter] + script
                let python = try stage.start("python", words[0], Array(words.dropFirst()))
                let listening = try await python.event("listening", within: .seconds(40))
                let peer = try #require(listening.text("peer"))
                try await python.event("reserved", ["relay": relay.peer], within: .seconds(30))
                let ours = try await Self.participant("ours", ["bot"], at: "45.33.0.6", inside: street, on: stage)
                try ours.child.send(#"{"connect":"\#(relay.address)/p2p-circuit/p2p/\#(peer)"}"#)
                try await ours.child.event("connection", ["peer": peer, "state": "open", "transport": "relay"])
                try await ours.child.event(
                    "connection", ["peer": peer, "state": "open", "transport": "tcp"], within: .seconds(30))
                try await ours.child.event("path", ["peer": peer, "from": "relay", "to": "tcp"], within: .seconds(30))
            }
        }
    }
}
