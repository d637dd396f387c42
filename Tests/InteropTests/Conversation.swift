import Foundation
import Testing

/// Two who say numbered lines to each other, and hear all of them once and in order.
struct Conversation {
    let pair: [Participant]

    private var roles: [(speaker: Participant, listener: Participant)] { [(pair[0], pair[1]), (pair[1], pair[0])] }

    private func heard(_ listener: Participant, from speaker: Participant) -> [String] {
        listener.child.events.compactMap(listener.heard).filter { $0.from == speaker.peer }.map(\.text)
            .filter { $0.hasPrefix("line ") }
    }

    /// They begin at once and go on until ten lines after `isOver`. Nobody is more than three lines ahead of what was
    /// heard: a relay takes no more than 128 KiB.
    func lasts(until isOver: () -> Bool, within limit: Duration = .seconds(90)) async throws {
        for (speaker, listener) in roles {
            try await speaker.child.event("peer", ["peer": listener.peer, "state": "joined"], within: .seconds(30))
        }
        var spoken = [0, 0]
        var last: Int?
        try await InteropTests.until("all is said and heard", within: limit) {
            if last == nil, isOver() { last = (spoken.max() ?? 0) + 10 }
            for (index, (speaker, listener)) in roles.enumerated()
            where spoken[index] < min(last ?? .max, heard(listener, from: speaker).count + 3) {
                try speaker.say("line \(spoken[index])")
                spoken[index] += 1
            }
            return roles.indices.allSatisfy { index in
                spoken[index] == last && heard(roles[index].listener, from: roles[index].speaker).count >= spoken[index]
            }
        }
        for (index, (speaker, listener)) in roles.enumerated() {
            #expect(
                heard(listener, from: speaker) == (0..<spoken[index]).map { "line \($0)" }, "\(listener.child.name)")
        }
    }
}
