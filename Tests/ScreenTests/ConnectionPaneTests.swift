import Chat
import Screen
import Testing
import Wire

@Suite("The connection pane")
struct ConnectionPaneTests {
    private func screen(_ rows: [ConnectionRow]) throws -> ChatScreen {
        var screen = try ScreenTests.screen(["hello"])
        _ = screen.apply([.connections(rows)])
        return screen
    }

    private func direct() throws -> ConnectionRow {
        var row = ConnectionRow(
            id: 1, peer: try ScreenTests.id(2), direction: .outbound, transport: "webrtc-direct",
            address: "/ip4/192.0.2.1/udp/9095/webrtc-direct", state: .open)
        row.detail = "v1"
        row.steps = [
            .init(name: "STUN", milliseconds: 0.4), .init(name: "DTLS", milliseconds: 3.25),
            .init(name: "SCTP", milliseconds: 1), .init(name: "Noise", milliseconds: 2.1),
            .init(name: "first stream", milliseconds: 0.25),
        ]
        row.agent = "js-libp2p"
        row.roundTrip = 0.42
        row.openSince = 0
        row.bytesIn = 1234
        row.bytesOut = 5_678_901
        return row
    }

    private func tcp() throws -> ConnectionRow {
        ConnectionRow(
            id: 2, peer: nil, direction: .inbound, transport: "tcp", address: "/ip4/192.0.2.2/tcp/9095",
            state: .securing)
    }

    /// The rows of the pane.
    private func pane(_ screen: inout ChatScreen, _ size: Size) throws -> [String] {
        let lines = screen.frame(size, time: 61_000, utcOffset: 0).lines
        let area = try #require(Layout(size)?.connections)
        return Array(lines[area.y..<area.y + area.height]).filter { !$0.isEmpty }
    }

