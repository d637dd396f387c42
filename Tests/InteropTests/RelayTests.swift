import Foundation
import Testing

/// What a peer reaches its relay over.
enum RelayLeg: String, CaseIterable, Sendable {
    case tcp = "TCP"
    case webSocket = "WebSocket"

    /// Two hosts, because py-libp2p takes TCP and WebSocket at one host and port for one listener.
    var listen: String { self == .tcp ? Participant.loopback : "/ip4/127.0.0.2/tcp/0/ws" }
}

/// Who plays which part in a connection through a relay, and over what the two reach it.
struct RelayCast: Sendable, CustomTestStringConvertible {
    let relay: Kind
    let reserver: Kind
    let dialer: Kind
    var reserverLeg = RelayLeg.tcp
    var dialerLeg = RelayLeg.tcp

    /// Every cast with ours in it, and not ours alone, each over every pair of legs.
    static let all: [RelayCast] = Kind.allCases.flatMap { relay in
        Kind.allCases.flatMap { reserver in
            Kind.allCases.flatMap { dialer in
                RelayLeg.allCases.flatMap { there in
                    RelayLeg.allCases.map {
                        RelayCast(
                            relay: relay, reserver: reserver, dialer: dialer, reserverLeg: there, dialerLeg: $0)
                    }
                }
            }
        }
    }.filter { cast in
        let kinds = [cast.relay, cast.reserver, cast.dialer]
        return kinds.contains(.ours) && kinds.contains { $0 != .ours }
    }

    var testDescription: String {
        "\(relay.rawValue) relays from \(dialer.rawValue) over \(dialerLeg.rawValue) "
            + "to \(reserver.rawValue) over \(reserverLeg.rawValue)"
    }
    /// What the relay listens on.
    var legs: [RelayLeg] { reserverLeg == dialerLeg ? [dialerLeg] : [.tcp, .webSocket] }
    /// Go carries no pubsub over connections that a relay limits.
    var chats: Bool { reserver != .go && dialer != .go }
}

extension Interop {
    /// Circuit relay v2 with py-libp2p and the go daemon, each in each part.
    @Suite struct RelayTests {
        @Test("A connection through a relay", .timeLimit(.minutes(2)), arguments: RelayCast.all)
        func circuit(_ cast: RelayCast) async throws {
            try await Stage.play { stage in
                let relay = try await Self.relay(cast.relay, on: stage, legs: cast.legs)
                let reserver = try await Self.reserver(cast.reserver, with: relay, over: cast.reserverLeg, on: stage)
                let flags = cast.dialer == .python ? ["--circuit"] : []
                let dialer = try await Participant.start(cast.dialer, on: stage, name: "dialer", flags: flags)
                let address = try relay.address(over: cast.dialerLeg) + "/p2p-circuit/p2p/\(reserver.peer)"
                try await Self.dial(address, from: dialer, to: reserver)
                for (end, leg) in [(dialer, cast.dialerLeg), (reserver, cast.reserverLeg)] where end.kind == .ours {
                    let transport = leg == .tcp ? "tcp" : "ws"
                    try await end.child.event(
                        "connection", ["peer": relay.peer, "state": "open", "transport": transport])
                }

                for (end, other, direction) in [(dialer, reserver, "out"), (reserver, dialer, "in")]
                where end.kind == .ours {
                    let open = try await end.child.event(
                        "connection", ["peer": other.peer, "state": "open", "transport": "relay"])
                    #expect(open.text("direction") == direction)
                    #expect(open.text("relay") == relay.peer)
                    #expect(open.text("address")?.hasSuffix("/p2p-circuit") == true, "\(open)")
                    // The go daemon has two relay services with different limits, and either may answer.
                    if cast.relay == .ours {
                        #expect(open.number("limit-seconds") == 120, "\(open)")
                        #expect(open.number("limit-bytes") == 131_072, "\(open)")
                    }
                    if cast.relay != .python {
                        let limit = try #require(open.number("limit-bytes"), "\(open)")
                        #expect(open.number("bytes-left").map { $0 < limit && $0 > limit * 0.7 } == true, "\(open)")
                        #expect(open.number("seconds-left").map { $0 > 60 } == true, "\(open)")
                    }
                    #expect(try await end.ping(other) >= 0)
                }
                if cast.relay == .ours {
                    try await relay.child.event(
                        "relay", ["state": "circuit-opened", "from": dialer.peer, "to": reserver.peer])
                }
                if cast.chats { try await waitForMesh([dialer, reserver]) }
            }
        }

        @Test("Two of ours chat through our relay, and the relay does not listen", .timeLimit(.minutes(1)))
        func ourselves() async throws {
            try await Stage.play { stage in
                let relay = try await Self.relay(.ours, on: stage)
                let reserver = try await Self.reserver(.ours, with: relay, on: stage)
                let dialer = try await Participant.start(.ours, on: stage, name: "dialer")
                let address = "\(relay.address)/p2p-circuit/p2p/\(reserver.peer)"
                try await Self.dial(address, from: dialer, to: reserver)
                try await waitForMesh([dialer, reserver])
                let overheard = relay.child.events.count { $0.event == "message" }
                #expect(overheard == 0)
                let announced = reserver.child.events.last { $0.event == "addresses" }?.texts("addresses") ?? []
                #expect(announced.contains(address), "\(announced)")
            }
        }

