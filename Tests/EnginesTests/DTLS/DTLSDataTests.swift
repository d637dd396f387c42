import NIOCore
import Testing
import WebRTC
import Wire

@testable import Engines

@Suite(.virtualTime) struct DTLSDataTests {
    private func connected() -> DTLSPair {
        var pair = DTLSPair()
        pair.start()
        pair.settle()
        return pair
    }

    @Test("Packets of every size that fits cross both ways, whole, in order, one to a datagram")
    func sizes() throws {
        var pair = connected()
        let sizes = [1, 2, 100, 1000, 1162, 1163]
        for side in DTLSPair.Side.allCases {
            pair.sent[side] = []
            let packets = sizes.map { ByteBuffer(repeating: UInt8(truncatingIfNeeded: $0), count: $0) }
            for packet in packets { #expect(pair.engine(side).send(packet, now: SystemTime.now)) }
            pair.settle()
            #expect(pair.packets[DTLSPair.other(side)] == packets)
            #expect(pair.sent[side]?.map(\.readableBytes) == sizes.map { $0 + 37 })
        }
        #expect(pair.client.largestPacket == 1163)
    }

    @Test("A packet that is empty or does not fit is refused")
    func refused() {
        let pair = connected()
        for size in [0, 1164, 20_000] {
            #expect(!pair.client.send(ByteBuffer(repeating: 1, count: size), now: SystemTime.now))
        }
        #expect(pair.client.nextDatagrams() == nil)
    }

    @Test("Nothing is sent before the end of the handshake or after the end")
    func outside() {
        var pair = DTLSPair()
        let packet = ByteBuffer(string: "x")
        #expect(!pair.client.send(packet, now: SystemTime.now))
        pair.start()
        #expect(!pair.client.send(packet, now: SystemTime.now))
        pair.settle()
        pair.client.close(now: SystemTime.now)
        #expect(!pair.client.send(packet, now: SystemTime.now))
    }

    @Test("Datagrams of one length leave as trains, as long as they can be")
    func trains() throws {
        var pair = connected()
        let packet = ByteBuffer(repeating: 3, count: 1163)
        for _ in 0..<120 { #expect(pair.client.send(packet, now: SystemTime.now)) }
        #expect(pair.client.send(ByteBuffer(repeating: 4, count: 10), now: SystemTime.now))
        var counts: [Int] = []
        var trains: [Datagrams] = []
        while let train = pair.client.nextDatagrams() {
            counts.append(train.count)
            trains.append(train)
        }
        #expect(counts == [50, 50, 21])
        for var train in trains {
            while let datagram = train.popFirst() { pair.deliver([datagram], to: .server) }
        }
        #expect(pair.packets[.server]?.count == 121)
    }

    @Test("A slow sender's and a slow reader's queues end at their limits")
    func queues() throws {
        var pair = connected()
        let packet = ByteBuffer(repeating: 3, count: 1163)
        for _ in 0..<1000 { _ = pair.client.send(packet, now: SystemTime.now) }
        var bytes = 0
        var datagrams: [ByteBuffer] = []
        while var train = pair.client.nextDatagrams() {
            bytes += train.bytes.readableBytes
            while let datagram = train.popFirst() { datagrams.append(datagram) }
        }
        #expect(bytes == Limits.dtlsSendQueue / 1200 * 1200)
        for datagram in datagrams { pair.server.received(datagram, now: SystemTime.now) }
        pair.drain(.server)
        #expect(pair.packets[.server]?.count == Limits.dtlsReceiveQueue)
    }

    @Test("Storage is used again: trains that were sent and let go cost none")
    func storage() throws {
        let pair = connected()
        let packet = ByteBuffer(repeating: 3, count: 1163)
        func train() throws -> UInt {
            for _ in 0..<40 { _ = pair.client.send(packet, now: SystemTime.now) }
            let train = try #require(pair.client.nextDatagrams())
            return train.bytes.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) }
        }
        let first = try train()
        #expect(try train() == first)
        #expect(try train() == first)
    }

    @Test("A datagram that comes twice is read once, and may come late")
    func replay() throws {
        var pair = connected()
        for text in ["a", "b", "c"] { _ = pair.client.send(ByteBuffer(string: text), now: SystemTime.now) }
        let datagrams = pair.take(from: .client)
        pair.deliver([datagrams[2], datagrams[0], datagrams[0], datagrams[2], datagrams[1], datagrams[1]], to: .server)
        #expect(pair.packets[.server] == ["c", "a", "b"].map { ByteBuffer(string: $0) })
    }

    @Test("Several records of one datagram are read one by one")
    func glued() throws {
        var pair = connected()
        for text in ["a", "bb", "ccc"] { _ = pair.client.send(ByteBuffer(string: text), now: SystemTime.now) }
        var glued = ByteBuffer()
        for datagram in pair.take(from: .client) { glued.writeImmutableBuffer(datagram) }
        pair.deliver([glued], to: .server)
        #expect(pair.packets[.server] == ["a", "bb", "ccc"].map { ByteBuffer(string: $0) })
    }

    @Test("close says close_notify, which ends the other side as well", arguments: DTLSPair.Side.allCases)
    func close(side: DTLSPair.Side) throws {
        var pair = connected()
        pair.engine(side).close(now: SystemTime.now)
        pair.settle()
        for side in DTLSPair.Side.allCases {
            #expect(pair.end(of: side) == .some(nil))
            #expect(pair.events[side]?.count == 2)
            #expect(!pair.engine(side).keepsState)
        }
        pair.engine(side).close(now: SystemTime.now)
        pair.settle()
        #expect(pair.events[side]?.count == 2)
    }

    @Test("close during the handshake ends in silence, at any step", arguments: 0..<4)
    func closeEarly(step: Int) {
        var pair = DTLSPair()
        if step > 0 { pair.start() }
        var (from, to) = (DTLSPair.Side.client, DTLSPair.Side.server)
        for _ in 1..<max(step, 1) {
            pair.deliver(pair.take(from: from), to: to)
            (from, to) = (to, from)
        }
        pair.client.close(now: SystemTime.now)
        pair.drain(.client)
        #expect(pair.events[.client]?.last == .closed(nil))
        #expect(pair.client.deadline == .distantFuture)
    }
}
