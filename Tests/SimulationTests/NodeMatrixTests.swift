import Foundation
import NIOCore
import Simulator
import Testing
import Wire

@testable import Node

/// Whole nodes at every pair of places: a relay brings them together, they talk at once, and their connection becomes a
/// direct one where ICE can make one, through TURN elsewhere, or stays with the relay.
///
/// With `SWIFT_PEER_ALL_SEEDS` set to a number above one, every pair runs so often, with any other value 200 times, and
/// says in a row of a table how long it took: `make paths`.
@Suite struct NodeMatrixTests {
    struct Pair: Sendable, CustomTestStringConvertible {
        let one: Place
        let other: Place
        let hasTURN: Bool
        var testDescription: String { "\(one) – \(other)\(hasTURN ? ", TURN" : "")" }
        var isDirect: Bool { Place.isDirect(one, other) }
    }

    static let pairs: [Pair] = [false, true].flatMap { hasTURN in
        Place.allCases.enumerated().flatMap { index, one in
            Place.allCases[index...].map { Pair(one: one, other: $0, hasTURN: hasTURN) }
        }
    }
    private static let wanted = ProcessInfo.processInfo.environment["SWIFT_PEER_ALL_SEEDS"]
    private static let isWhole = wanted != nil
    static let seeds: UInt64 = wanted.map { UInt64($0).flatMap { $0 > 1 ? $0 : nil } ?? 200 } ?? 2

    @Test("Two nodes find the best way there is, and no line is lost on the way to it", arguments: pairs)
    func matrix(_ pair: Pair) throws {
        var times: [Double] = []
        var servers: Set<String> = []
        for seed in 1...Self.seeds {
            // Who dials, and so offers, makes a difference.
            let places = seed % 2 == 0 ? [pair.one, pair.other] : [pair.other, pair.one]
            let talk = try Conversation(seed: seed) { internet in
                places.map { $0.make(in: &internet) }
            } prepare: {
                _ = $0.addTURNServer()
            } configure: {
                $0.punchesHoles = false
                $0.stunServers = [ServerAddress(host: "10.2.0.1", port: 3478)]
                guard pair.hasTURN else { return }
                $0.turnServers = [
                    TURNAccount(
                        server: ServerAddress(host: "10.2.0.2", port: 3478), username: "sim", password: "sim")
                ]
            }
            talk.pause = .milliseconds(400)
            try talk.meet()
            let expected = pair.isDirect || pair.hasTURN ? "webrtc" : "relay"
            talk.talk(for: .seconds(8))
            talk.network.run(for: .seconds(6))
            talk.expectAll("\(pair.testDescription), seed \(seed)")
            #expect(talk.ends.map { talk.open(at: $0) } == [[expected], [expected]], "seed \(seed)")
            guard expected == "webrtc" else { continue }
            times.append(try #require(timeToDirectPath(talk)))
            servers.formUnion(candidates(talk))
        }
        #expect(pair.isDirect == servers.isDisjoint(with: ["relay"]) || !pair.hasTURN)
        if Self.isWhole { print(row(pair, times)) }
    }

    /// Milliseconds from the relayed connection to the direct one, at the end that has it last.
    private func timeToDirectPath(_ talk: Conversation) -> Double? {
        func opened(_ transport: String) -> NIODeadline? {
            talk.ends.compactMap { end in
                talk.network.events[end]?.first { entry in
                    if case .connection(let info) = entry.event {
                        info.transport == transport && info.state == .open
                            && info.peer == talk.network.peerID(of: talk.other(end))
                    } else {
                        false
                    }
                }?.time
            }.max()
        }
        guard let relayed = opened("relay"), let direct = opened("webrtc") else { return nil }
        return Double((direct - relayed).nanoseconds) / 1e6
    }

    /// The kinds of candidates of the path in use.
    private func candidates(_ talk: Conversation) -> Set<String> {
        Set(
            talk.network.core(talk.dialer).snapshot(now: talk.network.now).connections.flatMap { info in
                info.path?.candidates.split(separator: " ").map(String.init) ?? []
            })
    }

    private func row(_ pair: Pair, _ times: [Double]) -> String {
        let way = pair.isDirect ? "direct" : pair.hasTURN ? "TURN" : "the relay"
        guard !times.isEmpty else { return "| \(pair.testDescription) | \(way) | – | – | – |" }
        let sorted = times.sorted()
        let figures = [0.5, 0.95, 1].map { share in
            String(Int(sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))].rounded()))
        }
        return "| \(pair.testDescription) | \(way) | \(figures.joined(separator: " | ")) |"
    }
}