        @Test("go chats with ours over our relay when it sets no limits", .timeLimit(.minutes(2)))
        func unlimited() async throws {
            try await Stage.play { stage in
                let relay = try await Self.relay(
                    .ours, on: stage, flags: ["--relay-circuit-time", "0", "--relay-circuit-bytes", "0"])
                let reserver = try await Self.reserver(.ours, with: relay, on: stage)
                let dialer = try await Participant.start(.go, on: stage, name: "dialer")
                try await Self.dial("\(relay.address)/p2p-circuit/p2p/\(reserver.peer)", from: dialer, to: reserver)
                try await waitForMesh([dialer, reserver])
            }
        }

        @Test(
            "--listen /p2p-circuit reserves with a relay that is only dialled, whoever wrote it",
            arguments: Kind.allCases)
        func anyRelay(_ kind: Kind) async throws {
            try await Stage.play { stage in
                let relay = try await Self.relay(kind, on: stage)
                let flags = ["--listen", "/p2p-circuit", "--connect", relay.address]
                let reserver = try await Participant.start(.ours, on: stage, name: "reserver", flags: flags)
                try await reserver.child.event("relay", ["state": "reserved", "relay": relay.peer])
                let dialer = try await Participant.start(.ours, on: stage, name: "dialer")
                let address = "\(relay.address)/p2p-circuit/p2p/\(reserver.peer)"
                try await Self.dial(address, from: dialer, to: reserver)
            }
        }

