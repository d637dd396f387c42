import ICE
import NIOCore
import Node
import PlainEngines
import Simulator
import Testing
import WebRTC
import Wire

/// What a whole node does for somebody who signals in order to harm it, or others through it.
@Suite struct HostileSignallingTests {
    private static let (target, attacker, victim) = (1, 2, 3)
    private static let signalling = "/webrtc-signaling/0.0.1"
    private struct Missing: Error {}
    /// Datagrams a second: a new check every 50 ms and as many repetitions (RFC 8445 §14), and the start of a next one.
    private static let pace = 50

    /// What the target sent where, and when.
    private final class Traffic {
        private(set) var sent: [(time: NIODeadline, to: TransportAddress, bytes: ByteBuffer)] = []

        init(_ network: Simulator) {
            network.onDatagram = { [unowned network] node, bytes, to in
                if node == HostileSignallingTests.target { self.sent.append((network.now, to, bytes)) }
            }
        }

        func to(_ ip: IPAddress) -> [(time: NIODeadline, to: TransportAddress, bytes: ByteBuffer)] {
            sent.filter { $0.to.ip == ip }
        }
    }

    /// The attacker is connected to its target; the victim is nobody's peer.
    private static func network() throws -> (Simulator, Traffic) {
        let network = Simulator(seed: 31, conditions: LinkConditions(latency: .milliseconds(10)))
        for _ in 1...3 { _ = try network.addNode() }
        network.give(.connect(try network.fullAddress(of: target)), to: attacker)
        network.run(for: .seconds(2))
        return (network, Traffic(network))
    }

    private static func stream(in network: Simulator) throws -> StreamKey {
        let request = network.give(
            .openStream(network.peerID(of: target), protocols: [signalling]), to: attacker)
        network.run(for: .milliseconds(50))
        guard case .stream(let key, _)? = try network.responses[request]?.get() else { throw Missing() }
        return key
    }

    private static var offer: ByteBuffer {
        let description = SessionDescription(
            .offer, credentials: ICECredentials(ufrag: "abcd", password: String(repeating: "p", count: 22)),
            fingerprint: PlainEngines(seed: 9).fingerprint, setup: .actpass, hasAllCandidates: false)
        return SignallingMessage(.offer, description.text).encoded
    }

    private static func candidate(_ ip: IPAddress, port: UInt16) -> ByteBuffer {
        let line = "candidate:\(port) 1 udp 2130706431 \(ip) \(port) typ host"
        let json = "{\"candidate\":\"\(line)\",\"sdpMid\":\"0\",\"sdpMLineIndex\":0}"
        return SignallingMessage(.candidate, json).encoded
    }

    private static func isOpen(_ network: Simulator) -> Bool {
        network.core(target).snapshot(now: network.now).connections.contains {
            $0.peer == network.peerID(of: attacker) && $0.state == .open
        }
    }

    private static func isReset(_ key: StreamKey, in network: Simulator) -> Bool {
        (network.streamEvents[attacker] ?? []).contains { entry in
            if case .closed = entry.event { entry.key == key } else { false }
        }
    }

    /// The most that left for an address within any second.
    private static func most(_ sent: [(time: NIODeadline, to: TransportAddress, bytes: ByteBuffer)]) -> Int {
        sent.map { first in sent.count { $0.time >= first.time && $0.time < first.time + .seconds(1) } }.max() ?? 0
    }

