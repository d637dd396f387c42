import NIOCore
import Node
import Simulator
import Testing
import Wire

/// A relayed connection that becomes a direct one, from the nodes through the chat to the text on the screens.
@Suite struct ChangeOfPathTests {
    private let relay = 1, ends = [2, 3]

    @Test func bothScreensTellTheChangeAndTheTimeOfEveryStep() throws {
        let network = Simulator(seed: 5, conditions: LinkConditions(latency: .milliseconds(10)))
        _ = try network.addNode { $0.relay = RelayConfiguration() }
        for _ in ends { network.give(.join(topic: "room"), to: try network.addNode { $0.punchesHoles = false }) }
        let people = ends.map { Person(network, $0) }
        try network.listen(ends[0], through: relay)
        network.run(for: .seconds(2))
        network.give(.connect(try network.address(of: ends[0], through: relay)), to: ends[1])
        network.run(for: .milliseconds(250))
        for person in people {
            // While there is nothing better, the row names the relay.
            let row = try #require(try person.row(saying: "through \(network.peerID(of: relay).suffix())"))
            #expect(row.contains(" relay "), "\(row)")
        }
        network.run(for: .seconds(10))
        for (person, other) in zip(people, [ends[1], ends[0]]) {
            let name = network.peerID(of: other).suffix()
            let row = try #require(try person.row(saying: name))
            #expect(row.contains(" webrtc "), "\(row)")
            let steps = row.prefixMatch(
                of: #/.* signalling (\S+) \+ STUN (\S+) \+ DTLS (\S+) \+ SCTP (\S+) \+ first stream (\S+) = (\S+) ms /#)
            let times = try #require(steps, "\(row)").output
            let all = [times.1, times.2, times.3, times.4, times.5].compactMap { Double($0) }
            let sum = try #require(Double(times.6))
            #expect(all.count == 5)
            #expect(abs(all.reduce(0, +) - sum) <= 3, "rounded, \(row)")
            #expect(sum >= 60, "three round trips of 20 ms at least: \(row)")
            #expect(person.log.contains("\(name): relay → webrtc"), "\(person.log)")
            #expect(person.log.contains { $0.hasPrefix("the way to \(name): signalling ") }, "\(person.log)")
            #expect(person.log.contains { $0.hasPrefix("connection to \(name) closed: webrtc took over") })
        }
    }
}