        @Test("A relay that is full is said to be, and so is a certificate that is not the one of an address")
        func reasons() async throws {
            try await Stage.play { stage in
                let relay = try await Self.relay(.ours, on: stage, flags: ["--relay-reservations", "1"])
                let first = try await Self.reserver(.ours, with: relay, on: stage)
                let second = try await Participant.start(
                    .ours, on: stage, name: "second", flags: ["--listen", relay.address + "/p2p-circuit"])
                let refused = try await second.child.event("relay", ["state": "refused", "relay": relay.peer])
                #expect(refused.text("reason") == "the relay is full: it gives no reservation (RESERVATION_REFUSED)")

                let direct = try await Participant.start(
                    .ours, on: stage, name: "direct", listen: "/ip4/127.0.0.1/udp/0/webrtc-direct")
                let other = try await Participant.start(
                    .ours, on: stage, name: "other", listen: "/ip4/127.0.0.1/udp/0/webrtc-direct")
                func hash(_ peer: Participant) throws -> Substring {
                    try #require(peer.address.split(separator: "/certhash/").last?.split(separator: "/").first)
                }
                let wrong = try direct.address.replacing(hash(direct), with: hash(other))
                try first.child.send(#"{"connect":"\#(wrong)"}"#)
                let failed = try await first.child.event("connection", ["peer": direct.peer, "state": "failed"])
                #expect(failed.text("reason")?.hasPrefix("the certhash does not match") == true, "\(failed)")
                let error = try await first.child.event("error")
                #expect(error.text("message")?.contains("the certhash does not match") == true, "\(error)")
            }
        }

        @Test("Silence over UDP is explained when TCP is answered: UDP seems blocked", .timeLimit(.minutes(1)))
        func silence() async throws {
            try await Stage.play { stage in
                let alive = try await Participant.start(.ours, on: stage, name: "alive")
                let gone = try await Participant.start(
                    .ours, on: stage, name: "gone", listen: "/ip4/127.0.0.1/udp/0/webrtc-direct")
                await gone.child.stop()
                let ours = try await Participant.start(
                    .ours, on: stage, flags: ["--connect", gone.address, "--connect", alive.address])
                let failed = try await ours.child.event("connection", ["peer": gone.peer, "state": "failed"])
                #expect(failed.text("reason")?.contains("UDP is blocked on the way") == true, "\(failed)")
                try await until("the user hears of it", within: .seconds(10)) {
                    ours.child.errors.contains("UDP seems blocked")
                }
            }
        }

        @Test("ping goes through a relay, and says what a relay answers", .timeLimit(.minutes(1)))
        func commands() async throws {
            try await Stage.play { stage in
                let relay = try await Self.relay(.ours, on: stage)
                let reserver = try await Self.reserver(.ours, with: relay, on: stage)
                let ping = try await stage.run(["ping", "\(relay.address)/p2p-circuit/p2p/\(reserver.peer)"])
                #expect(ping.status == 0, "\(ping.lastWords)")
                let nobody = "12D3KooWA4Xop1JaT3MHxwYMkCepYsv4iPVopMXwCz5iHYdBfeSB"
                let refused = try await stage.run(["ping", "\(relay.address)/p2p-circuit/p2p/\(nobody)"])
                #expect(refused.status == 1 && refused.errors.contains("NO_RESERVATION"), "\(refused.lastWords)")
            }
        }

        // MARK: The parts

        /// A relay with the default limits.
        private static func relay(
            _ kind: Kind, on stage: Stage, legs: [RelayLeg] = [.tcp], flags: [String] = []
        ) async throws -> Participant {
            let more = legs.dropFirst().flatMap { ["--listen", $0.listen] } + flags
            switch kind {
            case .ours: return try await .relay(on: stage, listen: legs[0].listen, flags: more)
            case .python:
                return try await .start(
                    kind, on: stage, name: "relay", listen: legs[0].listen, flags: ["--relay"] + more)
            case .go:
                let arguments = ["--daemon-arg=-relayService", "--daemon-arg=-forceReachabilityPublic"]
                return try await .start(
                    kind, on: stage, name: "relay", listen: legs[0].listen, flags: arguments + more)
            }
        }

        /// A peer that can be reached through `relay`.
        private static func reserver(
            _ kind: Kind, with relay: Participant, over leg: RelayLeg = .tcp, on stage: Stage
        ) async throws -> Participant {
            let address = try relay.address(over: leg)
            switch kind {
            case .ours:
                let flags = ["--listen", address + "/p2p-circuit"]
                let reserver = try await Participant.start(kind, on: stage, name: "reserver", flags: flags)
                try await reserver.child.event("relay", ["state": "reserved", "relay": relay.peer])
                return reserver
            case .python:
                let reserver = try await Participant.start(
                    kind, on: stage, name: "reserver", flags: ["--reserve", address])
                let reserved = try await reserver.child.event("reserved", ["relay": relay.peer])
                #expect(reserved["ok"] == .bool(true))
                return reserver
            case .go:
                let flags = [
                    "--daemon-arg=-dht", "--daemon-arg=-autoRelay", "--daemon-arg=-forceReachabilityPrivate",
                    "--daemon-arg=-trustedRelays=" + address, "--daemon-arg=-relayDiscovery=false",
                ]
                let reserver = try await Participant.start(kind, on: stage, name: "reserver", flags: flags)
                try reserver.child.send("/connect " + address)
                try await reserver.child.event("connected", ["peer": relay.peer], within: .seconds(30))
                // It asks for its reservation when it has identified the relay; ours tells that it came.
                if relay.kind == .ours {
                    try await relay.child.event(
                        "relay", ["state": "granted", "peer": reserver.peer], within: .seconds(60))
                }
                return reserver
            }
        }

        /// Dials until there is a connection.
        ///
        /// Once is enough, but for a reservation of the go daemon with another relay than ours: neither tells of it,
        /// nor does the daemon announce it, since a relay on the loopback is no public one. Then the relay's answer to
        /// a dial is the only sign. The pause paces the question; a go dialer answers from memory meanwhile.
        private static func dial(_ address: String, from dialer: Participant, to peer: Participant) async throws {
            let isOurs = dialer.kind == .ours
            let asking = isOurs ? #"{"connect":"\#(address)"}"# : "/connect " + address
            for attempt in 1...20 {
                let seen = dialer.child.events.count
                try dialer.child.send(asking)
                let answer = try await dialer.child.event("an answer to the dial", within: .seconds(45), skipping: seen)
                {
                    guard isOurs else { return $0.event == "error" || $0.event == "connected" }
                    let isOpen = $0.event == "connection" && $0.text("peer") == peer.peer && $0.text("state") == "open"
                    return $0.event == "error" || isOpen
                }
                if answer.event != "error" { return }
                guard peer.kind == .go, attempt < 20 else {
                    throw Failure("\(dialer.child.name) could not dial \(address): \(answer)")
                }
                try await Task.sleep(for: .seconds(1))
            }
        }
    }
}

extension Participant {
    /// Our own relay.
    static func relay(
        on stage: Stage, listen: String = loopback, flags: [String] = []
    ) async throws -> Participant {
        let arguments = ["relay", "--json", "--ephemeral", "--no-mdns", "--no-stun", "--listen", listen]
        let child = try stage.start("relay", try Installed.program(), arguments + flags)
        let ready = try await child.event("ready", within: .seconds(40))
        return Participant(
            kind: .ours, child: child, peer: try #require(ready.text("peer")),
            address: try #require(ready.texts("addresses").first))
    }
    /// Its address for one who comes over `leg`.
    func address(over leg: RelayLeg) throws -> String {
        let start = child.events.first { ["ready", "listening"].contains($0.event) }
        let addresses = (start?.texts("addresses") ?? []) + (start?.texts("addrs") ?? [])
        return try #require(
            addresses.first { $0.contains("/ws/") == (leg == .webSocket) && $0.contains("/tcp/") }, "\(addresses)")
    }
}
