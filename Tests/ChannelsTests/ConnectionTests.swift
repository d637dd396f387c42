import NIOCore
import Testing
import Wire

@testable import Channels

@Suite struct ConnectionTests {
    private func established(_ pair: TestPair) {
        pair.start()
        pair.run()
        #expect(pair.takeDialerEvents() == ["established"])
        #expect(pair.takeListenerEvents() == ["established"])
    }

    @Test(arguments: [false, true]) func twoSidesAgreeAndTalk(bytewise: Bool) throws {
        let pair = try TestPair()
        if bytewise { pair.chunk = ChannelsTests.bytewise }
        established(pair)
        #expect(pair.dialer.remotePublicKey == pair.listenerKey.publicKey)
        #expect(pair.listener.remotePeer == pair.dialerKey.peerID)
        let id = try pair.dialer.open(["/echo/1"], now: pair.now)
        pair.dialer.write(ByteBuffer(string: "hello"), to: id, now: pair.now)
        pair.dialer.closeWrite(id, now: pair.now)
        pair.run()
        #expect(pair.takeListenerEvents() == ["accepted 1 /echo/1", "received 1 hello", "end 1"])
        #expect(pair.takeDialerEvents() == ["opened 1 /echo/1"])
        pair.listener.write(ByteBuffer(string: "world"), to: id, now: pair.now)
        pair.listener.closeWrite(id, now: pair.now)
        pair.run()
        #expect(pair.takeListenerEvents() == ["closed 1 finished"])
        #expect(pair.takeDialerEvents() == ["received 1 world", "end 1", "closed 1 finished"])
        #expect(pair.dialer.streamCount == 0)
        #expect(pair.listener.streamCount == 0)
        #expect(pair.dialer.bytesSent == pair.listener.bytesReceived)
        #expect(pair.dialer.bytesReceived == pair.listener.bytesSent)
        #expect(pair.dialer.roundTrip == .zero)
        pair.dialer.close(now: pair.now)
        pair.run()
        #expect(pair.takeDialerEvents() == ["over in order"])
        #expect(pair.takeListenerEvents() == ["over in order"])
    }

    @Test func dataWaitsForTheAnswerWhenThereAreSeveralProposals() throws {
        let pair = try TestPair()
        established(pair)
        let id = try pair.dialer.open(["/other/1", "/echo/1"], now: pair.now)
        pair.dialer.write(ByteBuffer(string: "hello"), to: id, now: pair.now)
        pair.dialer.closeWrite(id, now: pair.now)
        #expect(pair.dialer.bufferedAmount(of: id) > 5)
        pair.run()
        #expect(pair.takeListenerEvents() == ["accepted 1 /echo/1", "received 1 hello", "end 1"])
        #expect(pair.dialer.bufferedAmount(of: id) == 0)
    }

    @Test func aRefusedStreamIsGoneOnBothSides() throws {
        let pair = try TestPair()
        established(pair)
        let id = try pair.listener.open(["/other/1"], now: pair.now)
        pair.listener.write(ByteBuffer(string: "lost"), to: id, now: pair.now)
        pair.run()
        #expect(pair.takeListenerEvents() == ["refused 2 unsupported"])
        #expect(pair.takeDialerEvents() == [])
        #expect(pair.dialer.streamCount == 0)
        #expect(pair.listener.streamCount == 0)
    }

