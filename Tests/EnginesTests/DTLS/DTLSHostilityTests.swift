import NIOCore
import Testing
import WebRTC
import Wire

@testable import Engines

@Suite(.virtualTime) struct DTLSHostilityTests {
    private func connected() -> DTLSPair {
        var pair = DTLSPair()
        pair.start()
        pair.settle()
        return pair
    }

    private func stillTalks(_ pair: inout DTLSPair) -> Bool {
        pair.packets = [:]
        for side in DTLSPair.Side.allCases { _ = pair.engine(side).send(ByteBuffer(string: "?"), now: SystemTime.now) }
        pair.settle()
        return DTLSPair.Side.allCases.allSatisfy { pair.packets[$0] == [ByteBuffer(string: "?")] }
    }

    @Test("Alerts, handshake messages and data that nobody sealed are nothing to a connected end")
    func unauthenticated() throws {
        var pair = connected()
        let hellos = pair.sent[.client] ?? []
        for side in DTLSPair.Side.allCases {
            for level: UInt8 in 1...2 {
                for alert: UInt8 in [0, 10, 20, 40, 90, 100, 255] {
                    for epoch: UInt64 in 0...2 {
                        pair.deliver([record(21, epoch: epoch, sequence: 900, [level, alert])], to: side)
                    }
                }
            }
            for type: UInt8 in [0, 20, 22, 23, 24, 255] {
                for epoch: UInt64 in [0, 1, 2, 65_535] {
                    pair.deliver([record(type, epoch: epoch, sequence: 901, Array(repeating: 1, count: 60))], to: side)
                }
            }
            pair.deliver(hellos, to: side)
        }
        #expect(pair.packets.isEmpty)
        #expect(stillTalks(&pair))
    }

    @Test("Before the handshake is done, an alert ends it, by name")
    func alert() throws {
        var pair = DTLSPair()
        pair.start()
        pair.deliver([record(21, sequence: 0, [2, 40])], to: .client)
        let error = try #require(pair.end(of: .client) ?? nil)
        #expect(error.code == .alert)
        #expect(error.message.contains("40"))
        #expect(!pair.client.keepsState)
    }

    @Test("A client of DTLS 1.0 is told so and refused")
    func version() throws {
        var pair = DTLSPair()
        pair.start()
        var hello = try #require(pair.take(from: .client).first)
        hello.setInteger(UInt16(0xFEFF), at: 25)
        pair.deliver([hello], to: .server)
        #expect(pair.end(of: .server)??.code == .handshakeFailed)
        // Fatal, protocol_version.
        let alert = try #require(pair.take(from: .server).first)
        #expect(alert.getBytes(at: 13, length: 2) == [2, 70])
        pair.deliver([alert], to: .client)
        #expect(pair.end(of: .client)??.code == .alert)
    }

    @Test("A hello in fragments is joined, in any order", arguments: [2, 40, 100], [false, true])
    func fragmentedHello(size: Int, backwards: Bool) throws {
        var pair = DTLSPair()
        pair.start()
        let hello = try #require(pair.take(from: .client).first)
        let parts = try fragments(of: hello, size: size, firstSequence: 0)
        pair.deliver(backwards ? parts.reversed() : parts, to: .server)
        pair.deliver(pair.take(from: .server), to: .client)
        // The fragments have taken the numbers of what follows.
        pair.deliver(pair.take(from: .client).map { renumbered($0, by: 200) }, to: .server)
        pair.settle()
        #expect(pair.isConnected)
    }

    @Test("Fragments without end cost no more than one message each, and end with the handshake's time")
    func endless() throws {
        var pair = DTLSPair()
        let begin = SystemTime.now
        pair.server.start(now: begin)
        var entropy = Entropy.seeded(5)
        for index in 0..<5000 {
            // Of messages to come as well, and of impossible ones.
            let length = index % 3 == 0 ? 0xFF_FFFF : Limits.dtlsHandshakeMessage
            let offset = Int.random(in: 0..<length - 10, using: &entropy)
            let part = fragment(
                type: index % 2 == 0 ? 1 : 11, length: length, sequence: UInt16(index % 12), offset: offset,
                Array(repeating: 7, count: 10), record: UInt64(index))
            pair.server.received(part, now: SystemTime.now)
        }
        pair.drain(.server)
        if pair.events[.server] == nil {
            pair.server.timedOut(now: begin + Limits.dtlsHandshakeTimeout)
            pair.drain(.server)
        }
        #expect(pair.end(of: .server) != nil)
        #expect(!pair.server.keepsState)
    }