    @Test("On a wide screen a connection is one row, in columns")
    func wide() throws {
        var screen = try screen([direct(), tcp()])
        let name = try ScreenTests.id(2).suffix()
        #expect(
            try pane(&screen, Size(width: 200, height: 40)) == [
                "\(name) out webrtc-direct v1 open     0.42 ms  1m     ↓1kB ↑5MB STUN 0.40 + DTLS 3.25 + SCTP 1.00"
                    + " + Noise 2.10 + first stream 0.25 = 7.00 ms js-libp2p /ip4/192.0.2.1/udp/9095/webrtc-direct",
                "?        in  tcp              securing -        -      ↓0B ↑0B /ip4/192.0.2.2/tcp/9095",
            ])
    }

    @Test("A connection through a relay says through which, and how much is left")
    func relayed() throws {
        var row = ConnectionRow(
            id: 1, peer: try ScreenTests.id(2), direction: .inbound, transport: "relay",
            address: "/ip4/192.0.2.1/tcp/1/p2p/R/p2p-circuit", state: .open)
        row.relay = .init(name: "9ByRAbcd", isLimited: true, bytesLeft: 130_500, secondsLeft: 119)
        var screen = try screen([row])
        let name = try ScreenTests.id(2).suffix()
        let start = "\(name) in  relay open     -        -      ↓0B ↑0B through 9ByRAbcd"
        #expect(
            try pane(&screen, Size(width: 200, height: 40)) == [
                start + ", limited: 130 kB and 1:59 left /ip4/192.0.2.1/tcp/1/p2p/R/p2p-circuit"
            ])
        row.relay = .init(name: "9ByRAbcd", isLimited: true, bytesLeft: 9_000, secondsLeft: 9, carriesChat: false)
        _ = screen.apply([.connections([row])])
        #expect(
            try pane(&screen, Size(width: 200, height: 40)).first?
                .hasPrefix(start + ", limited: 9 kB and 0:09 left, no chat yet (go and js send none here) ") == true)
        row.relay = .init(name: "9ByRAbcd", isLimited: true, bytesLeft: nil, secondsLeft: 61)
        _ = screen.apply([.connections([row])])
        #expect(
            try pane(&screen, Size(width: 200, height: 40)).first?.hasPrefix(start + ", limited: 1:01 left") == true)
        row.relay = .init(name: "9ByRAbcd", isLimited: false, bytesLeft: nil, secondsLeft: nil)
        _ = screen.apply([.connections([row])])
        #expect(try pane(&screen, Size(width: 200, height: 40)).first?.hasPrefix(start + " /ip4") == true)
    }

    @Test("The heading says how others reach this peer, as far as that is known")
    func reachability() throws {
        var screen = try screen([])
        func heading() throws -> String? {
            let size = Size(width: 100, height: 40)
            let lines = screen.frame(size, time: 61_000, utcOffset: 0).lines
            let area = try #require(Layout(size)?.connections)
            return lines[area.y - 1].split(separator: " ─").first.map(String.init)
        }
        let own = "/ip4/192.0.2.7/tcp/9095"
        func verdict(_ isReached: Bool?) -> ChatAction {
            .reachability(address: own, isReached, words: "words", time: 0)
        }
        #expect(try heading() == "Connections 0")
        _ = screen.apply([verdict(false)])
        #expect(try heading() == "Connections 0, others cannot dial you")
        let circuit = "/ip4/198.51.100.1/tcp/1/p2p/R/p2p-circuit"
        _ = screen.apply([.addressesChanged([own, circuit + "/p2p/ME", circuit + "/webrtc/p2p/ME"])])
        #expect(try heading() == "Connections 0, reachable through a relay")
        _ = screen.apply([.addressesChanged([circuit + "/p2p/ME", "/ip4/198.51.100.2/tcp/1/p2p/S/p2p-circuit/p2p/ME"])])
        #expect(try heading() == "Connections 0, reachable through 2 relays")
        _ = screen.apply([verdict(true)])
        #expect(try heading() == "Connections 0, others can dial you")
        _ = screen.apply([verdict(nil), .addressesChanged([own])])
        #expect(try heading() == "Connections 0")
    }

    @Test("On a screen of 80 columns the steps go on in the second row")
    func usual() throws {
        var screen = try screen([direct()])
        let rows = try pane(&screen, Size(width: 80, height: 30))
        #expect(rows.first?.hasSuffix("↓1kB ↑5MB STUN 0.40 +") == true)
        #expect(rows.dropFirst().first == "         DTLS 3.25 + SCTP 1.00 + Noise 2.10 + first stream 0.25 = 7.00 ms")
    }

    @Test("On a narrow screen everything is there, wrapped below the name", arguments: [40, 48, 60, 72])
    func narrow(width: Int) throws {
        var screen = try screen([direct()])
        let rows = try pane(&screen, Size(width: width, height: 48))
        let text = rows.map { $0.drop { $0 == " " } }.joined(separator: " ")
        for part in ["webrtc-direct v1", "open", "0.42 ms", "STUN 0.40 + DTLS 3.25", "7.00 ms", "js-libp2p"] {
            #expect(text.replacing("  ", with: " ").contains(part), "\(part) in \(rows)")
        }
        #expect(rows.allSatisfy { TextWidth.of($0) <= width })
        #expect(rows.dropFirst().allSatisfy { $0.hasPrefix("         ") && !$0.hasPrefix("          ") })
    }

    @Test("How well the path of datagrams does stands behind the steps")
    func path() throws {
        var row = try direct()
        row.path = .init(candidates: "host → prflx", roundTrip: 0.5, window: 120_000, resent: 3)
        var screen = try screen([row])
        let text = try #require(try pane(&screen, Size(width: 260, height: 40)).first)
        #expect(text.contains("= 7.00 ms host → prflx, SCTP 0.50 ms, window 120 kB, resent 3 js-libp2p"))
    }

    @Test("Without webrtc-direct the column of transports is as narrow as it was")
    func onlyTCP() throws {
        var screen = try screen([tcp()])
        #expect(
            try pane(&screen, Size(width: 100, height: 30)) == [
                "?        in  tcp   securing -        -      ↓0B ↑0B /ip4/192.0.2.2/tcp/9095"
            ])
    }

    @Test("The heading counts, and the pane scrolls when it has the focus")
    func scrolling() throws {
        let size = Size(width: 200, height: 30)
        var screen = try screen(
            (1...20).map {
                ConnectionRow(
                    id: $0, peer: nil, direction: .inbound, transport: "tcp", address: "/ip4/192.0.2.\($0)/tcp/1",
                    state: .open)
            })
        let area = try #require(Layout(size)?.connections)
        #expect(screen.frame(size, time: 0, utcOffset: 0).lines[area.y - 1].hasPrefix("Connections 20"))
        #expect(try pane(&screen, size).last?.contains("192.0.2.20/") == true)
        for _ in 0..<3 { _ = screen.handle(.tab, size, time: 0) }
        #expect(screen.ui.focus == .connections)
        _ = screen.handle(.home, size, time: 0)
        #expect(try pane(&screen, size).first?.contains("192.0.2.1/") == true)
        _ = screen.handle(.end, size, time: 0)
        #expect(try pane(&screen, size).last?.contains("192.0.2.20/") == true)
    }
}
