import Chat
import Testing
import Wire

@testable import Node
@testable import SwiftPeer

@Suite struct ChatBridgeTests {
    private let time = WallClock(nanoseconds: 1_709_210_096_007_000_000)
    private let peer: PeerID
    private let address: Multiaddr

    init() throws {
        peer = try KeyPair(seed: [UInt8](repeating: 5, count: 32)).peerID
        address = try Multiaddr("/ip4/192.0.2.1/tcp/9095")
    }

    private func connection(_ state: ConnectionInfo.State) -> ConnectionInfo {
        var info = ConnectionInfo(
            id: 7, peer: peer, state: state, direction: .inbound, transport: "tcp", address: address)
        info.agent = "other"
        info.roundTrip = .microseconds(1500)
        info.age = .seconds(2)
        info.bytesReceived = 3
        info.bytesSent = 4
        info.reason = "why"
        info.detail = "v1"
        info.phases = [.init(name: "STUN", duration: .microseconds(250))]
        return info
    }

    @Test(
        "A connection keeps what is known about it",
        arguments: zip(
            [ConnectionInfo.State.dialing, .securing, .open, .closed, .failed],
            [ConnectionRow.State.dialing, .securing, .open, .closed, .failed]))
    func row(state: ConnectionInfo.State, expected: ConnectionRow.State) {
        let row = ConnectionRow(connection(state), at: time)
        #expect(row.id == 7 && row.peer == peer && row.state == expected && row.direction == .inbound)
        #expect(row.agent == "other" && row.roundTrip == 1.5 && row.reason == "why")
        #expect(row.way == "tcp v1" && row.steps == [.init(name: "STUN", milliseconds: 0.25)])
        #expect(row.bytesIn == 3 && row.bytesOut == 4)
        #expect(row.openSince == (state == .open ? 1_709_210_094_007 : nil))
    }

    @Test("Every effect but leaving is a request with its words and its number")
    func requests() {
        let effects: [ChatEffect] = [
            .publish(room: "r", text: "t", token: 9), .connect(address), .disconnect(peer), .ping(peer),
            .pingAddress(address), .join("r"), .leave("r"),
        ]
        for effect in effects { #expect(ChatBridge.request(effect) != nil, "\(effect)") }
        #expect(ChatBridge.request(.quit) == nil)
        #expect(ChatBridge.request(effects[0])?.token == 9)
        guard case .publish("t", room: "r")? = ChatBridge.request(effects[0])?.action else {
            Issue.record("not published")
            return
        }
    }

    @Test("A text that failed is told at its line, anything else as a problem")
    func failures() {
        guard case .notSent(token: 3, reason: "no")? = action(.failed("no"), token: 3) else {
            Issue.record("not told at its line")
            return
        }
        guard case .problem("no", time: 1_709_210_096_007)? = action(.failed("no"), token: nil) else {
            Issue.record("no problem")
            return
        }
    }

    private func action(_ outcome: NodeAnswer.Outcome, token: Int?) -> ChatAction? {
        ChatBridge.action(NodeAnswer(token: token, outcome: outcome), at: time)
    }

    @Test("Answers that show nothing are nothing to the chat")
    func silent() {
        for outcome in [NodeAnswer.Outcome.done, .settled, .peers([])] {
            #expect(action(outcome, token: nil) == nil)
        }
        #expect(ChatBridge.action(.resync, at: time) == nil)
        #expect(ChatBridge.action(.pong(peer, .seconds(1)), at: time) == nil)
    }

    @Test("Lost events lead to how things stand")
    func resync() {
        let snapshot = PeerSnapshot(
            addresses: [address], connections: [connection(.open)],
            topics: [.init(name: "r", peers: [peer], mesh: [])])
        guard case .resync(let state, _)? = action(.state(snapshot), token: nil) else {
            Issue.record("no state")
            return
        }
        #expect(state.addresses == [address.description] && state.connections.count == 1)
        #expect(state.rooms.map(\.name) == ["r"] && state.rooms.first?.peers == [peer])
    }
}
