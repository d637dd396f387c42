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
}
