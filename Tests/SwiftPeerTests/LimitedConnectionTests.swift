import Chat
import NIOCore
import Node
import Screen
import Simulator
import Testing
import Wire

@testable import SwiftPeer

/// A connection that a relay limits, from the node through the chat to the text on the screen.
@Suite struct LimitedConnectionTests {
    /// The dialer's screen, fed as the program feeds it.
    private final class Person {
        let network: Simulator
        let node: Int
        private var screen: ChatScreen
        private var seen = 0

        init(_ network: Simulator, _ node: Int) {
            (self.network, self.node) = (network, node)
            let state = ChatState(me: network.peerID(of: node), nick: "me", rooms: ["room"])
            screen = ChatScreen(state)
        }

        private var time: WallClock { WallClock(nanoseconds: Int64(network.now.uptimeNanoseconds)) }

        /// The row of the connection through the relay, after everything the node told and the figures of this second.
        func row() throws -> String? {
            for entry in (network.events[node] ?? [])[seen...] {
                if let action = ChatBridge.action(entry.event, at: time) { _ = screen.apply([action]) }
            }
            seen = network.events[node]?.count ?? 0
            let connections = network.core(node).snapshot(now: network.now).connections
            let answer = NodeAnswer(outcome: .connections(connections), endsRequest: false)
            if let action = ChatBridge.action(answer, at: time) { _ = screen.apply([action]) }
            let size = Size(width: 250, height: 40)
            let lines = screen.frame(size, time: time.milliseconds, utcOffset: 0).lines
            let area = try #require(Layout(size)?.connections)
            return lines[area.y..<area.y + area.height].first { $0.contains("through") }
        }

        var log: [String] { screen.state.log.range.compactMap { screen.state.log[$0]?.text } }
    }

    @Test func theScreenCountsDownWhatTheRelayAllows() throws {
        let network = Simulator(seed: 21, conditions: LinkConditions(latency: .milliseconds(10)))
        _ = try network.addNode {
            var relay = RelayConfiguration()
            relay.limit = RelayLimit(seconds: 60, bytes: 100_000)
            $0.relay = relay
        }
        for _ in 1...2 {
            let node = try network.addNode { $0.seeksDirectPaths = false }
            network.give(.join(topic: "room"), to: node)
        }
        let person = Person(network, 3)
        try network.listen(2, through: 1)
        network.run(for: .seconds(2))
        network.give(.connect(try network.address(of: 2, through: 1)), to: 3)
        let relay = network.peerID(of: 1).suffix()
        let isOpen = network.run(upTo: .seconds(5)) {
            network.core(3).snapshot(now: network.now).connections.contains {
                $0.transport == "relay" && $0.state == .open
            }
        }
        #expect(isOpen)
        // The peer has not sent any chat over it, as go and js never do.
        var row = try #require(try person.row())
        #expect(row.contains("through \(relay), limited: 9"), "\(row)")
        #expect(row.contains(" left, no chat yet (go and js send none here) "), "\(row)")
        #expect(person.log.contains { $0.contains("peers such as go and js send no chat over it") }, "\(person.log)")
        network.run(for: .seconds(5))
        row = try #require(try person.row())
        #expect(row.contains("and 0:54 left ") || row.contains("and 0:55 left "), "\(row)")
        #expect(!row.contains("no chat"), "ours does chat over it: \(row)")
        network.give(.publish(topic: "room", ByteBuffer(repeating: 0x61, count: 20_000)), to: 2)
        network.run(for: .seconds(10))
        row = try #require(try person.row())
        #expect(row.contains("limited: 7") && row.contains(" kB and 0:44 left") || row.contains("0:45 left"), "\(row)")
        network.run(for: .seconds(50))
        #expect(try person.row() == nil)
        #expect(person.log.contains { $0.contains("the relay ends the connection to") }, "\(person.log)")
        #expect(person.log.contains { $0.contains("the relay's limits are used up") }, "\(person.log)")
    }
}
