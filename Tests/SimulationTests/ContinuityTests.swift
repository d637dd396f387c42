import Foundation
import NIOCore
import Simulator
import Testing
import Wire

@testable import Node

/// What happens to the ways between two who talk.
enum Trouble: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case upgrade
    case upgradeWithLoss
    case failedUpgrade
    case upgradeFailsHalfway
    case directDiesWhileRelayDrains
    case directDiesAfterRelayLeft
    case directDiesOneWay
    case directIsSilentForAWhile
    case relayRestartsBeforeUpgrade
    case relayRestartsDuringUpgrade
    case relayRestartsWhileDraining
    case relayRestartsAfterUpgrade
    case relayRestartsWithoutUpgrade
    case relayIsAwayForHalfAMinute
    case dialerChangesNetwork
    case listenerChangesNetwork
    case dialerChangesNetworkOnRelay
    case listenerChangesNetworkOnRelay

    var testDescription: String { rawValue }

    var needsRelay: Bool {
        switch self {
        case .relayRestartsWithoutUpgrade, .dialerChangesNetworkOnRelay, .listenerChangesNetworkOnRelay,
            .relayIsAwayForHalfAMinute:
            true
        default: false
        }
    }
}

/// Two who talk through a relay and then directly hear every line, once and in order, whatever becomes of the ways.
@Suite struct ContinuityTests {
    /// More are asked for by name.
    static let seeds: ClosedRange<UInt64> =
        1...(ProcessInfo.processInfo.environment["SWIFT_PEER_ALL_SEEDS"] == nil ? 1 : 20)

    @Test("Every line arrives once and in order", arguments: Trouble.allCases, seeds)
    func everyLine(_ trouble: Trouble, _ seed: UInt64) throws {
        // Both behind routers that let in only what was asked for: a path that moved is dead.
        let talk = try Conversation(seed: seed) { internet in
            [internet.addNAT(.portRestricted), internet.addNAT(.portRestricted)]
        } prepare: { network in
            if trouble == .failedUpgrade || trouble.needsRelay { network.conditions.datagramLoss = 1 }
            if trouble == .upgradeWithLoss { network.conditions.datagramLoss = 0.05 }
        } configure: {
            $0.punchesHoles = false
            $0.stunServers = [ServerAddress(host: "10.2.0.1", port: 3478)]
        }
        talk.pause = .milliseconds(500)
        try talk.meet()
        try happen(trouble, to: talk, seed: seed)
        talk.network.conditions.datagramLoss = trouble.needsRelay ? 1 : 0
        talk.talk(for: .seconds(40))
        talk.network.run(for: .seconds(30))
        talk.expectAll("\(trouble), seed \(seed)")
        if !trouble.needsRelay {
            #expect(talk.network.run(upTo: .minutes(6)) { talk.isDirect }, "\(trouble), seed \(seed)")
        }
        #expect(talk.ends.allSatisfy { talk.open(at: $0).count == 1 })
    }

    private func happen(_ trouble: Trouble, to talk: Conversation, seed: UInt64) throws {
        let network = talk.network
        switch trouble {
        case .upgrade, .upgradeWithLoss: try direct(talk)
        case .failedUpgrade: talk.talk(for: .seconds(60))
        case .upgradeFailsHalfway:
            try #require(talk.talk(upTo: .seconds(20), until: talk.isUpgrading))
            talk.network.run(for: .milliseconds(Int64(seed) * 60))
            network.conditions.datagramLoss = 1
            talk.talk(for: .seconds(40))
        case .directDiesWhileRelayDrains:
            try #require(talk.talk(upTo: .seconds(30), until: talk.bothStand))
            talk.talk(for: .milliseconds(Int64(seed) * 600))
            network.conditions.datagramLoss = 1
            talk.talk(for: .seconds(50))
        case .directDiesAfterRelayLeft:
            try direct(talk)
            network.conditions.datagramLoss = 1
            talk.talk(for: .seconds(90))
        case .directDiesOneWay:
            try direct(talk)
            let deaf = talk.ends[Int(seed) % 2]
            network.carries = { _, node in node != deaf }
            talk.talk(for: .seconds(60))
            network.carries = { _, _ in true }
        case .directIsSilentForAWhile:
            try direct(talk)
            network.conditions.datagramLoss = 1
            talk.talk(for: .seconds(6 + 3 * Int64(seed)))
        default: try disturb(trouble, talk, seed: seed)
        }
    }

    /// The relay, and the networks.
    private func disturb(_ trouble: Trouble, _ talk: Conversation, seed: UInt64) throws {
        let network = talk.network
        switch trouble {
        case .relayRestartsBeforeUpgrade: try network.restart(talk.relay)
        case .relayRestartsDuringUpgrade:
            try #require(talk.talk(upTo: .seconds(20), until: talk.isUpgrading))
            network.run(for: .milliseconds(Int64(seed) * 60))
            try network.restart(talk.relay)
        case .relayRestartsWhileDraining:
            try #require(talk.talk(upTo: .seconds(30), until: talk.bothStand))
            talk.talk(for: .milliseconds(Int64(seed) * 550))
            try network.restart(talk.relay)
        case .relayRestartsAfterUpgrade:
            try direct(talk)
            try network.restart(talk.relay)
        case .relayRestartsWithoutUpgrade:
            for _ in 1...2 {
                talk.talk(for: .seconds(20))
                try network.restart(talk.relay)
            }
            talk.talk(for: .seconds(20))
        case .relayIsAwayForHalfAMinute:
            talk.talk(for: .seconds(10))
            network.partition([[talk.listener], [talk.dialer], [talk.relay]])
            try network.restart(talk.relay)
            network.cutPipes(of: talk.relay)
            talk.talk(for: .seconds(30))
            network.heal()
            talk.talk(for: .seconds(60))
        case .dialerChangesNetwork, .listenerChangesNetwork:
            try direct(talk)
            try change(trouble == .dialerChangesNetwork ? talk.dialer : talk.listener, talk)
            talk.talk(for: .seconds(60))
        case .dialerChangesNetworkOnRelay, .listenerChangesNetworkOnRelay:
            talk.talk(for: .seconds(10))
            try change(trouble == .dialerChangesNetworkOnRelay ? talk.dialer : talk.listener, talk)
            talk.talk(for: .seconds(60))
        default: break
        }
    }

    private func direct(_ talk: Conversation) throws {
        try #require(talk.talk(upTo: .seconds(60)) { talk.ends.allSatisfy { talk.open(at: $0) == ["webrtc"] } })
        talk.talk(for: .seconds(5))
    }

    /// From one router to another: every TCP connection is dead and nobody told, every mapping is another.
    private func change(_ node: Int, _ talk: Conversation) throws {
        talk.network.move(node, behind: talk.network.addNAT(.portRestricted))
        talk.network.cutPipes(of: node)
    }
}
