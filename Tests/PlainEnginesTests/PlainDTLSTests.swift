import NIOCore
import Testing
import Wire

@testable import PlainEngines
@testable import WebRTC

@Suite struct PlainDTLSTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private let client = PlainEngines(seed: 1)
    private let server = PlainEngines(seed: 2)

    private func ends() -> (PlainDTLS, PlainDTLS) {
        (PlainDTLS(.client, fingerprint: client.fingerprint), PlainDTLS(.server, fingerprint: server.fingerprint))
    }

    private func datagrams(_ engine: PlainDTLS) -> [ByteBuffer] {
        var datagrams: [ByteBuffer] = []
        while var train = engine.nextDatagrams() {
            while let datagram = train.popFirst() { datagrams.append(datagram) }
        }
        return datagrams
    }

    /// Lets one say all to the other.
    private func pass(_ one: PlainDTLS, to other: PlainDTLS) {
        for datagram in datagrams(one) { other.received(datagram, now: start) }
    }

    private func packets(_ engine: PlainDTLS) -> [ByteBuffer] {
        var packets: [ByteBuffer] = []
        var packet = ByteBuffer()
        while engine.readPacket(into: &packet) { packets.append(packet) }
        return packets
    }

    private func connected() -> (PlainDTLS, PlainDTLS) {
        let (one, other) = ends()
        one.start(now: start)
        other.start(now: start)
        pass(one, to: other)
        pass(other, to: one)
        return (one, other)
    }

    @Test func bothLearnTheOthersFingerprint() {
        let (one, other) = connected()
        #expect(one.poll() == .connected(server.fingerprint) && other.poll() == .connected(client.fingerprint))
        #expect(one.poll() == nil && other.poll() == nil)
        #expect(one.deadline == .distantFuture && other.deadline == .distantFuture)
    }

    @Test func onlyTheClientSpeaksFirstAndItRepeatsItselfLessAndLess() {
        let (one, other) = ends()
        other.start(now: start)
        #expect(datagrams(other).isEmpty && other.deadline == .distantFuture)
        one.start(now: start)
        var times: [TimeAmount] = []
        while one.deadline < start + .seconds(5) {
            times.append(one.deadline - start)
            #expect(datagrams(one).count == 1)
            one.timedOut(now: one.deadline)
        }
        #expect(Array(times.prefix(4)) == [50, 150, 350, 750].map { TimeAmount.milliseconds($0) })
    }

    @Test func aLostAnswerIsSaidAgain() {
        let (one, other) = ends()
        one.start(now: start)
        other.start(now: start)
        pass(one, to: other)
        #expect(datagrams(other).count == 1)
        one.timedOut(now: one.deadline)
        pass(one, to: other)
        pass(other, to: one)
        #expect(one.poll() == .connected(server.fingerprint))
        #expect(other.poll() == .connected(client.fingerprint) && other.poll() == nil)
    }

    @Test func nobodyThereIsATimeout() {
        let (one, _) = ends()
        one.start(now: start)
        while one.deadline < .distantFuture { one.timedOut(now: one.deadline) }
        guard case .closed(let error?)? = one.poll() else {
            Issue.record("it waits on")
            return
        }
        #expect(error.code == .timeout)
    }

    @Test func packetsPassInTrainsOnceConnected() {
        let (one, other) = connected()
        let sent = (0..<10).map { ByteBuffer(repeating: UInt8($0), count: 500) }
        for packet in sent { #expect(one.send(packet, now: start)) }
        let train = one.nextDatagrams()
        #expect(train?.count == 10 && one.nextDatagrams() == nil)
        var rest = train ?? Datagrams()
        while let datagram = rest.popFirst() { other.received(datagram, now: start) }
        #expect(packets(other) == sent)
    }

    @Test func packetsHaveALimitAndNeedAConnection() {
        let (one, _) = connected()
        #expect(one.send(ByteBuffer(repeating: 0, count: one.largestPacket), now: start))
        #expect(!one.send(ByteBuffer(repeating: 0, count: one.largestPacket + 1), now: start))
        let (early, late) = ends()
        early.start(now: start)
        #expect(!early.send(ByteBuffer(string: "x"), now: start))
        late.received(ByteBuffer(bytes: [23, 1]), now: start)
        #expect(packets(late).isEmpty)
    }

    @Test func aCloseIsHeardAndIsTheEnd() {
        let (one, other) = connected()
        _ = (one.poll(), other.poll())
        #expect(one.send(ByteBuffer(string: "last"), now: start))
        one.close(now: start)
        one.close(now: start)
        #expect(one.poll() == .closed(nil) && one.poll() == nil)
        pass(one, to: other)
        #expect(packets(other) == [ByteBuffer(string: "last")])
        #expect(other.poll() == .closed(nil) && other.poll() == nil)
        #expect(!other.send(ByteBuffer(string: "x"), now: start) && datagrams(other).isEmpty)
    }

    @Test(arguments: [[], [22], [22, 1, 2], [0], [24, 1], [255]] as [[UInt8]])
    func nonsenseIsDropped(bytes: [UInt8]) {
        for engine in [connected().0, ends().1] {
            _ = engine.poll()
            engine.received(ByteBuffer(bytes: bytes), now: start)
            #expect(engine.poll() == nil && packets(engine).isEmpty)
        }
    }

    @Test func aSeedIsACertificate() {
        #expect(PlainEngines(seed: 7).fingerprint == PlainEngines(seed: 7).fingerprint)
        #expect(Set((0..<100).map { PlainEngines(seed: $0).fingerprint }).count == 100)
    }
}
