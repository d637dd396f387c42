import NIOCore
import Testing
import VectorFiles
import Wire

@testable import Node

@Suite struct ChannelStreamTests {
    private let now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private typealias Frame = ChannelFrame

    private func text(_ string: String) -> ByteBuffer { ByteBuffer(string: string) }

    /// Everything a message means.
    private func feed(_ stream: inout ChannelStream, _ frames: Frame...) -> [ChannelStream.Action] {
        for frame in frames { stream.received(frame.encoded) }
        var actions: [ChannelStream.Action] = []
        while true {
            let action = stream.next(now: now)
            if action == .none { return actions }
            actions.append(action)
            if action == .violation { return actions }
        }
    }

    /// Everything that leaves at a time.
    private func take(
        _ stream: inout ChannelStream, after delay: TimeAmount = .zero, acknowledges: Bool = true
    ) throws -> [Frame] {
        var frames: [Frame] = []
        while let bytes = stream.nextFrame(withRoom: true, acknowledgesFins: acknowledges, now: now + delay) {
            var decoder = ChannelFrameDecoder()
            decoder.append(bytes)
            frames.append(try #require(try decoder.next()))
            #expect(try decoder.next() == nil)
        }
        return frames
    }

    @Test func dataThenFin() throws {
        var stream = ChannelStream(isInbound: false)
        stream.write(text("a"))
        stream.write(text("b"))
        stream.closeWrite()
        stream.write(text("too late"))
        #expect(try take(&stream) == [Frame(data: text("ab")), Frame(flag: .fin)])
        #expect(stream.sendHalf == .finished)
        #expect(!stream.isOver)
        #expect(try take(&stream) == [])
    }

    @Test func aFinIsAcknowledgedBehindOurOwn() throws {
        var stream = ChannelStream(isInbound: true)
        #expect(feed(&stream, Frame(data: text("x"), flag: .fin)) == [.received(text("x")), .endOfStream])
        #expect(try take(&stream) == [])
        stream.write(text("y"))
        stream.closeWrite()
        #expect(try take(&stream) == [Frame(data: text("y")), Frame(flag: .fin), Frame(flag: .finAck)])
        #expect(stream.isOver)
    }

    @Test func aFinIsAcknowledgedAfterHalfASecond() throws {
        var stream = ChannelStream(isInbound: true)
        #expect(feed(&stream, Frame(flag: .fin)) == [.endOfStream])
        #expect(try take(&stream, after: Limits.finAckDelay - .nanoseconds(1)) == [])
        #expect(try take(&stream, after: Limits.finAckDelay) == [Frame(flag: .finAck)])
        #expect(!stream.isOver)
        stream.closeWrite()
        #expect(try take(&stream) == [Frame(flag: .fin)])
        #expect(stream.isOver)
    }

    @Test func theAcknowledgementOvertakesDataThatHasNoRoom() throws {
        var stream = ChannelStream(isInbound: true)
        stream.write(text("waiting"))
        _ = feed(&stream, Frame(flag: .fin))
        #expect(stream.nextFrame(withRoom: false, acknowledgesFins: true, now: now) == nil)
        let late = stream.nextFrame(withRoom: false, acknowledgesFins: true, now: now + Limits.finAckDelay)
        #expect(late == Frame(flag: .finAck).encoded)
    }

    @Test func aRemoteThatKnowsNoFinAckGetsNone() throws {
        var stream = ChannelStream(isInbound: true)
        _ = feed(&stream, Frame(flag: .fin))
        #expect(try take(&stream, after: .seconds(20), acknowledges: false) == [])
        stream.closeWrite()
        #expect(try take(&stream, after: .seconds(20), acknowledges: false) == [Frame(flag: .fin)])
        #expect(stream.isOver)
    }

    @Test func stopSendingEndsTheSendHalfWithoutAFin() throws {
        var stream = ChannelStream(isInbound: false)
        stream.write(text("lost"))
        #expect(feed(&stream, Frame(flag: .stopSending)) == [])
        #expect(stream.wasStopped)
        #expect(stream.queued == 0)
        stream.write(text("ignored"))
        stream.closeWrite()
        #expect(try take(&stream) == [])
        #expect(
            feed(&stream, Frame(data: text("still")), Frame(flag: .fin)) == [.received(text("still")), .endOfStream])
        #expect(try take(&stream) == [Frame(flag: .finAck)])
        #expect(stream.isOver)
    }

