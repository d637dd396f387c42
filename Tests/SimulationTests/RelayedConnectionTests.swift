import ICE
import NIOCore
import Simulator
import Testing
import WebRTC
import Wire

/// Connections through TURN in virtual time, and what disturbs them.
@Suite struct RelayedConnectionTests {
    private func world(
        _ seed: UInt64 = 3, _ configure: (Int, inout PeerConnectionConfiguration) -> Void
    ) -> ConnectionWorld {
        let world = ConnectionWorld(seed: seed)
        for end in 0...1 {
            let network = world.internet.addNAT(.symmetric)
            world.add(behind: network) { configure(end, &$0) }
        }
        return world
    }

    /// Firewalls that drop UDP on both sides: TCP to the server remains.
    @Test func withoutUDPThereIsTCPToTheServer() {
        let world = ConnectionWorld(seed: 5)
        for _ in 0...1 {
            let network = world.internet.addNAT(.withoutDatagrams)
            world.add(behind: network) { $0.turnServers = [ConnectionWorld.turnServer(.tcp)] }
        }
        world.start()
        #expect(world.run(for: .seconds(15)) { $0.areConnected })
        world.run(for: .seconds(5))
        #expect(world.ends.allSatisfy { $0.statistics.localCandidate == "relay" })
    }

    /// Neither end ever writes to the other but through the relay.
    @Test func whoUsesOnlyRelaysShowsNoAddress() {
        let world = world { _, configuration in
            configuration.turnServers = [ConnectionWorld.turnServer()]
            configuration.usesOnlyRelay = true
        }
        world.start()
        #expect(world.run(for: .seconds(15)) { $0.areConnected })
        for end in world.ends {
            #expect(end.localCandidates.map(\.type) == [.relayed])
            #expect(!end.makeOffer().text.contains("typ host"))
        }
        let servers: Set = [ConnectionWorld.turn]
        #expect(world.seen.allSatisfy { servers.contains($0.target) || servers.contains($0.source) })
    }

    /// An hour: allocations, permissions, channels and consent are all renewed in time.
    @Test func aRelayedConnectionLastsAnHour() throws {
        let world = world { _, configuration in configuration.turnServers = [ConnectionWorld.turnServer()] }
        world.start()
        try #require(world.run(for: .seconds(15)) { $0.areConnected })
        world.run(for: .minutes(60))
        #expect(world.areConnected)
        #expect((1...2).contains(world.servers[1].allocations(now: world.now)))
        // And then everything is given back.
        world.at(0) { $0.close(now: $1) }
        world.run(for: .seconds(60))
        #expect(world.servers[1].allocations(now: world.now) == 0)
    }

    @Test func noncesMayGoStaleAtAnyTime() throws {
        let world = world { _, configuration in configuration.turnServers = [ConnectionWorld.turnServer()] }
        world.start()
        world.run(for: .milliseconds(130))
        world.servers[1].renewNonce()
        try #require(world.run(for: .seconds(20)) { $0.areConnected })
        for _ in 1...10 {
            world.servers[1].renewNonce()
            world.run(for: .minutes(3))
        }
        #expect(world.areConnected)
    }

    /// The server forgets: nothing hangs, both ends are told in the time that consent takes.
    @Test func aServerThatForgetsEndsTheConnection() throws {
        let world = world { _, configuration in configuration.turnServers = [ConnectionWorld.turnServer()] }
        world.start()
        try #require(world.run(for: .seconds(15)) { $0.areConnected })
        world.servers[1].restart()
        world.run(for: .seconds(60)) { $0.ends.allSatisfy { $0.state == .failed } }
        #expect(world.ends.map(\.state) == [.failed, .failed])
    }

    /// A remote that names services of ours, of the relay, and of everybody: each gets ICE's own checks and no more.
    @Test func candidatesOfVictimsGetNoMoreThanChecks() throws {
        let world = ConnectionWorld(seed: 11)
        world.add { $0.turnServers = [ConnectionWorld.turnServer()] }
        world.add()
        var parameters = PeerConnectionParameters(
            credentials: world.ends[1].localCredentials, hasAllCandidates: false,
            fingerprint: world.ends[1].localFingerprint)
        let victim = TransportAddress(.v4(IPv4Address(0x0A09_0001)), port: 53)
        parameters.candidates = [.host(victim)]
        for number in 0..<UInt32(10_000) {
            parameters.candidates.append(.host(TransportAddress(.v4(IPv4Address(0xE000_0001 + number)), port: 1)))
            parameters.candidates.append(.host(TransportAddress(.v4(IPv4Address(0x0A08_0000 + number)), port: 80)))
        }
        world.at(0) { $0.start(remote: parameters, now: $1) }
        world.run(for: .seconds(30))
        let toVictim = world.seen.count { $0.target == victim }
        #expect((1...40).contains(toVictim))
        #expect(!world.seen.contains { $0.target.ip.isMulticast })
        // All of them together: paced, and of so many pairs only.
        #expect(world.seen.count < 1500)
    }
}