    @Test("Ten thousand candidates of a victim bring it a few checks, slowly, and then none")
    func tenThousandCandidates() throws {
        let (network, traffic) = try Self.network()
        let key = try Self.stream(in: network)
        let victim = try #require(try Simulator.address(of: Self.victim).ip)
        network.give(.write(Self.offer), on: key, to: Self.attacker)
        network.run(for: .milliseconds(100))
        for port in 1...10_000 as ClosedRange<UInt16> {
            network.give(.write(Self.candidate(victim, port: port)), on: key, to: Self.attacker)
            if port % 100 == 0 { network.run(for: .milliseconds(20)) }
        }
        network.run(for: .seconds(60))
        #expect(Self.isReset(key, in: network) && Self.isOpen(network))
        let sent = traffic.to(victim)
        #expect(sent.count <= Limits.icePairs * 8, "\(sent.count)")
        #expect(Self.most(sent) <= Self.pace, "\(Self.most(sent)) within a second")
        let bytes = sent.reduce(0) { $0 + $1.bytes.readableBytes }
        #expect(bytes < 100_000, "the attacker spent ten times as much: \(bytes)")
        #expect(sent.allSatisfy { STUNMessage.isSTUN($0.bytes) && $0.bytes.readableBytes < 200 })
        if let first = sent.first, let last = sent.last { #expect(last.time - first.time < .seconds(40)) }
        #expect(network.connections(at: Self.target).count { $0.state != .closed && $0.state != .failed } == 1)
        #expect(network.connections(at: Self.victim).isEmpty)
    }

    @Test("Offer upon offer does not make a node send more to a victim")
    func offersWithoutEnd() throws {
        let (network, traffic) = try Self.network()
        let victim = try #require(try Simulator.address(of: Self.victim).ip)
        let start = network.now
        var paid = 0
        while network.now < start + .seconds(60) {
            let key = try Self.stream(in: network)
            var bytes = Self.offer
            for port in 1...60 as ClosedRange<UInt16> { bytes.writeImmutableBuffer(Self.candidate(victim, port: port)) }
            paid += bytes.readableBytes
            network.give(.write(bytes), on: key, to: Self.attacker)
            network.run(for: .milliseconds(150))
            network.give(.reset, on: key, to: Self.attacker)
        }
        network.run(for: .seconds(30))
        let sent = traffic.to(victim)
        #expect(Self.most(sent) <= Self.pace, "\(Self.most(sent)) within a second")
        let bytes = sent.reduce(0) { $0 + $1.bytes.readableBytes }
        #expect(bytes < paid / 5, "\(bytes) for \(paid)")
        #expect(Self.isOpen(network))
        #expect(network.connections(at: Self.target).count { $0.state == .securing || $0.state == .dialing } == 0)
    }

    @Test("Where nothing may be sent nothing is, and private services get checks of ICE and nothing else")
    func placesNobodyMeant() throws {
        let (network, traffic) = try Self.network()
        let key = try Self.stream(in: network)
        network.give(.write(Self.offer), on: key, to: Self.attacker)
        let forbidden = ["224.0.0.1", "239.255.255.250", "ff02::fb", "0.0.0.0", "::"]
        let services = ["127.0.0.1", "192.168.0.1", "169.254.169.254", "172.16.0.1"]
        for (index, text) in (forbidden + services).enumerated() {
            let ip = try #require(IPAddress(text))
            for port in [22, 53, 80, 1900, 5353] as [UInt16] {
                network.give(.write(Self.candidate(ip, port: port + UInt16(index))), on: key, to: Self.attacker)
            }
        }
        network.give(.write(Self.candidate(try #require(IPAddress("10.0.0.3")), port: 0)), on: key, to: Self.attacker)
        network.run(for: .seconds(60))
        for text in forbidden {
            let ip = try #require(IPAddress(text))
            #expect(traffic.to(ip).isEmpty, "\(text)")
        }
        #expect(!traffic.sent.contains { $0.to.port == 0 })
        for text in services {
            let sent = traffic.to(try #require(IPAddress(text)))
            #expect(sent.count <= 5 * 14, "\(text): \(sent.count)")
            #expect(sent.allSatisfy { STUNMessage.isSTUN($0.bytes) }, "\(text)")
        }
        #expect(Self.most(traffic.sent) <= Self.pace)
        #expect(Self.isOpen(network))
    }

    @Test("A description of ten megabytes is refused by its length, before it is there")
    func tenMegabytes() throws {
        let (network, _) = try Self.network()
        let key = try Self.stream(in: network)
        let before = network.core(Self.target).snapshot(now: network.now).connections.first?.bytesReceived ?? 0
        var bytes = ByteBuffer()
        bytes.writeBytes([0x80, 0x80, 0x80, 0x05])
        bytes.writeRepeatingByte(0x61, count: 10 << 20)
        network.give(.write(bytes), on: key, to: Self.attacker)
        network.run(for: .seconds(30))
        #expect(Self.isReset(key, in: network) && Self.isOpen(network))
        let after = network.core(Self.target).snapshot(now: network.now).connections.first?.bytesReceived ?? 0
        #expect(after - before < 1 << 20, "\(after - before) bytes were taken")
        // What follows works as before.
        let ping = network.give(.ping(network.peerID(of: Self.target)), to: Self.attacker)
        network.run(for: .seconds(2))
        #expect(throws: Never.self) { try network.responses[ping]?.get() }
    }

    @Test("Signalling that stands still, or says what it may not, ends with its stream", arguments: 0..<6)
    func wrong(kind: Int) throws {
        let (network, _) = try Self.network()
        let key = try Self.stream(in: network)
        let cases: [ByteBuffer] = [
            ByteBuffer(), SignallingMessage(.answer, "v=0").encoded, SignallingMessage(.offer, "v=0").encoded,
            ByteBuffer(repeating: 0xFF, count: 40), SignallingMessage(.candidate, "{").encoded, Self.offer,
        ]
        network.give(.write(cases[kind]), on: key, to: Self.attacker)
        network.run(for: .seconds(40))
        #expect(Self.isReset(key, in: network) && Self.isOpen(network))
        #expect(network.connections(at: Self.target).count { $0.state != .closed && $0.state != .failed } == 1)
    }

    @Test("Only so many signal at once, whoever they are")
    func manyAtOnce() throws {
        let network = Simulator(seed: 33, conditions: LinkConditions(latency: .milliseconds(10)))
        let count = Limits.upgrades + 8
        for _ in 0...count { _ = try network.addNode() }
        let victim = try #require(IPAddress("10.0.9.9"))
        let traffic = Traffic(network)
        for node in 2...count + 1 { network.give(.connect(try network.fullAddress(of: Self.target)), to: node) }
        network.run(for: .seconds(3))
        let requests = (2...count + 1).map { node in
            network.give(.openStream(network.peerID(of: Self.target), protocols: [Self.signalling]), to: node)
        }
        network.run(for: .milliseconds(100))
        for (index, request) in requests.enumerated() {
            guard case .stream(let key, _)? = try network.responses[request]?.get() else { continue }
            network.give(.write(Self.offer), on: key, to: index + 2)
            network.give(.write(Self.candidate(victim, port: 80)), on: key, to: index + 2)
        }
        network.run(for: .milliseconds(200))
        let making = network.connections(at: Self.target).count { $0.transport == "webrtc" && $0.state == .securing }
        #expect(making == Limits.upgrades)
        network.run(for: .seconds(60))
        #expect(traffic.to(victim).count <= Limits.upgrades * 14, "\(traffic.to(victim).count)")
        #expect(network.connections(at: Self.target).count { $0.transport == "webrtc" && $0.state != .failed } == 0)
    }
}
