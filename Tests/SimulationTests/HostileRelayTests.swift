import NIOCore
import Node
import Simulator
import Testing
import Wire

/// What relays, and peers behind them, do to strangers who break the protocol.
@Suite struct HostileRelayTests {
    private static let (relay, listener, stranger) = (RelayTests.relay, RelayTests.listener, RelayTests.dialer)
    private static let hop = "/libp2p/circuit/relay/0.2.0/hop"
    private static let stop = "/libp2p/circuit/relay/0.2.0/stop"

    /// A stream of a protocol to a node, on which `sender` may write what it likes.
    private static func stream(
        _ name: String, from sender: Int, to node: Int, in network: Simulator
    ) throws -> StreamKey {
        let request = network.give(.openStream(network.peerID(of: node), protocols: [name]), to: sender)
        network.run(for: .milliseconds(100))
        guard case .stream(let key, _)? = try network.responses[request]?.get() else { throw Missing() }
        return key
    }
    private struct Missing: Error {}

    private static func heard(_ key: StreamKey, by node: Int, in network: Simulator) -> [UInt8] {
        (network.streamEvents[node] ?? []).flatMap { entry -> [UInt8] in
            guard entry.key == key, case .received(let bytes) = entry.event else { return [] }
            return Array(bytes.readableBytesView)
        }
    }

    private static func isOver(_ key: StreamKey, at node: Int, in network: Simulator) -> Bool {
        (network.streamEvents[node] ?? []).contains { entry in
            guard entry.key == key else { return false }
            switch entry.event {
            case .closed, .endOfStream: return true
            default: return false
            }
        }
    }

    private static func network() throws -> Simulator {
        let network = try RelayTests.network()
        network.give(.connect(try network.fullAddress(of: relay)), to: stranger)
        network.run(for: .seconds(1))
        return network
    }

    private static let malformed: [UInt8] = [0x05, 0x08, 0x02, 0x28, 0x90, 0x03]
    private static let unexpected: [UInt8] = [0x05, 0x08, 0x02, 0x28, 0x91, 0x03]

    @Test(arguments: [
        ([0x02, 0x08, 0x01], malformed), ([0x04, 0x08, 0x02, 0x28, 0x64], unexpected),
        ([0x02, 0x08, 0x7F], unexpected),
        ([0xFF, 0x7F], malformed), ([0x02, 0x12, 0x09], malformed), ([0x06, 8, 1, 0x12, 2, 0x0A, 0], malformed),
        ([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02], malformed),
    ])
    func wrongRequestsGetTheirStatusAndCostTheStreamOnly(request: [UInt8], answer: [UInt8]) throws {
        let network = try Self.network()
        let key = try Self.stream(Self.hop, from: Self.stranger, to: Self.relay, in: network)
        network.give(.write(ByteBuffer(bytes: request)), on: key, to: Self.stranger)
        network.run(for: .seconds(5))
        #expect(Self.heard(key, by: Self.stranger, in: network) == answer)
        #expect(Self.isOver(key, at: Self.stranger, in: network))
        #expect(RelayTests.open(Self.stranger, to: Self.relay, in: network).count == 1)
        #expect(network.core(Self.relay).relayCounts == (1, 0))
    }

    @Test func aStreamThatAsksNothingEnds() throws {
        let network = try Self.network()
        let key = try Self.stream(Self.hop, from: Self.stranger, to: Self.relay, in: network)
        network.give(.write(ByteBuffer(bytes: [0x02])), on: key, to: Self.stranger)
        network.run(for: Limits.relayMessageTimeout + .seconds(1))
        #expect(Self.isOver(key, at: Self.stranger, in: network))
    }

    @Test func aCircuitThatNeverTalksIsGivenUpByThePeerItReaches() throws {
        let network = try Self.network()
        let key = try Self.stream(Self.hop, from: Self.stranger, to: Self.relay, in: network)
        let peer = network.peerID(of: Self.listener)
        var connect = ByteBuffer()
        connect.writeBytes([UInt8(4 + 2 + peer.bytes.count - 2 + 2), 0x08, 0x01, 0x12])
        connect.writeBytes([UInt8(peer.bytes.count + 2), 0x0A, UInt8(peer.bytes.count)] + peer.bytes)
        network.give(.write(connect), on: key, to: Self.stranger)
        network.run(for: .seconds(2))
        #expect(network.core(Self.relay).relayCounts == (1, 1))
        #expect(network.connections(at: Self.listener).last?.state == .securing)
        network.run(for: Limits.upgradeTimeout + Limits.circuitCloseTimeout)
        #expect(network.core(Self.relay).relayCounts == (1, 0))
        #expect(network.connections(at: Self.listener).last?.state == .failed)
        #expect(Self.isOver(key, at: Self.stranger, in: network))
        #expect(RelayTests.open(Self.listener, to: Self.relay, in: network).count == 1)
    }

