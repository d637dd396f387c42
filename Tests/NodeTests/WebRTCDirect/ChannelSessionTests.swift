import Channels
import NIOCore
import StreamConformance
import Testing
import VectorFiles
import Wire

@testable import Node

@Suite struct ChannelSessionTests {
    private let now = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private func session(_ role: Role = .listener, limit: Int = 8, early: Bool = false) -> ChannelSession {
        var session = ChannelSession(role: role, inboundLimit: limit)
        if !early { session.established() }
        return session
    }

    private func frame(_ text: String = "", _ flag: ChannelFrame.Flag? = nil) -> ByteBuffer {
        ChannelFrame(data: ByteBuffer(string: text), flag: flag).encoded
    }

    private func outputs(_ session: inout ChannelSession) -> [ChannelSession.Output] {
        var outputs: [ChannelSession.Output] = []
        while let output = session.poll() { outputs.append(output) }
        return outputs
    }

    private func commands(
        _ session: inout ChannelSession, after delay: TimeAmount = .zero, buffered: Int = 0
    ) -> [ChannelSession.Command] {
        var commands: [ChannelSession.Command] = []
        while let command = session.nextCommand(now: now + delay, buffered: { _ in buffered }) {
            commands.append(command)
        }
        return commands
    }

    /// The remote opens a channel.
    private func accept(_ session: inout ChannelSession) throws -> StreamID {
        let id = session.channelOpened(now: now)
        return try #require(id)
    }

    @Test(arguments: 1...12) func randomTrafficArrivesOnceAndInOrder(seed: Int) throws {
        let pair = ChannelPair()
        var traffic = MuxerTraffic(seed: UInt64(seed))
        let problems = try traffic.run(pair, steps: 300, resets: seed % 2 == 0)
        #expect(problems == [])
        for side in 0...1 {
            #expect(pair.session(side).heldBytes == 0)
            #expect(pair.session(side).lingeringCount == 0)
            #expect(pair.session(side).deadline == .distantFuture)
        }
    }

    @Test func aStreamOfOursOpensItsChannelFirst() throws {
        var session = session(.dialer)
        let id = try session.open(now: now)
        #expect(id == StreamID(1))
        session.write(ByteBuffer(string: "a"), to: id)
        session.closeWrite(id)
        #expect(commands(&session) == [.open(id), .send(id, frame("a")), .send(id, frame("", .fin))])
        session.received(frame("b", .fin), on: id, now: now)
        #expect(outputs(&session) == [.received(id, ByteBuffer(string: "b")), .endOfStream(id)])
        #expect(commands(&session) == [.send(id, frame("", .finAck)), .awaitDrain(id)])
        #expect(outputs(&session) == [.closed(id, .finished)])
        #expect(session.streamCount == 0)
        session.channelDrained(id, buffered: 1)
        #expect(commands(&session) == [])
        session.channelDrained(id, buffered: 0)
        #expect(commands(&session) == [.close(id)])
        #expect(session.deadline == .distantFuture)
    }

    @Test func aStreamResetBeforeItsChannelOpenedLeavesNothing() throws {
        var session = session(.dialer)
        let id = try session.open(now: now)
        session.write(ByteBuffer(string: "a"), to: id)
        session.reset(id)
        #expect(commands(&session) == [])
        #expect(session.streamCount == 0)
    }

    @Test func aResetIsSaidAndItsChannelClosed() throws {
        var session = session()
        let id = try accept(&session)
        session.write(ByteBuffer(string: "lost"), to: id)
        session.reset(id)
        #expect(outputs(&session) == [.opened(id)])
        #expect(commands(&session) == [.send(id, frame("", .reset)), .awaitDrain(id)])
        // What comes now concerns nobody.
        session.received(frame("late", .fin), on: id, now: now)
        session.consumed(5, of: id, now: now)
        session.write(ByteBuffer(string: "late"), to: id)
        #expect(outputs(&session) == [])
        #expect(commands(&session) == [])
        session.timedOut(now: session.deadline)
        #expect(commands(&session) == [.close(id)])
    }

