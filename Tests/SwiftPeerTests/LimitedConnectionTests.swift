import NIOCore
import Node
import Simulator
import Testing
import Wire

/// A connection that a relay limits, from the node through the chat to the text on the screen.
@Suite struct LimitedConnectionTests {
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
        var row = try #require(try person.row(saying: "through"))
        #expect(row.contains("through \(relay), limited: 9"), "\(row)")
        #expect(row.contains(" left, no chat yet (go and js send none here) "), "\(row)")
        #expect(person.log.contains { $0.contains("peers such as go and js send no chat over it") }, "\(person.log)")
        network.run(for: .seconds(5))
        row = try #require(try person.row(saying: "through"))
        #expect(row.contains("and 0:54 left ") || row.contains("and 0:55 left "), "\(row)")
        #expect(!row.contains("no chat"), "ours does chat over it: \(row)")
        network.give(.publish(topic: "room", ByteBuffer(repeating: 0x61, count: 20_000)), to: 2)
        network.run(for: .seconds(10))
        row = try #require(try person.row(saying: "through"))
        #expect(row.contains("limited: 7") && row.contains(" kB and 0:44 left") || row.contains("0:45 left"), "\(row)")
        network.run(for: .seconds(50))
        // The two were in a room together: the one that dialled has dialled again, and everything counts from the start.
        row = try #require(try person.row(saying: "through"))
        #expect(row.contains(" kB and 0:5"), "\(row)")
        #expect(person.log.contains { $0.contains("the relay ends the connection to") }, "\(person.log)")
        #expect(person.log.contains { $0.contains("the relay's limits are used up") }, "\(person.log)")
    }
}
