import Foundation
import Testing

extension Interop {
    /// One room, four peers of three implementations, a thousand messages.
    @Suite struct RoomTests {
        private static let each = 250
        /// go-libp2p's router drops silently above 32 queued messages for a peer.
        private static let window = 12

        @Test(
            "A thousand messages: none lost, none twice, in order per sender", .timeLimit(.minutes(5)))
        func thousand() async throws {
            try await Stage.play { stage in
                let ada = try await Participant.start(.ours, on: stage, name: "ada")
                let bob = try await Participant.start(.ours, on: stage, name: "bob")
                let python = try await Participant.start(.python, on: stage)
                let go = try await Participant.start(.go, on: stage)
                let room = [ada, bob, python, go]
                // A chain through ours: everything between the others is forwarded by both of us.
                try await python.connect(to: ada)
                try await ada.connect(to: bob)
                try await bob.connect(to: go)
                try await waitForMesh(room)
                try await converse(room, Self.each, label: "chain")
                // Then everyone with everyone: now most messages arrive more than once.
                try await go.connect(to: ada)
                try await bob.connect(to: python)
                try await go.connect(to: python)
                try await converse(room, 50, label: "circle", ordered: false)
            }
        }

        /// The `number`th of a speaker's messages: some are equal, some fill 60 kB, most say who and which.
        private func text(_ speaker: Participant, _ number: Int, _ label: String) -> String {
            let name = speaker.child.name
            switch number % 50 {
            case 7, 17, 27, 37: return "\(label): the same from everyone"
            case 25: return "\(label) \(name) \(number) " + String(repeating: "0123456789", count: 6000)
            default: return "\(label) \(name) \(number)"
            }
        }

        private func converse(_ room: [Participant], _ count: Int, label: String, ordered: Bool = true)
            async throws
        {
            var read = room.map(\.child.events.count)
            var spoken = [Int](repeating: 0, count: room.count)
            var heard = [[[Participant.Heard]]](
                repeating: [[Participant.Heard]](repeating: [], count: room.count), count: room.count)
            var progress = ContinuousClock.now
            while true {
                for (listener, participant) in room.enumerated() {
                    let events = participant.child.events
                    for event in events[read[listener]...] {
                        guard let message = participant.heard(event), !message.text.hasPrefix("probe "),
                            let speaker = room.firstIndex(where: { $0.peer == message.from })
                        else { continue }
                        heard[listener][speaker].append(message)
                        progress = .now
                    }
                    read[listener] = events.count
                }
                var done = true
                for (speaker, participant) in room.enumerated() {
                    let slowest =
                        room.indices.filter { $0 != speaker }.map { heard[$0][speaker].count }.min() ?? 0
                    done = done && slowest >= count
                    while spoken[speaker] < count, spoken[speaker] - slowest < Self.window {
                        try participant.say(text(participant, spoken[speaker], label))
                        spoken[speaker] += 1
                    }
                }
                if done { break }
                guard ContinuousClock.now < progress + .seconds(25) else {
                    throw Failure("the \(label) stands still: \(summary(room, spoken, heard))")
                }
                try await Task.sleep(for: .milliseconds(2))
            }
            // A second copy of anything would arrive now.
            try await settle(room)
            for (listener, participant) in room.enumerated() {
                let late = participant.child.events[read[listener]...].compactMap(participant.heard)
                #expect(late.isEmpty, "\(participant.child.name) heard \(late.count) twice")
            }
            try expectEverything(room, count, heard, label, ordered)
        }

        private func expectEverything(
            _ room: [Participant], _ count: Int, _ heard: [[[Participant.Heard]]], _ label: String,
            _ ordered: Bool
        ) throws {
            for (listener, participant) in room.enumerated() {
                for (speaker, other) in room.enumerated() where speaker != listener {
                    let expected = (0..<count).map { text(other, $0, label) }
                    var came = heard[listener][speaker]
                    let who = "\(participant.child.name) of \(other.child.name)"
                    // Others' routers validate several messages at a time and so may deliver neighbours exchanged: for
                    // them the order is the one that the sequence numbers give.
                    if participant.kind != .ours {
                        came.sort { ($0.sequence ?? "") < ($1.sequence ?? "") }
                    } else if !ordered {
                        #expect(came.map(\.text).sorted() == expected.sorted(), "\(who)")
                        continue
                    }
                    let first = zip(came, expected).first { $0.text != $1 }
                    #expect(
                        came.map(\.text) == expected,
                        "\(who): \(came.count) of \(count), first difference \(first.map { "\($0.0.text.prefix(40)) for \($0.1.prefix(40))" } ?? "none")"
                    )
                }
            }
        }

        /// Two heartbeats: gossip of what was said is over then.
        private func settle(_ room: [Participant]) async throws {
            let end = ContinuousClock.now + .seconds(2)
            try await until("two heartbeats pass", within: .seconds(10)) { ContinuousClock.now >= end }
        }

        private func summary(_ room: [Participant], _ spoken: [Int], _ heard: [[[Participant.Heard]]])
            -> String
        {
            room.indices.map { listener in
                let counts = room.indices.map { String(heard[listener][$0].count) }.joined(separator: " ")
                return "\(room[listener].child.name) said \(spoken[listener]), heard \(counts)"
            }.joined(separator: "; ")
        }
    }
}