    @Test func theRemotesResetEndsAStream() throws {
        var session = session()
        let id = try accept(&session)
        session.received(frame("x", .reset), on: id, now: now)
        session.received(frame("y"), on: id, now: now)
        session.received(frame("", .fin), on: id, now: now)
        #expect(outputs(&session) == [.opened(id), .received(id, ByteBuffer(string: "x")), .closed(id, .reset)])
        #expect(commands(&session) == [.awaitDrain(id)])
    }

    /// Whoever reset it: what comes behind is not heard, and nothing is said.
    @Test(arguments: [true, false], [true, false])
    func nothingBehindAResetIsHeard(isRemotes: Bool, isGlued: Bool) throws {
        var session = session()
        let id = try accept(&session)
        let later: [ByteBuffer] =
            ChannelFrame.Flag.allCases.flatMap { [frame("late", $0), frame("", $0)] }
            + [frame("data"), try hex("0208"), try hex("ffffffffffffffffffff01"), try hex("020863")]
        if isRemotes {
            var reset = frame("", .reset)
            if isGlued { for frame in later { reset.writeImmutableBuffer(frame) } }
            session.received(reset, on: id, now: now)
            #expect(outputs(&session) == [.opened(id), .closed(id, .reset)])
            #expect(commands(&session) == [.awaitDrain(id)])
        } else {
            session.reset(id)
            #expect(outputs(&session) == [.opened(id)])
            #expect(commands(&session) == [.send(id, frame("", .reset)), .awaitDrain(id)])
        }
        for message in later { session.received(message, on: id, now: now) }
        #expect(outputs(&session) == [] && commands(&session) == [] && session.heldBytes == 0)
        session.channelDrained(id, buffered: 0)
        #expect(commands(&session) == [.close(id)])
        session.received(frame("", .fin), on: id, now: now)
        session.channelClosed(id)
        #expect(outputs(&session) == [] && commands(&session, after: .seconds(60)) == [])
        #expect(session.streamCount == 0 && session.lingeringCount == 0 && session.deadline == .distantFuture)
    }

    @Test(arguments: [false, true]) func aChannelClosedWithoutAFinIsAReset(withFin: Bool) throws {
        var session = session()
        let id = try accept(&session)
        session.received(frame("x", withFin ? .fin : nil), on: id, now: now)
        if withFin { session.closeWrite(id) }
        // Our FIN is on its way, but the acknowledgement of theirs is not.
        if withFin { _ = session.nextCommand(now: now) { _ in 0 } }
        session.channelClosed(id)
        #expect(outputs(&session).last == .closed(id, withFin ? .finished : .reset))
        #expect(session.streamCount == 0)
        session.channelClosed(id)
        #expect(outputs(&session) == [])
    }

    @Test func aFinIsAcknowledgedAtItsTime() throws {
        var session = session()
        let id = try accept(&session)
        session.received(frame("", .fin), on: id, now: now)
        #expect(commands(&session) == [])
        #expect(session.deadline == now + Limits.finAckDelay)
        session.timedOut(now: session.deadline)
        #expect(commands(&session, after: Limits.finAckDelay) == [.send(id, frame("", .finAck))])
        #expect(session.deadline == .distantFuture)
        session.closeWrite(id)
        #expect(commands(&session) == [.send(id, frame("", .fin)), .awaitDrain(id)])
    }

    @Test func stopSendingThatDroppedSomethingIsAReset() throws {
        var session = session()
        let id = try accept(&session)
        session.write(ByteBuffer(string: "lost"), to: id)
        session.received(frame("", .stopSending), on: id, now: now)
        session.received(frame("", .fin), on: id, now: now)
        #expect(commands(&session) == [.send(id, frame("", .finAck)), .awaitDrain(id)])
        #expect(outputs(&session) == [.opened(id), .endOfStream(id), .closed(id, .reset)])
    }

    @Test func aFullChannelGetsNoDataUntilItDrains() throws {
        var session = session(.dialer)
        let id = try session.open(now: now)
        session.write(ByteBuffer(repeating: 1, count: 300_000), to: id)
        #expect(commands(&session, buffered: Limits.channelBuffered) == [.open(id)])
        #expect(session.bufferedAmount(of: id) == 300_000)
        #expect(commands(&session) == [])
        session.channelDrained(id, buffered: Limits.channelBufferedLow)
        #expect(commands(&session).count == 19)
        #expect(session.bufferedAmount(of: id) == 0)
        #expect(outputs(&session) == [.writable(id)])
    }

