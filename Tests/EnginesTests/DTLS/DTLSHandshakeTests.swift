import NIOCore
import Testing
import VectorFiles
import WebRTC
import Wire

@testable import Engines

@Suite(.virtualTime) struct DTLSHandshakeTests {
    @Test(
        "A clean link needs no timer, and each end learns the other's certificate",
        arguments: [nil, [1, 2, 3, 4]])
    func clean(cookie: [UInt8]?) throws {
        var pair = DTLSPair(cookie: cookie)
        pair.start()
        pair.settle()
        #expect(pair.isConnected)
        #expect(pair.fingerprint(at: .client) == DTLSPair.serverCertificate.fingerprint)
        #expect(pair.fingerprint(at: .server) == DTLSPair.clientCertificate.fingerprint)
        #expect(pair.client.suite == "ECDHE-ECDSA-AES128-GCM-SHA256")
        #expect(pair.client.deadline == .distantFuture)
        #expect(pair.server.deadline == .distantFuture)
        let sent = DTLSPair.Side.allCases.flatMap { pair.sent[$0] ?? [] }
        #expect(sent.allSatisfy { $0.readableBytes <= Limits.datagramPayload })
        #expect(sent.count == (cookie == nil ? 4 : 6))
    }

    @Test(
        "Loss, reordering and duplication delay a handshake, no more", .timeLimit(.minutes(1)),
        arguments: [UInt64](1...4), [nil, [9, 9]])
    func faulty(seed: UInt64, cookie: [UInt8]?) throws {
        var pair = DTLSPair(
            cookie: cookie, faults: .init(loss: 0.3, duplication: 0.2, reordering: 0.3), seed: seed)
        pair.start()
        pair.connect()
        #expect(pair.isConnected)
        #expect(pair.fingerprint(at: .client) == DTLSPair.serverCertificate.fingerprint)
        pair.faults = .init()
        #expect(pair.client.send(ByteBuffer(string: "up"), now: SystemTime.now))
        #expect(pair.server.send(ByteBuffer(string: "down"), now: SystemTime.now))
        pair.settle()
        #expect(pair.packets[.server] == [ByteBuffer(string: "up")])
        #expect(pair.packets[.client] == [ByteBuffer(string: "down")])
    }

    @Test("Datagrams that come before the start are read at the start")
    func early() throws {
        var pair = DTLSPair()
        pair.client.start(now: SystemTime.now)
        pair.deliver(pair.take(from: .client), to: .server)
        #expect(pair.take(from: .server).isEmpty)
        pair.server.start(now: SystemTime.now)
        pair.settle()
        #expect(pair.isConnected)
    }

    @Test("No more early datagrams are kept than allowed")
    func manyEarly() throws {
        var pair = DTLSPair()
        let junk = ByteBuffer(repeating: 22, count: 100)
        pair.client.start(now: SystemTime.now)
        pair.deliver(Array(repeating: junk, count: Limits.dtlsEarlyDatagrams), to: .server)
        let hello = pair.take(from: .client)
        pair.deliver(hello, to: .server)
        pair.server.start(now: SystemTime.now)
        #expect(pair.take(from: .server).isEmpty)
        pair.deliver(hello, to: .server)
        pair.settle()
        #expect(pair.isConnected)
    }

    @Test("A flight nobody answers comes again after 50 ms and after 100 ms, and the handshake ends in time")
    func retransmission() throws {
        var pair = DTLSPair()
        let begin = SystemTime.now
        pair.client.start(now: begin)
        #expect(pair.take(from: .client).count == 1)
        for expected in [50, 100] {
            let now = SystemTime.now
            let wait = pair.client.deadline - now
            #expect(wait == .milliseconds(Int64(expected)))
            passes(wait)
            pair.client.timedOut(now: SystemTime.now)
            #expect(pair.take(from: .client).count == 1)
        }
        pair.client.timedOut(now: begin + Limits.dtlsHandshakeTimeout - .nanoseconds(1))
        pair.drain(.client)
        #expect(pair.events[.client] == nil)
        pair.client.timedOut(now: begin + Limits.dtlsHandshakeTimeout)
        pair.drain(.client)
        #expect(pair.end(of: .client)??.code == .timeout)
        #expect(!pair.client.keepsState)
        #expect(pair.client.deadline == .distantFuture)
    }

