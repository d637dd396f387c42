import Foundation
import NIOCore
import Testing
import WebRTC
import Wire

@testable import Engines

@Suite(.virtualTime) struct HelloVerificationTests {
    private func hello() throws -> ByteBuffer {
        var pair = DTLSPair()
        pair.client.start(now: SystemTime.now)
        return try #require(pair.take(from: .client).first)
    }

    @Test("A hello without cookie leaves nothing behind; its answer is shorter and bears its number")
    func question() throws {
        var verification = HelloVerification(binding: [1])
        var hello = try hello()
        hello.setInteger(UInt64(77), at: 3)
        guard case .reply(var reply) = verification.received(hello) else {
            Issue.record("no HelloVerifyRequest")
            return
        }
        #expect(!verification.keepsState)
        #expect(reply.readableBytes == 60)
        #expect(reply.readableBytes < hello.readableBytes)
        let record = try #require(DTLSRecord(reading: &reply))
        #expect((record.version, record.epoch, record.sequence) == (0xFEFF, 0, 77))
        var body = record.fragment
        let message = try #require(DTLSHandshakeFragment(reading: &body))
        #expect((message.messageType, message.messageSequence, message.length, message.offset) == (3, 0, 35, 0))
    }

    @Test("A cookie is good for its binding and its hello only")
    func binding() throws {
        var pair = DTLSPair(cookie: [1])
        pair.start()
        pair.deliver(pair.take(from: .client), to: .server)
        pair.deliver(pair.take(from: .server), to: .client)
        let echoed = try #require(pair.take(from: .client).first)
        var same = HelloVerification(binding: [1])
        guard case .accepted(let hello) = same.received(echoed) else {
            Issue.record("its own cookie refused")
            return
        }
        #expect(
            hello.getSlice(at: 11, length: hello.readableBytes - 11)
                == echoed.getSlice(at: 11, length: hello.readableBytes - 11))
        var other = HelloVerification(binding: [2])
        guard case .reply = other.received(echoed) else {
            Issue.record("another's cookie accepted")
            return
        }
        // One of the random bytes, then one of the cookie.
        for index in [30, 65] {
            var wrong = echoed
            wrong.setInteger((wrong.getInteger(at: index, as: UInt8.self) ?? 0) ^ 1, at: index)
            guard case .reply = same.received(wrong) else {
                Issue.record("a wrong cookie accepted")
                return
            }
        }
    }

    @Test("A flood of hellos costs answers, no memory, and does not keep a client out")
    func flood() throws {
        var pair = DTLSPair(cookie: [10, 0, 0, 1])
        pair.start()
        var hello = try hello()
        var entropy = Entropy.seeded(3)
        let before = residentBytes()
        for _ in 0..<5000 {
            hello.setBytes(entropy.bytes(32), at: 27)
            pair.server.received(hello, now: SystemTime.now)
            #expect(!pair.server.keepsState)
            while let reply = pair.server.nextDatagrams() { #expect(reply.count == 1) }
        }
        if let before, let after = residentBytes() { #expect(after - before < 4 << 20) }
        pair.settle()
        #expect(pair.isConnected)
    }

    @Test("Answers nobody takes end at the limit of the queue")
    func unread() throws {
        let pair = DTLSPair(cookie: [1])
        pair.server.start(now: SystemTime.now)
        let hello = try hello()
        for _ in 0..<Limits.dtlsSendQueue / 60 + 100 { pair.server.received(hello, now: SystemTime.now) }
        var bytes = 0
        while let train = pair.server.nextDatagrams() { bytes += train.bytes.readableBytes }
        #expect((Limits.dtlsSendQueue - 60...Limits.dtlsSendQueue).contains(bytes))
    }

    @Test("A hello in fragments is verified and joined", arguments: [120, 100, 70])
    func fragmented(size: Int) throws {
        var pair = DTLSPair(cookie: [1])
        pair.start()
        let first = try #require(pair.take(from: .client).first)
        pair.deliver(try fragments(of: first, size: size, firstSequence: 0), to: .server)
        #expect(!pair.server.keepsState)
        pair.deliver(pair.take(from: .server), to: .client)
        let second = try #require(pair.take(from: .client).first)
        pair.deliver(try fragments(of: second, size: size, firstSequence: 16), to: .server)
        pair.settle()
        #expect(pair.isConnected)
    }

    @Test("Fragments before or without a first one with its cookie are not kept; gaps, overlaps and twins do no harm")
    func fragmentOrder() throws {
        var pair = DTLSPair(cookie: [1])
        pair.start()
        pair.deliver(pair.take(from: .client), to: .server)
        pair.deliver(pair.take(from: .server), to: .client)
        let hello = try #require(pair.take(from: .client).first)
        let parts = try fragments(of: hello, size: 70, firstSequence: 5)
        let small = try fragments(of: hello, size: 33, firstSequence: 50)
        #expect(parts.count == 3)
        for part in parts[1...] { pair.deliver([part], to: .server) }
        #expect(!pair.server.keepsState)
        pair.deliver([parts[0], parts[2], parts[0], small[0], parts[0], small[3], small[2], small[3]], to: .server)
        #expect(pair.fingerprint(at: .server) == nil)
        pair.deliver([parts[1], parts[1], parts[2], parts[2]], to: .server)
        pair.settle()
        #expect(pair.isConnected)
    }

    @Test("Hellos too long, cut, or of another kind are dropped")
    func refused() throws {
        let hello = try hello()
        var verification = HelloVerification(binding: [1])
        var bad = [
            fragment(length: Limits.dtlsHandshakeMessage + 1, offset: 0, Array(repeating: 0, count: 200), record: 0),
            fragment(type: 2, length: 100, offset: 0, Array(repeating: 0, count: 100), record: 0),
            fragment(length: 100, offset: 50, Array(repeating: 0, count: 51), record: 0),
            fragment(length: 100, offset: 50, Array(repeating: 0, count: 50), record: 0),
            record(22, epoch: 1, sequence: 0, Array(repeating: 1, count: 100)),
            record(21, sequence: 0, [2, 40]), record(22, sequence: 0, []), ByteBuffer(),
            // Fits, but is shorter than the answer would be.
            fragment(length: 100, offset: 0, Array(repeating: 0, count: 34), record: 0),
        ]
        for length in 0..<75 { bad.append(hello.getSlice(at: 0, length: length) ?? ByteBuffer()) }
        for datagram in bad {
            guard case .none = verification.received(datagram) else {
                Issue.record("\(datagram) was answered")
                continue
            }
        }
        #expect(!verification.keepsState)
    }
}