    @Test func anotherPeerThanExpectedIsRefused() throws {
        let stranger = KeyPair.generate().peerID
        let pair = try TestPair(expecting: stranger)
        pair.start()
        pair.run()
        #expect(
            pair.takeDialerEvents() == ["over \(ConnectionError.noise(.unexpectedPeer(pair.listenerKey.peerID)))"])
        pair.listener.handle(.pipeClosed, now: pair.now)
        pair.run()
        #expect(pair.takeListenerEvents() == ["over pipeClosed"])
    }

    @Test func everyWaitEnds() throws {
        let pair = try TestPair()
        pair.start()
        #expect(pair.dialer.deadline == pair.now + Limits.upgradeTimeout)
        pair.now = pair.dialer.deadline
        pair.dialer.handle(.tick, now: pair.now)
        pair.drain()
        #expect(pair.takeDialerEvents() == ["over upgradeTimeout"])
        #expect(pair.dialer.deadline == .distantFuture)
    }

    @Test func aStreamWithoutAnAnswerIsGivenUp() throws {
        let pair = try TestPair()
        established(pair)
        _ = try pair.dialer.open(["/echo/1"], now: pair.now)
        pair.drain()
        pair.now = pair.now + Limits.negotiationTimeout
        pair.dialer.handle(.tick, now: pair.now)
        pair.drain()
        #expect(pair.takeDialerEvents() == ["refused 1 timeout"])
        #expect(pair.dialer.streamCount == 0)
    }

    @Test func aSilentRemoteIsGivenUp() throws {
        let pair = try TestPair()
        established(pair)
        pair.now = pair.dialer.deadline
        pair.dialer.handle(.tick, now: pair.now)
        pair.drain()
        pair.toListener = ByteBuffer()
        pair.now = pair.dialer.deadline
        pair.dialer.handle(.tick, now: pair.now)
        pair.drain()
        #expect(pair.takeDialerEvents() == ["over keepAliveTimeout"])
    }

    @Test func windowsHoldASenderUntilTheReceiverConsumed() throws {
        let pair = try TestPair()
        established(pair)
        pair.consumes = false
        let id = try pair.dialer.open(["/echo/1"], now: pair.now)
        pair.run()
        let total = 1_000_000
        pair.dialer.write(ByteBuffer(repeating: 7, count: total), to: id, now: pair.now)
        pair.run()
        let left = pair.dialer.bufferedAmount(of: id)
        #expect(left >= total - 262_144)
        #expect(left < total - 262_144 + 64)
        var received = 0
        for event in pair.listenerEvents {
            if case .received(_, let bytes) = event { received += bytes.readableBytes }
        }
        #expect(received == total - left)
        pair.consumes = true
        pair.listener.consumed(received, of: id, now: pair.now)
        pair.run()
        #expect(pair.dialer.bufferedAmount(of: id) == 0)
    }

    @Test func aFullPipeGetsNoDataUntilItDrains() throws {
        let pair = try TestPair()
        established(pair)
        let id = try pair.dialer.open(["/echo/1"], now: pair.now)
        pair.run()
        pair.dialer.handle(.pipeWritable(false), now: pair.now)
        pair.dialer.write(ByteBuffer(repeating: 7, count: 300_000), to: id, now: pair.now)
        let before = pair.dialer.bytesSent
        pair.run()
        #expect(pair.dialer.bytesSent == before)
        #expect(pair.dialer.bufferedAmount(of: id) == 300_000)
        pair.dialer.handle(.pipeWritable(true), now: pair.now)
        pair.run()
        #expect(pair.dialer.bufferedAmount(of: id) == 0)
        #expect(pair.takeDialerEvents().last == "writable 1")
    }

    @Test func theEndOfThePipeEndsEveryStream() throws {
        let pair = try TestPair()
        established(pair)
        _ = try pair.dialer.open(["/echo/1"], now: pair.now)
        pair.run()
        _ = try pair.dialer.open(["/echo/1"], now: pair.now)
        pair.dialer.handle(.pipeClosed, now: pair.now)
        pair.drain()
        #expect(
            pair.takeDialerEvents() == [
                "opened 1 /echo/1", "closed 1 connectionClosed", "refused 3 connectionClosed", "over pipeClosed",
            ])
        #expect(throws: StreamError.notConnected) { try pair.dialer.open(["/echo/1"], now: pair.now) }
    }

    @Test func aClosedConnectionStaysClosed() throws {
        let pair = try TestPair()
        established(pair)
        let id = try pair.dialer.open(["/echo/1"], now: pair.now)
        pair.run()
        pair.dialer.close(now: pair.now)
        pair.drain()
        #expect(pair.takeDialerEvents() == ["opened 1 /echo/1", "closed 1 connectionClosed", "over in order"])
        let sent = pair.dialer.bytesSent
        for _ in 0..<2 {
            pair.dialer.handle(.start, now: pair.now)
            pair.dialer.handle(.bytes(ByteBuffer(string: "late")), now: pair.now)
            pair.dialer.handle(.pipeWritable(true), now: pair.now)
            pair.dialer.handle(.tick, now: pair.now + .hours(1))
            pair.dialer.handle(.pipeClosed, now: pair.now)
            pair.dialer.write(ByteBuffer(string: "late"), to: id, now: pair.now)
            pair.dialer.consumed(5, of: id, now: pair.now)
            pair.dialer.closeWrite(id, now: pair.now)
            pair.dialer.reset(id, now: pair.now)
            pair.dialer.close(now: pair.now)
            pair.drain()
        }
        #expect(pair.takeDialerEvents() == [])
        #expect(pair.dialer.bytesSent == sent)
        #expect(pair.dialer.deadline == .distantFuture)
        #expect(pair.dialer.streamCount == 0)
        #expect(pair.dialer.heldBytes == 0)
    }

    @Test func nothingHappensBeforeTheStart() throws {
        let pair = try TestPair()
        pair.dialer.handle(.tick, now: pair.now)
        pair.dialer.handle(.pipeWritable(false), now: pair.now)
        pair.drain()
        #expect(pair.takeDialerEvents() == [])
        #expect(pair.dialer.bytesSent == 0)
        #expect(throws: StreamError.notConnected) { try pair.dialer.open(["/echo/1"], now: pair.now) }
        pair.dialer.close(now: pair.now)
        pair.drain()
        #expect(pair.takeDialerEvents() == ["over in order"])
    }

    @Test(arguments: [[], [""], ["/a\nb"], [String(repeating: "a", count: 1024)]])
    func protocolsThatFitNoTokenAreRefused(protocols: [String]) throws {
        let pair = try TestPair()
        established(pair)
        #expect(throws: StreamError.invalidProtocols) { try pair.dialer.open(protocols, now: pair.now) }
    }

    @Test func bytesLeaveInPortionsBetweenInputs() throws {
        let pair = try TestPair()
        established(pair)
        pair.chunk = nil
        let id = try pair.dialer.open(["/echo/1"], now: pair.now)
        pair.run()
        // The reader is fast and near, so its window grows beyond one portion.
        for _ in 0..<40 {
            pair.dialer.write(ByteBuffer(repeating: 1, count: 1 << 20), to: id, now: pair.now)
            pair.now = pair.now + .nanoseconds(1)
            pair.run()
            pair.dialer.handle(.tick, now: pair.now)
            pair.run()
        }
        while pair.dialer.bufferedAmount(of: id) > 0 {
            pair.dialer.handle(.tick, now: pair.now)
            pair.run()
        }
        pair.dialer.write(ByteBuffer(repeating: 1, count: 4 << 20), to: id, now: pair.now)
        pair.dialer.handle(.pipeWritable(true), now: pair.now)
        let before = pair.dialer.bytesSent
        pair.drain()
        let burst = Int(pair.dialer.bytesSent - before)
        #expect(burst <= Limits.connectionSendBurst + Limits.connectionWrite)
        if pair.dialer.bufferedAmount(of: id) > 0, burst >= Limits.connectionSendBurst {
            #expect(pair.dialer.deadline == pair.now)
        }
    }
}
