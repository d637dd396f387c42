import ArgumentParser
import Logging
import Node
import Testing
import Wire

@testable import SwiftPeer

@Suite struct SettingsTests {
    private func settings(
        _ arguments: [String], _ variables: [String: String] = [:], mode: Settings.Mode = .bot
    ) throws -> Settings {
        let command = try BotCommand.parse(arguments)
        return try Settings(mode: mode, command.shared, command.bot, environment: Environment(variables))
    }

    @Test("Nothing given means the defaults of the contract")
    func defaults() throws {
        let settings = try settings([], ["HOME": "/h/me"])
        #expect(settings.port == 9095)
        #expect(settings.rooms == ["universal-connectivity"])
        #expect(settings.connect.isEmpty && settings.listen == nil && settings.nick == nil)
        #expect(settings.discovery)
        #expect(try !self.settings(["--no-discovery"]).discovery)
        #expect(settings.mdns && !settings.ephemeral && !settings.json && !settings.exitOnEOF && !settings.perf)
        #expect(settings.logLevel == .info)
        #expect(settings.store.directory == "/h/me/.local/share/swift-peer")
        #expect(settings.notices.isEmpty)
    }

    @Test("Flags are read, repeatable ones in order, the alias too")
    func flags() throws {
        let settings = try settings([
            "--connect", "/ip4/1.2.3.4/tcp/1", "--bootstrap=/dns4/a.b/tcp/2", "--listen", "/ip4/127.0.0.1/tcp/0",
            "--port", "0", "--external-address", "/ip4/5.6.7.8/tcp/9", "--nick", "Ä b", "--room", "one", "--room",
            "two", "--room", "one", "--identity", "k", "--data-dir", "/d", "--no-mdns", "--log-level", "DEBUG",
            "--log-file", "/l", "--json", "--exit-on-eof", "--perf", "--no-stun", "--no-relay-server",
        ])
        #expect(settings.connect.map(\.description) == ["/ip4/1.2.3.4/tcp/1", "/dns4/a.b/tcp/2"])
        #expect(settings.listen?.map(\.description) == ["/ip4/127.0.0.1/tcp/0"])
        #expect(settings.port == 0)
        #expect(settings.externalAddresses.count == 1)
        #expect(settings.nick == "Ä b")
        #expect(settings.rooms == ["one", "two"])
        #expect(settings.store.identity == "k" && settings.store.directory == "/d")
        #expect(!settings.mdns && settings.json && settings.exitOnEOF && settings.perf)
        #expect(settings.logLevel == .debug && settings.logFile == "/l")
    }

    @Test("Variables stand in for flags, the command line wins")
    func variables() throws {
        let variables = [
            "SWIFT_PEER_CONNECT": "/ip4/1.2.3.4/tcp/1, /ip4/1.2.3.4/tcp/2", "SWIFT_PEER_PORT": "1",
            "SWIFT_PEER_ROOM": "a,b",
            "SWIFT_PEER_JSON": "yes", "SWIFT_PEER_NO_MDNS": "0", "SWIFT_PEER_NICK": "env", "SWIFT_PEER_EPHEMERAL": "1",
            "SWIFT_PEER_BOOTSTRAP": "/ip4/1.2.3.4/tcp/3", "XDG_DATA_HOME": "/x", "HOME": "/h",
        ]
        let fromEnvironment = try settings([], variables)
        #expect(fromEnvironment.connect.count == 3)
        #expect(fromEnvironment.port == 1 && fromEnvironment.rooms == ["a", "b"])
        #expect(fromEnvironment.json && fromEnvironment.mdns && fromEnvironment.ephemeral)
        #expect(fromEnvironment.store.directory == "/x/swift-peer")
        let both = try settings(
            ["--port", "2", "--room", "c", "--nick", "line", "--connect", "/ip4/9.9.9.9/tcp/9", "--identity", "i"],
            variables)
        #expect(both.port == 2 && both.rooms == ["c"] && both.nick == "line" && both.connect.count == 1)
        #expect(!both.ephemeral)
    }