    @Test func streamsTakeTurns() throws {
        var session = session(.dialer)
        let ids = try (0..<3).map { _ in try session.open(now: now) }
        _ = commands(&session)
        for id in ids { session.write(ByteBuffer(repeating: 1, count: 40_000), to: id) }
        let order = commands(&session).compactMap { command -> StreamID? in
            if case .send(let id, _) = command { id } else { nil }
        }
        #expect(order == ids + ids + ids)
    }

    @Test func aConsumerThatNeverConsumesLosesItsStream() throws {
        var session = session()
        let id = try accept(&session)
        let other = try accept(&session)
        session.received(frame("kept"), on: other, now: now)
        let message = ChannelFrame(data: ByteBuffer(repeating: 1, count: Limits.channelFrameData)).encoded
        var count = 0
        while session.streamCount == 2 {
            session.received(message, on: id, now: now)
            count += 1
        }
        #expect(count == Limits.channelUnconsumed / Limits.channelFrameData + 1)
        #expect(outputs(&session).last == .closed(id, .resetLocally))
        #expect(commands(&session) == [.send(id, frame("", .reset)), .awaitDrain(id)])
        #expect(session.heldBytes == 4)
    }

    @Test func allStreamsTogetherAreBoundedAndTheHeaviestGoes() throws {
        var session = session(limit: 100)
        let message = ChannelFrame(data: ByteBuffer(repeating: 1, count: Limits.channelFrameData)).encoded
        let ids = try (0..<10).map { _ in try accept(&session) }
        var rounds = 0
        while session.streamCount == 10 {
            // The third has twice as much as the others.
            for id in ids + [ids[2]] { session.received(message, on: id, now: now) }
            _ = outputs(&session).count
            rounds += 1
            #expect(session.heldBytes <= Limits.channelUnconsumedTotal)
        }
        #expect(commands(&session).first == .send(ids[2], frame("", .reset)))
        #expect(rounds > 300)
    }

    // MARK: Back-pressure

    /// A stream of the remote with so many frames that nobody has consumed.
    private func laden(_ session: inout ChannelSession, _ bytes: Int) throws -> StreamID {
        let id = try accept(&session)
        let message = ChannelFrame(data: ByteBuffer(repeating: 1, count: 10_000)).encoded
        for _ in 0..<bytes / 10_000 { session.received(message, on: id, now: now) }
        return id
    }

    @Test func aSlowConsumerMakesTheRemoteWait() throws {
        var session = session()
        let id = try laden(&session, Limits.channelHeldHigh)
        #expect(session.isReceiving)
        session.received(frame(String(repeating: "x", count: 10_000)), on: id, now: now)
        #expect(!session.isReceiving && session.deadline == now + Limits.channelPause)
        // Not for every byte consumed; but below the low mark.
        session.consumed(session.heldBytes - Limits.channelHeldLow - 1, of: id, now: now)
        #expect(!session.isReceiving)
        session.consumed(1, of: id, now: now)
        #expect(session.isReceiving && session.deadline == .distantFuture)
        #expect(session.streamCount == 1)
    }

    @Test func manyStreamsTogetherMakeTheRemoteWait() throws {
        var session = session(limit: 100)
        let count = Limits.channelHeldHighTotal / Limits.channelHeldHigh + 1
        let ids = try (0..<count).map { _ in try laden(&session, Limits.channelHeldHigh) }
        #expect(!session.isReceiving)
        for id in ids.dropFirst() { session.consumed(.max, of: id, now: now) }
        #expect(!session.isReceiving, "the first is above the low mark")
        session.consumed(.max, of: ids[0], now: now)
        #expect(session.isReceiving)
    }

