import Foundation
import ICE
import NIOCore
import Simulator
import Testing
import WebRTC
import Wire

/// Where a peer sits.
enum Place: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case open
    case fullCone
    case addressRestricted
    case portRestricted
    case symmetric
    /// A home router behind a carrier's, both restricting ports.
    case twoLevels

    var testDescription: String { rawValue }

    /// Makes the place, and says which network it is.
    func make(in internet: inout VirtualInternet) -> VirtualInternet.NetworkID {
        switch self {
        case .open: return VirtualInternet.publicNetwork
        case .fullCone: return internet.addNAT(.fullCone)
        case .addressRestricted: return internet.addNAT(.addressRestricted)
        case .portRestricted: return internet.addNAT(.portRestricted)
        case .symmetric: return internet.addNAT(.symmetric)
        case .twoLevels: return internet.addNAT(.portRestricted, behind: internet.addNAT(.portRestricted))
        }
    }

    /// Whether two peers at these places can reach each other without a relay: not when one shows every remote another
    /// port, and the other only lets in the ports it wrote to.
    static func isDirect(_ one: Place, _ other: Place) -> Bool {
        let strict: Set = [Place.portRestricted, .symmetric, .twoLevels]
        return !(one == .symmetric && strict.contains(other) || other == .symmetric && strict.contains(one))
    }
}

/// Every pair of places: directly wherever ICE can, through TURN elsewhere.
@Suite struct NATMatrixTests {
    /// Pairs, each way round: who controls makes a difference.
    static let pairs = Place.allCases.flatMap { one in Place.allCases.map { (one, $0) } }

    /// Seeds of each pair; the whole 200 take a minute or so and are asked for by name.
    static let seeds: UInt64 = ProcessInfo.processInfo.environment["SWIFT_PEER_ALL_SEEDS"] == nil ? 2 : 200

    @Test("Two peers connect, directly where that can be", arguments: pairs)
    func matrix(_ one: Place, _ other: Place) throws {
        for seed in 1...Self.seeds {
            let world = ConnectionWorld(seed: seed)
            world.loss = seed % 4 == 3 ? 10 : 0
            for place in [one, other] {
                let network = place.make(in: &world.internet)
                world.add(behind: network) { $0.turnServers = [ConnectionWorld.turnServer()] }
            }
            world.start()
            try #require(world.run(for: .seconds(15)) { $0.areConnected }, "seed \(seed)")
            let start = world.now
            world.run(for: .seconds(4))
            #expect(world.areConnected, "seed \(seed)")
            #expect(world.isDirect == Place.isDirect(one, other), "seed \(seed): \(describe(world))")
            #expect(world.now - start == .seconds(4))
            try exchange(world)
        }
    }

    @Test("Without a TURN server, what cannot be direct fails, and nothing else", arguments: pairs)
    func withoutRelay(_ one: Place, _ other: Place) throws {
        let world = ConnectionWorld(seed: 7)
        for place in [one, other] { world.add(behind: place.make(in: &world.internet)) }
        world.start()
        #expect(world.run(for: .seconds(40)) { $0.areConnected } == Place.isDirect(one, other))
    }

    @Test("One TURN server of one side is enough", arguments: [0, 1])
    func oneSide(_ side: Int) throws {
        let world = ConnectionWorld(seed: 9)
        for end in 0...1 {
            let network = Place.symmetric.make(in: &world.internet)
            world.add(behind: network) { if end == side { $0.turnServers = [ConnectionWorld.turnServer()] } }
        }
        world.start()
        #expect(world.run(for: .seconds(15)) { $0.areConnected })
        try exchange(world)
    }

    /// Traffic of both sides arrives in order.
    private func exchange(_ world: ConnectionWorld) throws {
        let channel = try world.at(0) { try $0.open(DataChannelOptions(label: "chat"), now: $1) }
        for line in 1...5 {
            try world.at(0) {
                try $0.send(.text(ByteBuffer(string: "line \(line)")), on: channel, now: $1)
            }
        }
        world.run(for: .seconds(20)) { $0.messages(at: 1).count == 5 }
        #expect(world.messages(at: 1) == (1...5).map { .text(ByteBuffer(string: "line \($0)")) })
    }

    private func describe(_ world: ConnectionWorld) -> String {
        world.ends.map {
            let figures = $0.statistics
            return "\(figures.localCandidate ?? "-") \(figures.path ?? "-") \(figures.remoteCandidate ?? "-")"
        }.joined(separator: " | ")
    }
}