    @Test(
        "A bad value is refused by flag, value and reason, in one line",
        arguments: [
            ["--port", "65536"], ["--port", "-1"], ["--port", "0x1"], ["--port", "+1"],
            ["--port", "--json"],
            ["--connect", "hello"], ["--connect", "/ip4/127.0.0.1"], ["--connect", "/ip4/1.2.3/tcp/1"],
            ["--bootstrap", ""], ["--listen", "9095"],
            ["--listen", "/ip4/0.0.0.0/udp/9095/quic-v1"], ["--listen", "/ip4/0.0.0.0"], ["--listen", "/dnsaddr/a.b"],
            ["--listen", "/ip4/1.2.3.4/udp/9/webrtc-direct/certhash/uEiAAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHw"],
            ["--connect", "/ip4/1.2.3.4/udp/9/webrtc-direct"], ["--webrtc-direct-version", "3"],
            ["--webrtc-direct-version", ""], ["--external-address", "/ip4"], ["--nick", ""],
            ["--nick", "a\nb"], ["--nick", "\u{1B}[2J"], ["--nick", String(repeating: "x", count: 65)], ["--room", ""],
            ["--room", String(repeating: "r", count: 257)], ["--log-level", "loud"], ["--log-file", ""],
            ["--identity", ""],
            ["--data-dir", ""], ["--stun", "stun.example.org"], ["--stun", "stun:host"], ["--stun", "stun:host:0"],
            ["--turn", "turn:host:3478"], ["--turn", "turn:user@host:1"],
            ["--turn", "turn:u:p@host:1?transport=tls"], ["--turn", "stun:host:1"], ["--ephemeral", "--identity", "x"],
            ["--no-relay-server", "--relay-server"], ["--relay-reservations", "0"],
            ["--relay-circuit-bytes", "-1"], ["--relay-circuit-time", "4294967296"],
            ["--relay-reservation-time", "9"], ["--relay-circuits-per-peer", "x"],
            ["--relay-reservations-per-ip", ""], ["--no-stun", "--stun", "stun:a:1"],
            ["--tls-certificate", "c.pem"], ["--tls-key", "k.pem"], ["--tls-trust", "/nowhere/ca.pem"],
            ["--tls-trust", ""], ["--tls-key", "k.pem", "--tls-certificate", "/nowhere/c.pem"],
            ["--listen", "/ip4/127.0.0.1/tcp/1/wss"], ["--listen", "/ip4/127.0.0.1/tcp/1/tls/ws"],
        ])
    func refused(arguments: [String]) throws {
        let failure = try #require(throws: Failure.self) { try settings(arguments) }
        #expect(failure.status == .usage)
        #expect(!failure.message.contains("\n"))
        let flag = try #require(arguments.last { $0.hasPrefix("--") && $0 != "--json" && $0 != "--no-relay-server" })
        let name = flag == "--bootstrap" ? "--" : String(flag.prefix { $0 != "=" })
        #expect(failure.message.contains(name))
    }

    @Test(
        "A bad variable is refused by its own name",
        arguments: [
            ("SWIFT_PEER_PORT", "x"), ("SWIFT_PEER_CONNECT", "/ip4/1.2.3.4/tcp/1,,nope"), ("SWIFT_PEER_JSON", "maybe"),
            ("SWIFT_PEER_LOG_LEVEL", "9"), ("SWIFT_PEER_RELAY_SERVER", "perhaps"), ("SWIFT_PEER_NICK", "\u{7}"),
        ])
    func refusedVariable(name: String, value: String) throws {
        let failure = try #require(throws: Failure.self) { try settings([], [name: value]) }
        #expect(failure.status == .usage)
        #expect(failure.message.hasPrefix(name + " "))
    }