    @Test func aFloodOfRequestsIsAnsweredWithinABudget() throws {
        let network = try Self.network()
        var granted = 0
        for _ in 0..<20 {
            let keys = (0..<20).map { _ in
                network.give(.openStream(network.peerID(of: Self.relay), protocols: [Self.hop]), to: Self.stranger)
            }
            network.run(for: .milliseconds(50))
            for request in keys {
                guard case .stream(let key, _)? = try network.responses[request]?.get() else { continue }
                network.give(.write(ByteBuffer(bytes: [0x02, 0x08, 0x00])), on: key, to: Self.stranger)
                network.run(for: .milliseconds(25))
                if Self.heard(key, by: Self.stranger, in: network).count > 100 { granted += 1 }
                network.give(.reset, on: key, to: Self.stranger)
            }
        }
        #expect(granted >= 10 && granted < 64 + 4 * 15, "\(granted)")
        #expect(network.core(Self.relay).relayCounts.reservations <= 2)
        #expect(RelayTests.open(Self.stranger, to: Self.relay, in: network).count == 1)
    }

    @Test func nobodyBringsCircuitsUnasked() throws {
        let network = try Self.network()
        network.give(.connect(try network.fullAddress(of: Self.listener)), to: Self.stranger)
        network.run(for: .seconds(1))
        let key = try Self.stream(Self.stop, from: Self.stranger, to: Self.listener, in: network)
        let peer = network.peerID(of: Self.relay)
        network.give(.write(StopRequest.opening(from: peer, limit: nil)), on: key, to: Self.stranger)
        network.run(for: .seconds(2))
        #expect(Self.heard(key, by: Self.stranger, in: network) == [0x05, 0x08, 0x01, 0x20, 0xCA, 0x01])
        #expect(!network.connections(at: Self.listener).contains { $0.transport == "relay" })
    }

    @Test(arguments: ["\u{13}/multistream/1.0.0\n\u{7}/noise\n", "GET / HTTP/1.1\r\n\r\n", ""])
    func aRelayThatLiesAboutThePeerGetsNoConnection(behind: String) throws {
        let network = try Self.network()
        let key = try Self.stream(Self.stop, from: Self.relay, to: Self.listener, in: network)
        var bytes = StopRequest.opening(from: network.peerID(of: Self.stranger), limit: nil)
        bytes.writeString(behind)
        if behind.contains("noise") { bytes.writeBytes([0x00, 0x20] + Array(repeating: 9, count: 32)) }
        network.give(.write(bytes), on: key, to: Self.relay)
        network.run(for: .seconds(30))
        let relayed = network.connections(at: Self.listener).filter { $0.transport == "relay" }
        #expect(relayed.map(\.state) == [.failed])
        #expect(RelayTests.open(Self.listener, to: Self.relay, in: network).count == 1)
    }

    @Test func oneRelayBringsOnlySoManyCircuits() throws {
        let network = try Self.network()
        let opening = StopRequest.opening(from: network.peerID(of: Self.stranger), limit: nil)
        for _ in 0..<Limits.circuitsPerCarrier + 20 {
            let peer = network.peerID(of: Self.listener)
            let request = network.give(.openStream(peer, protocols: [Self.stop]), to: Self.relay)
            network.run(for: .milliseconds(30))
            guard case .stream(let key, _)? = try network.responses[request]?.get() else { continue }
            network.give(.write(opening), on: key, to: Self.relay)
        }
        network.run(for: .milliseconds(100))
        let securing = network.connections(at: Self.listener).count { $0.state == .securing }
        #expect(securing == Limits.circuitsPerCarrier)
    }

    @Test(
        "Stop messages of every wrong shape get their status and cost the stream only",
        arguments: [
            ([0x02, 0x08, 0x00], malformedStop), ([0x04, 0x08, 0x01, 0x20, 0x64], unexpectedStop),
            ([0x02, 0x08, 0x7F], unexpectedStop), ([0xFF, 0x7F], malformedStop),
            ([0x06, 8, 0, 0x12, 2, 0x0A, 0], malformedStop), ([0x04, 8, 0, 0x12, 0], malformedStop),
            ([0x03, 0x12, 0x7F, 0x0A], malformedStop), ([0x00], malformedStop),
            ([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02], malformedStop),
        ])
    func wrongStopMessages(request: [UInt8], answer: [UInt8]) throws {
        let network = try Self.network()
        let key = try Self.stream(Self.stop, from: Self.relay, to: Self.listener, in: network)
        network.give(.write(ByteBuffer(bytes: request)), on: key, to: Self.relay)
        network.run(for: .seconds(5))
        #expect(Self.heard(key, by: Self.relay, in: network) == answer)
        #expect(Self.isOver(key, at: Self.relay, in: network))
        #expect(!network.connections(at: Self.listener).contains { $0.transport == "relay" })
        #expect(network.core(Self.relay).relayCounts == (1, 0), "the reservation stands")
    }