    @Test func stopSendingBehindOurFinLosesNothing() throws {
        var stream = ChannelStream(isInbound: false)
        stream.write(text("sent"))
        stream.closeWrite()
        _ = try take(&stream)
        #expect(feed(&stream, Frame(flag: .stopSending)) == [])
        #expect(!stream.wasStopped)
    }

    @Test func flagsThatComeLateOrTwiceAreIgnored() throws {
        var stream = ChannelStream(isInbound: false)
        #expect(feed(&stream, Frame(flag: .finAck)) == [])
        #expect(feed(&stream, Frame(flag: .fin), Frame(flag: .fin)) == [.endOfStream])
        stream.closeWrite()
        _ = try take(&stream)
        let more = feed(
            &stream, Frame(flag: .finAck), Frame(flag: .finAck), Frame(flag: .fin), Frame(flag: .stopSending))
        #expect(more == [])
        #expect(stream.isOver)
    }

    @Test func dataBehindTheEndIsAViolationAndNothingBehindTheEndIsNot() {
        var stream = ChannelStream(isInbound: true)
        #expect(feed(&stream, Frame(flag: .fin), Frame()) == [.endOfStream])
        #expect(feed(&stream, Frame(data: text("x"))) == [.violation])
    }

    @Test func aResetComesBehindItsData() {
        var stream = ChannelStream(isInbound: true)
        #expect(feed(&stream, Frame(data: text("x"), flag: .reset)) == [.received(text("x")), .reset])
    }

    @Test func nonsenseIsAViolation() throws {
        var stream = ChannelStream(isInbound: true)
        stream.received(try hex("80e01278"))
        #expect(stream.next(now: now) == .violation)
    }

    @Test func longWritesBecomeFullFrames() throws {
        var stream = ChannelStream(isInbound: false)
        stream.write(ByteBuffer(repeating: 7, count: 40_000))
        let sizes = try take(&stream).map(\.data.readableBytes)
        #expect(sizes == [Limits.channelFrameData, Limits.channelFrameData, 40_000 - 2 * Limits.channelFrameData])
    }

    @Test func aFullStreamIsAnnouncedWritableOnce() throws {
        var stream = ChannelStream(isInbound: false)
        stream.write(ByteBuffer(repeating: 7, count: Limits.streamSendHighWater + 1))
        var announcements = 0
        while stream.queued > 0 {
            if stream.becameWritable() {
                announcements += 1
                #expect(stream.queued < Limits.streamSendLowWater)
            }
            _ = stream.nextFrame(withRoom: true, acknowledgesFins: true, now: now)
        }
        #expect(announcements == 1)
    }

    @Test func creditIsCountedOnce() {
        var stream = ChannelStream(isInbound: true)
        _ = feed(&stream, Frame(data: text("12345")))
        #expect(stream.heldBytes == 5)
        #expect(stream.consumed(3) == 3)
        #expect(stream.consumed(-1) == 0)
        #expect(stream.consumed(10) == 2)
        #expect(stream.heldBytes == 0)
    }

    /// Messages cut anywhere mean the same.
    @Test(arguments: 1...8) func cutsMakeNoDifference(seed: Int) {
        var entropy = Entropy.seeded(UInt64(seed))
        var bytes: [UInt8] = []
        for _ in 0..<20 {
            let data = ByteBuffer(bytes: entropy.bytes(Int.random(in: 0...50, using: &entropy)))
            bytes +=
                ChannelFrame(data: data, flag: Bool.random(using: &entropy) ? .finAck : nil).encoded.readableBytesView
        }
        bytes += ChannelFrame(flag: .fin).encoded.readableBytesView
        func run(_ pieces: [[UInt8]]) -> [ChannelStream.Action] {
            var stream = ChannelStream(isInbound: true)
            var actions: [ChannelStream.Action] = []
            for piece in pieces {
                stream.received(ByteBuffer(bytes: piece))
                while true {
                    let action = stream.next(now: now)
                    if action == .none { break }
                    actions.append(action)
                }
            }
            return actions
        }
        var pieces: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = min(rest.count, Int.random(in: 1...30, using: &entropy))
            pieces.append(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        let whole = run([bytes])
        #expect(whole.last == .endOfStream)
        #expect(run(pieces) == whole)
        #expect(run(bytes.map { [$0] }) == whole)
    }
}
