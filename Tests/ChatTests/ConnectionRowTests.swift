import Chat
import Testing
import Wire

@Suite("How a connection is told")
struct ConnectionRowTests {
    private func row(_ state: ConnectionRow.State = .open, id: UInt64 = 1) throws -> ConnectionRow {
        var row = ConnectionRow(
            id: id, peer: try ReducerTests.id(2), direction: .outbound, transport: "webrtc-direct",
            address: "/ip4/192.0.2.1/udp/9095/webrtc-direct", state: state)
        row.detail = "v1"
        row.steps = [.init(name: "STUN", milliseconds: 0.4), .init(name: "DTLS", milliseconds: 3.25)]
        return row
    }

    @Test("The way is the transport with its variant, when it has one")
    func way() throws {
        var row = try row()
        #expect(row.way == "webrtc-direct v1")
        row.detail = nil
        #expect(row.way == "webrtc-direct")
    }

    @Test("The journey is told step by step with its sum, as soon as there is a step")
    func journey() throws {
        var row = try row()
        #expect(row.journey == "STUN 0.40 + DTLS 3.25 = 3.65 ms")
        row.steps.removeLast()
        #expect(row.journey == "STUN 0.40 ms")
        row.steps.removeLast()
        #expect(row.journey == nil)
    }

    @Test(
        "Times are short",
        arguments: [
            (0, "0.00 ms"), (0.004, "0.00 ms"), (0.05, "0.05 ms"), (9.994, "9.99 ms"), (9.996, "10 ms"),
            (12.4, "12 ms"),
            (1005, "1005 ms"), (.nan, "?"), (-1, "?"), (.infinity, "?"), (1e12, "?"),
        ] as [(Double, String)])
    func times(milliseconds: Double, text: String) {
        #expect(ChatState.text(milliseconds: milliseconds) == text)
    }

    @Test("/connections tells the way, the steps and the rest")
    func listing() throws {
        var state = try ReducerTests.state()
        _ = reduce(into: &state, .submit("/connections", time: 0))
        var open = try row()
        open.agent = "go-libp2p"
        open.roundTrip = 0.5
        _ = reduce(into: &state, .connection(open, time: 0))
        _ = reduce(into: &state, .submit("/connections", time: 0))
        let lines = state.rooms[0].lines.range.compactMap { state.rooms[0].lines[$0]?.text }
        #expect(lines.first == "no connections")
        #expect(
            lines.dropFirst().first
                == "  \(try ReducerTests.id(2)) out webrtc-direct v1 open, 0.50 ms, go-libp2p, \(open.address)")
        #expect(lines.last == "    STUN 0.40 + DTLS 3.25 = 3.65 ms")
    }

    @Test("The log tells of a connection once, with its way; the steps are for those who look closer")
    func log() throws {
        var state = try ReducerTests.state()
        for phase in [ConnectionRow.State.dialing, .securing, .open, .open] {
            _ = reduce(into: &state, .connection(try row(phase), time: 0))
        }
        let lines = state.log.range.compactMap { state.log[$0] }
        let name = try ReducerTests.id(2).suffix()
        #expect(
            lines.map(\.text) == [
                "connected to \(name) by webrtc-direct v1", "the way to \(name): STUN 0.40 + DTLS 3.25 = 3.65 ms",
            ])
        #expect(lines.map(\.level) == [.info, .debug])
    }

    @Test("What a peer could have a hand in is made safe, and there are only so many steps")
    func safe() throws {
        var state = try ReducerTests.state()
        var row = try row()
        row.detail = "v1\u{1B}[2J"
        row.steps = (0..<100).map { .init(name: "\u{202E}\($0)", milliseconds: 1) }
        _ = reduce(into: &state, .connection(row, time: 0))
        let shown = try #require(state.connections.first)
        #expect(!shown.way.unicodeScalars.contains { $0.value == 0x1B })
        #expect(shown.steps.count == Limits.shownSteps)
        #expect(!shown.steps.contains { $0.name.unicodeScalars.contains { $0.value == 0x202E } })
    }

    @Test("All connections at once replace the table, in the order of their ids, without those that are over")
    func table() throws {
        var state = try ReducerTests.state()
        _ = reduce(into: &state, .connection(try row(id: 9), time: 0))
        let rows = [try row(id: 4), try row(.closed, id: 2), try row(.failed, id: 3), try row(.dialing, id: 1)]
        _ = reduce(into: &state, .connections(rows))
        #expect(state.connections.map(\.id) == [1, 4])
        _ = reduce(into: &state, .connection(try row(id: 3), time: 0))
        #expect(state.connections.map(\.id) == [1, 3, 4])
    }

    @Test("More connections than are listed do not grow the table")
    func bounded() throws {
        var state = try ReducerTests.state()
        for id in 1...UInt64(Limits.listedConnections + 3) {
            _ = reduce(into: &state, .connection(try row(id: id), time: 0))
        }
        #expect(state.connections.count == Limits.listedConnections)
    }

    @Test("What fails beside an open connection to the same peer is no warning")
    func failureBeside() throws {
        var state = try ReducerTests.state()
        var failed = try row(.failed, id: 2)
        failed.reason = "no answer"
        _ = reduce(into: &state, .connection(failed, time: 0))
        _ = reduce(into: &state, .connection(try row(id: 1), time: 0))
        _ = reduce(into: &state, .connection(failed, time: 0))
        let lines = state.log.range.compactMap { state.log[$0] }
        let failures = lines.filter { $0.text.contains("no answer") }
        #expect(failures.map(\.level) == [.warning, .debug])
        #expect(failures.last?.text.hasPrefix("no further connection to ") == true)
    }
}
