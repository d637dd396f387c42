import Chat
import NIOCore
import Node
import Screen
import Simulator
import Testing
import Wire

@testable import SwiftPeer

/// Somebody's screen, fed by a simulated node as the program feeds it.
final class Person {
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

    /// The first row of the connection pane with these words, after everything the node told and the figures of this
    /// second.
    func row(saying words: String) throws -> String? {
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
        return lines[area.y..<area.y + area.height].first { $0.contains(words) }
    }

    var log: [String] { screen.state.log.range.compactMap { screen.state.log[$0]?.text } }
}
