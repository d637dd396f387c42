import Foundation
import Testing

extension Interop {
    /// A peer found by its id alone, by asking other people's Kademlia servers.
    @Suite struct KademliaTests {
        private static func flags(_ kind: Kind) -> [String] {
            [kind == .go ? "--daemon-arg=-dhtServer" : "--dht"]
        }

        @Test("Other people's Kademlia servers tell us where a peer is", arguments: Kind.others)
        func lookup(_ kind: Kind) async throws {
            try await Stage.play { stage in
                let server = try await Participant.start(kind, on: stage, name: "server", flags: Self.flags(kind))
                let sought = try await Participant.start(kind, on: stage, name: "sought", flags: Self.flags(kind))
                let ours = try await Participant.start(.ours, on: stage)
                try await sought.connect(to: server)
                try await ours.connect(to: server)
                // Before the server has heard who the sought peer is, it knows nothing of it.
                var next = ContinuousClock.now
                try await until("we are connected to the sought peer", within: .seconds(40)) {
                    if ContinuousClock.now >= next {
                        next = .now + .seconds(2)
                        try ours.child.send(#"{"connect":"\#(sought.peer)"}"#)
                    }
                    return ours.child.events.contains {
                        $0.event == "connection" && $0.text("peer") == sought.peer && $0.text("state") == "open"
                    }
                }
                #expect(try await ours.ping(sought) > 0)
            }
        }
    }
}