    private static let malformedStop: [UInt8] = [0x05, 0x08, 0x01, 0x20, 0x90, 0x03]
    private static let unexpectedStop: [UInt8] = [0x05, 0x08, 0x01, 0x20, 0x91, 0x03]

    /// What a relay that lies answers to RESERVE.
    enum Lie: String, CaseIterable {
        case ofAnother, forAnother, unsigned, tampered, garbage, yesterday, oldVoucher, noReservation, wrongKind,
            silence

        func answer(relay: KeyPair, peer: PeerID, stranger: KeyPair, now: UInt64) -> ByteBuffer {
            var message = HopMessage.status(.ok)
            let address = try? Multiaddr("/ip4/10.0.0.1/tcp/4001").appending(relay.peerID)
            func reservation(_ voucher: ByteBuffer?, expires: UInt64 = 3600) -> RelayReservation {
                RelayReservation(
                    expires: now + expires, addresses: [address].compactMap(\.self), voucher: voucher)
            }
            func voucher(_ signer: KeyPair, _ relay: PeerID, _ peer: PeerID, _ expires: UInt64 = 3600) -> ByteBuffer {
                ReservationVoucher(relay: relay, peer: peer, expires: now + expires).sealed(by: signer)
            }
            let genuine = voucher(relay, relay.peerID, peer)
            switch self {
            case .ofAnother: message.reservation = reservation(voucher(stranger, stranger.peerID, peer))
            case .forAnother: message.reservation = reservation(voucher(relay, relay.peerID, stranger.peerID))
            case .unsigned: message.reservation = reservation(voucher(stranger, relay.peerID, peer))
            case .tampered:
                var bytes = genuine
                bytes.setInteger(UInt8(0), at: bytes.writerIndex - 1)
                bytes.setInteger(UInt8(1), at: bytes.writerIndex - 2)
                message.reservation = reservation(bytes)
            case .garbage: message.reservation = reservation(ByteBuffer(repeating: 0xAA, count: 300))
            case .yesterday:
                let past = ReservationVoucher(relay: relay.peerID, peer: peer, expires: now - 86_400)
                message.reservation = RelayReservation(
                    expires: now - 86_400, addresses: [address].compactMap(\.self), voucher: past.sealed(by: relay))
            case .oldVoucher:
                let past = ReservationVoucher(relay: relay.peerID, peer: peer, expires: now - 10)
                message.reservation = reservation(past.sealed(by: relay))
            case .noReservation: break
            case .wrongKind: message = HopMessage(.connect)
            case .silence: return ByteBuffer()
            }
            return message.frame()
        }
    }

    @Test("What a relay forges, or grants for a time long over, is never announced", arguments: Lie.allCases)
    func forgedGrants(lie: Lie) throws {
        let network = Simulator(seed: 41)
        let relay = try network.addNode { $0.protocols = [Self.hop] }
        let peer = try network.addNode()
        let stranger = try KeyPair(seed: [UInt8](repeating: 7, count: 32))
        var asked = 0
        network.onStream = { [unowned network] node, key, event in
            guard node == relay, case .received = event else { return }
            asked += 1
            let now = (1_700_000_000_000_000_000 &+ network.now.uptimeNanoseconds) / 1_000_000_000
            let answer = lie.answer(
                relay: network.core(relay).identity, peer: network.peerID(of: peer), stranger: stranger, now: now)
            network.give(.write(answer), on: key, to: relay)
        }
        try network.listen(peer, through: relay)
        network.run(for: .minutes(10))
        #expect(asked > 0 && asked < 30, "asked again, ever more rarely: \(asked)")
        #expect(!network.core(peer).ownAddresses.contains { $0.isCircuit })
        let events = (network.events[peer] ?? []).compactMap { entry in
            if case .relay(let event) = entry.event { event } else { nil }
        }
        #expect(!events.isEmpty && events.allSatisfy { if case .refused = $0 { true } else { false } })
        #expect(RelayTests.open(peer, to: relay, in: network).count == 1)
    }

    @Test("A flood of peers gets no more reservations than there are")
    func floodOfPeers() throws {
        let network = Simulator(seed: 43)
        let relay = try network.addNode {
            var configuration = RelayConfiguration()
            configuration.reservations = 12
            $0.relay = configuration
        }
        for _ in 1...30 { try network.listen(try network.addNode(), through: relay) }
        network.run(for: .seconds(30))
        #expect(network.core(relay).relayCounts.reservations == 12)
        let denied = (network.events[relay] ?? []).count { entry in
            if case .relay(.denied(_, .reservationRefused)) = entry.event { true } else { false }
        }
        #expect(denied >= 18 && denied <= 18 * 5, "asked again, ever more rarely: \(denied)")
    }
}