    /// The others of the connection cannot wait for it for ever.
    @Test func aConsumerThatStopsLosesItsStreamAndTheRemoteGoesOn() throws {
        var session = session()
        let id = try laden(&session, Limits.channelHeldHigh + 10_000)
        let other = try laden(&session, 20_000)
        _ = outputs(&session)
        session.timedOut(now: now + Limits.channelPause - .nanoseconds(1))
        #expect(!session.isReceiving && outputs(&session) == [])
        session.timedOut(now: now + Limits.channelPause)
        #expect(session.isReceiving && outputs(&session) == [.closed(id, .resetLocally)])
        #expect(commands(&session, after: Limits.channelPause).first == .send(id, frame("", .reset)))
        #expect(session.streamCount == 1 && session.heldBytes == 20_000)
        session.consumed(20_000, of: other, now: now)
    }

    @Test func aStreamThatEndsMakesNobodyWait() throws {
        var session = session()
        let id = try laden(&session, Limits.channelHeldHigh + 10_000)
        #expect(!session.isReceiving)
        session.reset(id)
        #expect(session.isReceiving && session.heldBytes == 0)
        _ = try laden(&session, Limits.channelHeldHigh + 10_000)
        session.channelClosed(StreamID(3))
        #expect(session.isReceiving && session.heldBytes == 0)
    }

    /// Before the handshake has ended, its own messages must not be made to wait.
    @Test func earlyStreamsMakeNobodyWait() throws {
        var session = session(early: true)
        _ = try laden(&session, Limits.earlyChannelBytes)
        #expect(session.isReceiving)
    }

    @Test func unfinishedFramesCount() throws {
        var session = session()
        let id = try accept(&session)
        session.received(try hex("80800a"), on: id, now: now)
        #expect(session.heldBytes == 3)
        session.reset(id)
        #expect(session.heldBytes == 0)
    }

    @Test func earlyStreamsAreFewAndSmall() throws {
        var session = session(limit: 1000, early: true)
        for _ in 0..<Limits.earlyChannels { _ = try accept(&session) }
        let excess = session.channelOpened(now: now)
        #expect(excess == nil)
        let message = ChannelFrame(data: ByteBuffer(repeating: 1, count: Limits.channelFrameData)).encoded
        for _ in 0...Limits.earlyChannelBytes / Limits.channelFrameData {
            session.received(message, on: StreamID(1), now: now)
        }
        #expect(session.streamCount == Limits.earlyChannels - 1)
        for number in 0..<UInt32(10_000) {
            session.received(message, on: StreamID(2 * (number % 32) + 1), now: now)
            #expect(session.heldBytes <= Limits.earlyChannelBytesTotal)
        }
        session.established()
        _ = try accept(&session)
    }

    @Test func aHundredThousandChannelsEndTheConnection() throws {
        var session = session(limit: 512)
        var refused = 0
        for number in 0..<100_000 {
            if session.channelOpened(now: now + .microseconds(Int64(number))) == nil { refused += 1 }
        }
        #expect(session.streamCount == 512)
        #expect(refused == 100_000 - 512)
        let all = outputs(&session)
        #expect(all.count == 513)
        #expect(all.last == .flooded)
        #expect(throws: StreamError.notConnected) { try session.open(now: now) }
    }

    @Test func manyShortStreamsLeaveNothingBehind() throws {
        var session = session(limit: 512)
        for number in 0..<5000 {
            let time = now + .milliseconds(Int64(number))
            let id = try accept(&session)
            session.received(frame("x", .fin), on: id, now: time)
            session.closeWrite(id)
            while let command = session.nextCommand(now: time, buffered: { _ in 0 }) {
                if case .awaitDrain(let id) = command { session.channelDrained(id, buffered: 0) }
            }
            session.timedOut(now: time)
        }
        #expect(session.streamCount == 0)
        #expect(session.lingeringCount == 0)
        session.timedOut(now: now + .seconds(20))
        #expect(session.deadline == .distantFuture)
    }

    @Test(arguments: ["80e01278", "0412056162", "ffffffffffffffffff"]) func nonsenseResetsItsStreamOnly(text: String)
        throws
    {
        var session = session()
        let id = try accept(&session)
        let other = try accept(&session)
        session.received(try hex(text), on: id, now: now)
        #expect(outputs(&session) == [.opened(id), .opened(other), .closed(id, .violation)])
        #expect(commands(&session) == [.send(id, frame("", .reset)), .awaitDrain(id)])
        #expect(session.streamCount == 1)
    }
}
