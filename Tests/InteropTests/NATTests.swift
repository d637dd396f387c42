import Foundation
import Testing

extension Interop {
    /// The real program behind real NATs: those of the kernel.
    @Suite struct NATTests {
        private static func event(
            _ kind: String, of end: Participant, _ members: [String: String]
        ) -> JSON? {
            end.child.events.last { event in
                event.event == kind && members.allSatisfy { event.text($0.key) == $0.value }
            }
        }

        private static func isDirect(_ pair: [Participant]) -> Bool {
            [(pair[0], pair[1]), (pair[1], pair[0])].allSatisfy { end, other in
                event("path", of: end, ["peer": other.peer, "from": "relay", "to": "webrtc"]) != nil
                    && event(
                        "connection", of: end, ["peer": other.peer, "transport": "relay", "state": "closed"]) != nil
            }
        }

        /// The first home waits behind the relay, the second dials.
        private static func meet(
            _ internet: SmallInternet, flags: [String] = []
        ) async throws -> (pair: [Participant], relay: Participant) {
            let relay = try await internet.relay()
            let near = try await internet.reachableBot(1, through: relay, flags: flags)
            let far = try await internet.bot(2, flags: flags)
            try far.child.send(#"{"connect":\#(JSON.quoted(near.address))}"#)
            for (end, other) in [(near, far), (far, near)] {
                try await end.child.event(
                    "connection", ["peer": other.peer, "transport": "relay", "state": "open"], within: .seconds(30))
            }
            return ([near, far], relay)
        }

        /// How the path of the direct connection was found, at one end.
        private static func candidates(of end: Participant, to other: Participant) async throws -> String {
            try end.child.send(#"{"connections":true}"#)
            let chosen = try await end.child.event("a path to \(other.child.name) is chosen") {
                $0.event == "connection" && $0.text("peer") == other.peer && $0.text("transport") == "webrtc"
                    && $0.text("candidates") != nil
            }
            return try #require(chosen.text("candidates"))
        }

        @Test(
            "Two homes behind NATs meet at a relay, talk at once, and go on without it", .timeLimit(.minutes(3)))
        func cones() async throws {
            try await Stage.play { stage in
                let internet = try await SmallInternet.build(on: stage, homes: [.cone, .cone])
                try await internet.coturn()
                let (pair, relay) = try await Self.meet(internet)
                try await Conversation(pair: pair).lasts { Self.isDirect(pair) }
                for (end, other) in [(pair[0], pair[1]), (pair[1], pair[0])] {
                    #expect(!(try await Self.candidates(of: end, to: other)).contains("relay"))
                }
                await relay.child.stop()
                try pair[0].say("who needs a relay")
                try await pair[1].hears("who needs a relay", from: pair[0])
            }
        }

        @Test(
            "Behind NATs that show every remote another port, and where no UDP passes, it goes through TURN",
            .timeLimit(.minutes(3)),
            arguments: [
                (SmallInternet.NAT.symmetric, SmallInternet.NAT.symmetric, "udp"), (.symmetric, .cone, "tcp"),
                (.withoutDatagrams, .withoutDatagrams, "tcp"),
            ])
        func turn(_ near: SmallInternet.NAT, _ far: SmallInternet.NAT, _ transport: String) async throws {
            try await Stage.play { stage in
                let internet = try await SmallInternet.build(on: stage, homes: [near, far])
                try await internet.coturn()
                let (pair, _) = try await Self.meet(internet, flags: ["--turn", SmallInternet.turnURL(transport)])
                try await Conversation(pair: pair).lasts { Self.isDirect(pair) }
                let ways = [
                    try await Self.candidates(of: pair[0], to: pair[1]),
                    try await Self.candidates(of: pair[1], to: pair[0]),
                ]
                #expect(ways.contains { $0.contains("relay") }, "\(ways)")
            }
        }

        @Test(
            "Without TURN they stay on the relay and hear why; a wrong password is told once",
            .timeLimit(.minutes(3)), arguments: [nil, "wrong"])
        func stays(_ password: String?) async throws {
            try await Stage.play { stage in
                let internet = try await SmallInternet.build(on: stage, homes: [.symmetric, .symmetric])
                try await internet.coturn()
                let flags = password.map { ["--turn", SmallInternet.turnURL("udp", password: $0)] } ?? []
                let (pair, _) = try await Self.meet(internet, flags: flags)
                for (end, other) in [(pair[0], pair[1]), (pair[1], pair[0])] {
                    let failed = try await end.child.event(
                        "connection", ["peer": other.peer, "transport": "webrtc", "state": "failed"],
                        within: .seconds(40))
                    #expect(failed.text("reason")?.contains("none of the ways") == true, "\(failed)")
                }
                // Another try follows; both go on talking meanwhile.
                var isTriedAgain = false
                try await Conversation(pair: pair).lasts {
                    isTriedAgain =
                        isTriedAgain
                        || pair[1].child.events.count {
                            $0.event == "connection" && $0.text("transport") == "webrtc" && $0.text("state") == "failed"
                        } >= 2
                    return isTriedAgain
                }
                #expect(Self.event("path", of: pair[0], [:]) == nil && Self.event("path", of: pair[1], [:]) == nil)
                for end in pair {
                    let complaints = end.child.errors.split(separator: "\n").filter { $0.contains("TURN") }
                    #expect(complaints.count == (password == nil ? 0 : 1), "\(complaints)")
                    #expect(complaints.allSatisfy { $0.contains("does not take this user and password") })
                    #expect(!end.child.errors.contains("wrong@"))
                }
            }
        }

        @Test(
            "aiortc at home is reached through our TURN server, and no other way", .timeLimit(.minutes(3)),
            arguments: ["udp", "tcp"])
        func aiortc(_ transport: String) async throws {
            try await Stage.play { stage in
                let internet = try await SmallInternet.build(on: stage, homes: [.symmetric, .cone])
                try await internet.coturn()
                let relay = try await internet.relay()
                let theirs = try await Participant.start(
                    .python, on: stage, name: "home2", inside: internet.home(2),
                    flags: ["--reserve", relay.address, "--webrtc-private", "--ice-stun", SmallInternet.stunURL])
                try await theirs.child.event("reserved", ["relay": relay.peer], within: .seconds(30))
                let ours = try await internet.bot(1, flags: ["--turn", SmallInternet.turnURL(transport)])
                let address = "\(relay.address)/p2p-circuit/webrtc/p2p/\(theirs.peer)"
                try ours.child.send(#"{"connect":\#(JSON.quoted(address))}"#)
                try await ours.child.event(
                    "path", ["peer": theirs.peer, "from": "relay", "to": "webrtc"], within: .seconds(40))
                #expect(try await Self.candidates(of: ours, to: theirs).hasPrefix("relay"))
                try await theirs.child.event("webrtc", ["peer": ours.peer], within: .seconds(20))
                try await waitForMesh([ours, theirs])
            }
        }

        /// How long it takes, for `Benchmarks/RESULTS.md`: with `SWIFT_PEER_ROUNDS=20` in the environment.
        @Test("Every meeting behind NATs becomes a direct connection", .timeLimit(.minutes(10)))
        func rounds() async throws {
            let rounds = ProcessInfo.processInfo.environment["SWIFT_PEER_ROUNDS"].flatMap { Int($0) } ?? 1
            var (opened, moved): ([Double], [Double]) = ([], [])
            for _ in 1...max(rounds, 1) {
                try await Stage.play { stage in
                    let internet = try await SmallInternet.build(on: stage, homes: [.cone, .cone])
                    try await internet.coturn()
                    let (pair, _) = try await Self.meet(internet)
                    let start = ContinuousClock.now
                    let members = ["peer": pair[0].peer, "transport": "webrtc", "state": "open"]
                    try await pair[1].child.event("connection", members, within: .seconds(30))
                    opened.append((ContinuousClock.now - start) / .milliseconds(1))
                    try await pair[1].child.event("path", ["peer": pair[0].peer, "to": "webrtc"], within: .seconds(30))
                    moved.append((ContinuousClock.now - start) / .milliseconds(1))
                }
            }
            #expect(moved.count == rounds)
            guard rounds > 1 else { return }
            for (name, times) in [("direct connection", opened.sorted()), ("traffic on it", moved.sorted())] {
                let (middle, high) = (times[times.count / 2], times[min(times.count - 1, times.count * 95 / 100)])
                print("from relayed to \(name): p50 \(Int(middle)) ms, p95 \(Int(high)) ms, n = \(times.count)")
            }
        }
    }
}