    @Test("A relay is one by default, a bot when it is told to; its limits are go-libp2p's, or what flags say")
    func relay() throws {
        #expect(try settings([]).relay == nil)
        #expect(try settings(["--relay-server"]).relay == RelayConfiguration())
        #expect(try settings([], ["SWIFT_PEER_RELAY_SERVER": "1"]).relay == RelayConfiguration())
        #expect(try settings([], mode: .relay).relay == RelayConfiguration())
        #expect(try settings(["--no-relay-server"], mode: .relay).relay == nil)
        #expect(try settings(["--relay-server"], ["SWIFT_PEER_NO_RELAY_SERVER": "1"]).relay != nil)
        #expect(try settings([], mode: .relay).rooms.count == 2)
        let limits = try #require(
            try settings([
                "--relay-server", "--relay-reservations", "7", "--relay-reservations-per-ip", "2",
                "--relay-reservation-time", "60", "--relay-circuits-per-peer", "3", "--relay-circuit-time", "0",
                "--relay-circuit-bytes", "1000",
            ]).relay)
        #expect(limits.reservations == 7 && limits.reservationsPerIP == 2 && limits.circuitsPerPeer == 3)
        #expect(limits.reservationTime == .seconds(60) && limits.limit == RelayLimit(seconds: 0, bytes: 1000))
    }

    @Test(
        "Addresses behind relays are judged by the way to the relay",
        arguments: [
            ("/ip4/1.2.3.4/tcp/1/p2p/RELAY/p2p-circuit", true, false), ("/p2p/RELAY/p2p-circuit", true, false),
            ("/p2p-circuit", true, false), ("/p2p-circuit/p2p/PEER", false, false), ("/webrtc", false, false),
            ("/ip4/1.2.3.4/tcp/1/p2p/RELAY/p2p-circuit/p2p/PEER", false, true),
            ("/ip4/1.2.3.4/tcp/1/p2p/RELAY/p2p-circuit/webrtc", true, false),
            ("/ip4/1.2.3.4/tcp/1/p2p/RELAY/p2p-circuit/webrtc/p2p/PEER", false, true),
            ("/dns4/a.b/tcp/1/p2p/RELAY/p2p-circuit/p2p/PEER", false, true),
            ("/ip4/1.2.3.4/udp/1/quic-v1/p2p/RELAY/p2p-circuit/p2p/PEER", false, false),
        ])
    func circuits(address: String, listens: Bool, dials: Bool) throws {
        let text = address.replacing("RELAY", with: "12D3KooWCKq9ZvccjmCqhBbPsrgpAKBHWQpgB61ruM19CyAvH1Cp")
            .replacing("PEER", with: "12D3KooWA4Xop1JaT3MHxwYMkCepYsv4iPVopMXwCz5iHYdBfeSB")
        let multiaddr = try Multiaddr(text)
        #expect((multiaddr.listening == .possible) == listens)
        #expect((multiaddr.dialling == .possible) == dials)
    }

    @Test("More values than the limit are refused")
    func tooMany() throws {
        let arguments = (0...Limits.rooms).flatMap { ["--room", "r\($0)"] }
        #expect(throws: Failure.self) { try settings(arguments) }
    }

    @Test("What comes later is told about and passed over")
    func later() throws {
        let settings = try settings([
            "--stun", "stun:stun.example.org:3478", "--connect",
            "/ip4/1.2.3.4/udp/9/quic-v1", "--connect", "/ip4/1.2.3.4/tcp/9", "--connect",
            "/ip4/1.2.3.4/udp/9/webrtc-direct/certhash/uEiAAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHw",
        ])
        #expect(settings.notices.count == 1)
        #expect(settings.notices.allSatisfy { $0.contains("is not available in this version") })
        #expect(settings.connect.count == 2)
    }

    @Test("Servers of STUN are those given, a public few, or none")
    func stun() throws {
        let one = ServerAddress(host: "stun.example.org", port: 3478)
        #expect(try settings(["--stun", "stun:stun.example.org:3478"]).stun == [one])
        #expect(try settings(["--stun", "stun:[::1]:3478"]).stun == [ServerAddress(host: "::1", port: 3478)])
        #expect(try settings([]).stun == Settings.publicServers)
        #expect(try settings(["--no-stun"]).stun.isEmpty)
        #expect(try settings([], ["SWIFT_PEER_NO_STUN": "1"]).stun.isEmpty)
        #expect(try settings(["--stun", "stun:stun.example.org:3478"], ["SWIFT_PEER_NO_STUN": "1"]).stun == [one])
        #expect(PeerConfiguration(try settings(["--stun", "stun:stun.example.org:3478"])).stunServers == [one])
        #expect(throws: Failure.self) { try settings(["--no-stun", "--stun", "stun:a:1"]) }
    }

    @Test("Servers of TURN are those given")
    func turn() throws {
        let account = TURNAccount(
            server: ServerAddress(host: "::1", port: 3479), transport: .tcp, username: "u", password: "p:w@x")
        let settings = try settings(["--turn", "turn:u:p:w@x@[::1]:3479?transport=tcp"])
        #expect(settings.turn == [account] && settings.notices.isEmpty)
        #expect(PeerConfiguration(settings).turnServers == [account])
        let plain = try self.settings([], ["SWIFT_PEER_TURN": "turn:u:p@a.example"]).turn
        #expect(
            plain == [TURNAccount(server: ServerAddress(host: "a.example", port: 3478), username: "u", password: "p")])
        #expect(!"\(account)".contains("p:w"))
        #expect(throws: Failure.self) {
            try self.settings((0...4).flatMap { ["--turn", "turn:u:p@a\($0)"] })
        }
    }

    @Test("A peer listens on webrtc-direct, and dials it by the version that was asked for")
    func direct() throws {
        let settings = try settings([
            "--listen", "/ip6/::/udp/0/webrtc-direct", "--webrtc-direct-version", "2",
        ])
        #expect(settings.listen?.map(\.description) == ["/ip6/::/udp/0/webrtc-direct"])
        #expect(settings.webRTCDirectVersion == .two)
        #expect(PeerConfiguration(settings).webRTCDirectVersion == .two)
        #expect(try self.settings([]).webRTCDirectVersion == .automatic)
        #expect(try self.settings([], ["SWIFT_PEER_WEBRTC_DIRECT_VERSION": "1"]).webRTCDirectVersion == .one)
    }

    @Test(
        "What can be dialled is known by its shape",
        arguments: [
            ("/ip4/1.2.3.4/tcp/1", true), ("/ip6/::1/tcp/1", true), ("/dns/a/tcp/1", true), ("/dnsaddr/a.b", true),
            ("/ip4/1.2.3.4/tcp/1/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp", true),
            ("/ip4/1.2.3.4/udp/1", false), ("/ip4/1.2.3.4/tcp/1/ws", true), ("/dns4/a/tcp/443/wss", true),
            ("/ip4/1.2.3.4/tcp/1/tls/sni/a.b/ws", true), ("/ip4/1.2.3.4", false),
            ("/ip4/1.2.3.4/udp/1/quic-v1", false), ("/ip4/1.2.3.4/udp/1/webrtc-direct", false),
            ("/ip4/1.2.3.4/udp/1/webrtc-direct/certhash/uEiAAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHw", true),
            ("/ip4/1.2.3.4/udp/0/webrtc-direct/certhash/uEiAAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHw", false),
            ("/dns4/a/udp/1/webrtc-direct/certhash/uEiAAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHw", false),
        ])
    func dialable(text: String, expected: Bool) throws {
        #expect((try Multiaddr(text).dialling == .possible) == expected)
    }
}
