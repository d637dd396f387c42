import Chat
import Testing
import Wire

@Suite("The chat's reducer")
struct ReducerTests {
    static func id(_ seed: UInt8) throws -> PeerID {
        try PeerID(bytes: [0x00, 0x24, 0x08, 0x01, 0x12, 0x20] + [UInt8](repeating: seed, count: 32))
    }

    static func state() throws -> ChatState { ChatState(me: try id(1), nick: "me", rooms: ["a", "b"]) }

    static func message(_ text: String, from: UInt8 = 2, _ number: UInt64, room: String = "a") throws -> ChatAction {
        .message(
            ChatMessage(room: room, from: try id(from), data: Array(text.utf8), sequenceNumber: number, time: 0))
    }

    @Test("The same message is shown once, two equal texts twice")
    func duplicates() throws {
        var state = try Self.state()
        for number: UInt64 in [1, 1, 2, 1, 2] { _ = reduce(into: &state, try Self.message("hi", number)) }
        _ = reduce(into: &state, try Self.message("hi", from: 3, 1))
        #expect(state.rooms[0].lines.range.count == 3)
    }

    @Test("History is bounded, and numbers of lines go on")
    func bounded() throws {
        var state = try Self.state()
        for number in 0..<UInt64(Limits.historyLines + 5) { _ = reduce(into: &state, try Self.message("x", number)) }
        #expect(state.rooms[0].lines.range == 5..<Limits.historyLines + 5)
    }

    @Test("Messages of a room that is not shown are unread until it is")
    func unread() throws {
        var state = try Self.state()
        _ = reduce(into: &state, try Self.message("x", 1, room: "b"))
        #expect(state.rooms[1].unread == 1)
        _ = reduce(into: &state, .turn(-1))
        #expect(state.active == 1)
        #expect(state.rooms[1].unread == 0)
    }

    @Test("An own text is shown at once and learns how many took it")
    func own() throws {
        var state = try Self.state()
        let effects = reduce(into: &state, .submit("//hi", time: 5))
        #expect(effects == [.publish(room: "a", text: "/hi", token: 1)])
        #expect(state.rooms[0].lines[0]?.kind == .own(.sending))
        _ = reduce(into: &state, .sent(token: 1, peers: 3))
        #expect(state.rooms[0].lines[0]?.kind == .own(.sent(peers: 3)))
    }

    @Test(
        "Commands become effects",
        arguments: [
            ("/quit", [.quit]), ("/join c", [.join("c")]), ("/leave", [.leave("a")]), ("/leave zz", []),
            ("/connect nonsense", []), ("/msg x", []), ("/what", []), ("  ", []), ("/", []), ("/nick", []),
            ("/JOIN c ", [.join("c")]),
        ] as [(String, [ChatEffect])])
    func commands(line: String, effects: [ChatEffect]) throws {
        var state = try Self.state()
        #expect(reduce(into: &state, .submit(line, time: 0)) == effects)
    }

    @Test("A peer can be named by the end of its id, when that is unique")
    func suffixes() throws {
        var state = try Self.state()
        let peer = try Self.id(2)
        _ = reduce(into: &state, .peerJoined(peer, room: "a", time: 0))
        #expect(reduce(into: &state, .submit("/ping \(peer.suffix(4))", time: 0)) == [.ping(peer)])
        #expect(reduce(into: &state, .submit("/ping \(peer.suffix(3))", time: 0)).isEmpty)
        #expect(reduce(into: &state, .submit("/disconnect \(peer)", time: 0)) == [.disconnect(peer)])
    }

    @Test("Connections are kept while they live, peers once and in order")
    func tables() throws {
        var state = try Self.state()
        var row = ConnectionRow(
            id: 1, peer: try Self.id(2), direction: .inbound, transport: "tcp", address: "/ip4/1.2.3.4", state: .open)
        _ = reduce(into: &state, .connection(row, time: 0))
        #expect(state.connections.count == 1)
        row.state = .closed
        row.reason = "\u{1B}[31mbye"
        _ = reduce(into: &state, .connection(row, time: 0))
        #expect(state.connections.isEmpty)
        #expect(state.log[state.log.range.upperBound - 1]?.text.contains("\u{1B}") == false)
        for seed: UInt8 in [9, 4, 9, 6] { _ = reduce(into: &state, .peerJoined(try Self.id(seed), room: "a", time: 0)) }
        #expect(state.rooms[0].peers.map(\.id) == state.rooms[0].peers.map(\.id).sorted())
        #expect(state.rooms[0].peers.count == 3)
    }

    @Test("Commands are completed as far as they are clear")
    func completion() {
        #expect(ChatCommand.completion(of: "/q") == "/quit ")
        #expect(ChatCommand.completion(of: "/con") == "/connect")
        #expect(ChatCommand.completion(of: "/zz") == nil)
        #expect(ChatCommand.completion(of: "hello") == nil)
    }
}