    @Test("A server whose client never speaks ends as well", arguments: [nil, [5]])
    func silence(cookie: [UInt8]?) {
        var pair = DTLSPair(cookie: cookie)
        let begin = SystemTime.now
        pair.server.start(now: begin)
        #expect(pair.server.deadline == begin + Limits.dtlsHandshakeTimeout)
        pair.server.timedOut(now: pair.server.deadline)
        pair.drain(.server)
        #expect(pair.end(of: .server)??.code == .timeout)
    }

    @Test("The last flight comes again when the remote repeats its own")
    func lastFlight() throws {
        var pair = DTLSPair()
        pair.start()
        pair.deliver(pair.take(from: .client), to: .server)
        pair.deliver(pair.take(from: .server), to: .client)
        pair.deliver(pair.take(from: .client), to: .server)
        #expect(pair.fingerprint(at: .server) != nil)
        #expect(!pair.take(from: .server).isEmpty)  // lost
        passes(Limits.dtlsFirstRetransmission)
        pair.client.timedOut(now: SystemTime.now)
        pair.settle()
        #expect(pair.isConnected)
        #expect(pair.events[.server]?.count == 1)
    }

    @Test("Flights may arrive backwards")
    func backwards() throws {
        var pair = DTLSPair()
        pair.start()
        pair.deliver(pair.take(from: .client), to: .server)
        pair.deliver(pair.take(from: .server).flatMap(records).reversed(), to: .client)
        pair.deliver(pair.take(from: .client).flatMap(records).reversed(), to: .server)
        // A ChangeCipherSpec that comes too early has no number to put it in order by: it is lost, and comes again.
        pair.connect()
        #expect(pair.isConnected)
    }

    @Test("Application data that overtakes the last flight is read after it")
    func overtaking() throws {
        var pair = DTLSPair()
        pair.start()
        pair.deliver(pair.take(from: .client), to: .server)
        pair.deliver(pair.take(from: .server), to: .client)
        pair.deliver(pair.take(from: .client), to: .server)
        let last = pair.take(from: .server)
        #expect(pair.server.send(ByteBuffer(string: "fast"), now: SystemTime.now))
        pair.deliver(pair.take(from: .server), to: .client)
        #expect(pair.packets[.client] == nil)
        pair.deliver(last, to: .client)
        #expect(pair.isConnected)
        #expect(pair.packets[.client] == [ByteBuffer(string: "fast")])
    }

    @Test("The hello offers the media profiles as the vector has them, and the server chooses one")
    func mediaProfiles() throws {
        let offers = try Vectors.load("dtls").filter { $0.name.contains("use_srtp") }
        #expect(offers.count == 2)
        var pair = DTLSPair(cookie: [1])
        pair.start()
        pair.settle()
        let hellos = (pair.sent[.client] ?? []).prefix(2)
        let offer = try hex(offers[0].output["hex"])
        for hello in hellos { #expect(contains(hello, offer)) }
        var choice = try hex(offers[1].output["hex"])
        choice.setInteger(UInt8(8), at: 7)  // The first of ours that was offered.
        let answer = try #require(pair.sent[.server]?[1])
        #expect(contains(answer, choice))
    }

    @Test("The hello offers DTLS 1.2, extended master secret, no session and no ticket")
    func hello() throws {
        var pair = DTLSPair()
        pair.client.start(now: SystemTime.now)
        let hello = try #require(pair.take(from: .client).first)
        #expect(hello.getInteger(at: 25, as: UInt16.self) == 0xFEFD)
        #expect(hello.getInteger(at: 25 + 34, as: UInt8.self) == 0)
        #expect(contains(hello, ByteBuffer(bytes: [0, 0x17, 0, 0])))
        #expect(contains(hello, ByteBuffer(bytes: [0, 10, 0, 6, 0, 4, 0, 0x1D, 0, 0x17])))
        #expect(!contains(hello, ByteBuffer(bytes: [0, 0x23, 0, 0])))
    }
}

/// Whether the bytes of `part` stand anywhere in `whole`.
func contains(_ whole: ByteBuffer, _ part: ByteBuffer) -> Bool {
    let (whole, part) = (Array(whole.readableBytesView), Array(part.readableBytesView))
    guard whole.count >= part.count else { return false }
    return (0...whole.count - part.count).contains { whole[$0..<$0 + part.count] == part[...] }
}

/// Each record of a datagram as a datagram of its own.
func records(_ datagram: ByteBuffer) -> [ByteBuffer] {
    var (rest, found) = (datagram, [ByteBuffer]())
    while case let start = rest.readerIndex, DTLSRecord(reading: &rest) != nil {
        if let record = datagram.getSlice(at: start, length: rest.readerIndex - start) { found.append(record) }
    }
    return found
}