    @Test("Datagrams cut anywhere leave a handshake to be finished by the whole ones")
    func truncated() async throws {
        var pair = DTLSPair()
        pair.start()
        for _ in 0..<4 {
            for side in DTLSPair.Side.allCases {
                for datagram in pair.take(from: side) {
                    for length in stride(from: 0, to: min(datagram.readableBytes, 40), by: 1) {
                        let cut = try #require(datagram.getSlice(at: 0, length: length))
                        pair.deliver([cut], to: DTLSPair.other(side))
                    }
                    pair.deliver([datagram], to: DTLSPair.other(side))
                }
            }
        }
        #expect(pair.isConnected)
    }

    @Test("Mutated handshakes end in a connection, an error or silence, never worse", arguments: [UInt64](1...4))
    func mutatedHandshakes(seed: UInt64) throws {
        var entropy = Entropy.seeded(seed)
        var outcomes: [String: Int] = [:]
        for round in 0..<40 {
            var pair = DTLSPair(cookie: round % 2 == 0 ? nil : [1])
            pair.start()
            for _ in 0..<8 {
                for side in DTLSPair.Side.allCases {
                    for var datagram in pair.take(from: side) {
                        if Int.random(in: 0..<3, using: &entropy) == 0 { mutate(&datagram, &entropy) }
                        pair.deliver([datagram], to: DTLSPair.other(side))
                    }
                }
            }
            for side in DTLSPair.Side.allCases {
                let events = pair.events[side] ?? []
                #expect(events.count <= 2)
                if case .closed = events.last { #expect(!pair.engine(side).keepsState) }
                if case .closed(nil) = events.last { Issue.record("a mutation became a close_notify") }
            }
            outcomes[pair.isConnected ? "connected" : "not", default: 0] += 1
        }
        #expect(outcomes.count == 2)
    }

    @Test("Mutated, cut and repeated datagrams never disturb a connection", arguments: [UInt64](1...4))
    func mutatedTraffic(seed: UInt64) throws {
        var pair = connected()
        var entropy = Entropy.seeded(seed)
        for index in 0..<1000 {
            let side = DTLSPair.Side.allCases[index % 2]
            _ = pair.engine(side).send(ByteBuffer(integer: index), now: SystemTime.now)
            for datagram in pair.take(from: side) {
                var mutated = datagram
                mutate(&mutated, &entropy)
                pair.deliver([mutated, datagram, mutated], to: DTLSPair.other(side))
            }
        }
        #expect(pair.packets.values.map(\.count).reduce(0, +) == 1000)
        #expect(pair.events.values.allSatisfy { $0.count == 1 })
        #expect(stillTalks(&pair))
    }

    private func mutate(_ datagram: inout ByteBuffer, _ entropy: inout Entropy) {
        guard datagram.readableBytes > 0 else { return }
        switch Int.random(in: 0..<4, using: &entropy) {
        case 0:
            datagram =
                datagram.getSlice(at: 0, length: Int.random(in: 0..<datagram.readableBytes, using: &entropy))
                ?? datagram
        case 1: datagram.writeBytes(entropy.bytes(Int.random(in: 1..<50, using: &entropy)))
        default:
            for _ in 0..<Int.random(in: 1...8, using: &entropy) {
                let index = Int.random(in: 0..<datagram.readableBytes, using: &entropy)
                datagram.setInteger(UInt8.random(in: 0...255, using: &entropy), at: index)
            }
        }
    }

    @Test("Datagrams too long for a record are dropped")
    func long() throws {
        var pair = connected()
        pair.deliver([ByteBuffer(repeating: 23, count: Limits.dtlsDatagram + 1), ByteBuffer()], to: .server)
        #expect(stillTalks(&pair))
    }

    @Test("What waits for keys is bounded, and does not keep the Finished out")
    func waiting() throws {
        var pair = DTLSPair()
        pair.start()
        pair.deliver(pair.take(from: .client), to: .server)
        let junk = (0..<200).map { record(23, epoch: 1, sequence: UInt64($0 + 100), Array(repeating: 1, count: 50)) }
        pair.deliver(junk, to: .server)
        pair.deliver(
            junk.map {
                var seal = $0; seal.setInteger(UInt8(22), at: 0); return seal
            }, to: .server)
        pair.settle()
        #expect(pair.isConnected)
        #expect(stillTalks(&pair))
    }
}
