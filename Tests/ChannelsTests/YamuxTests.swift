import NIOCore
import Testing
import VectorFiles
import Wire

@testable import Channels

@Suite struct YamuxTests {
    private let now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private let window = 262_144

    private func session(_ role: Role = .listener, inbound: Int = 512) -> YamuxSession {
        var session = YamuxSession(role: role, inboundLimit: inbound, keepAliveInterval: .seconds(30))
        session.handle(.started, now: now)
        return session
    }

    private func frame(
        _ kind: YamuxHeader.Kind, _ flags: YamuxHeader.Flags = [], _ stream: UInt32, _ length: Int, body: Int? = nil
    ) -> ByteBuffer {
        var bytes = ByteBuffer()
        YamuxHeader(kind, flags, stream: stream, length: UInt32(clamping: length)).write(to: &bytes)
        let count = body ?? (kind == .data ? length : 0)
        bytes.writeRepeatingByte(UInt8(ascii: "x"), count: count)
        return bytes
    }

    private func events(_ session: inout YamuxSession) -> [String] {
        var result: [String] = []
        while let output = session.poll() {
            switch output {
            case .opened(let id): result.append("opened \(id)")
            case .received(let id, let bytes): result.append("received \(id) \(bytes.readableBytes)")
            case .endOfStream(let id): result.append("end \(id)")
            case .closed(let id, let end): result.append("closed \(id) \(end)")
            case .writable(let id): result.append("writable \(id)")
            case .roundTrip(let time): result.append("rtt \(time.nanoseconds)")
            case .remoteGoAway(let code): result.append("go away \(code)")
            case .failed(let error): result.append("failed \(error)")
            case .silent: result.append("silent")
            }
        }
        return result
    }

    private func frames(_ session: inout YamuxSession, data: Bool = true) -> [YamuxHeader] {
        var result: [YamuxHeader] = []
        while let (header, _) = session.nextFrame(data: data) { result.append(header) }
        return result
    }

    @Test func headersReplayTheVectors() throws {
        let kinds: [String: YamuxHeader.Kind] = [
            "data": .data, "window_update": .windowUpdate, "ping": .ping, "go_away": .goAway,
        ]
        var count = 0
        for vector in try Vectors.load("yamux") {
            guard let type = vector.input["type"] as? String else { continue }
            count += 1
            let wire = try hex(vector.output["hex"])
            let expected = YamuxHeader(
                try #require(kinds[type]), .init(rawValue: UInt16(try #require(vector.input["flags"] as? Int))),
                stream: UInt32(try #require(vector.input["stream_id"] as? Int)),
                length: UInt32(try #require(vector.input["length"] as? Int)))
            var bytes = ByteBuffer()
            expected.write(to: &bytes)
            bytes.writeImmutableBuffer(try hex(vector.input["body_hex"]))
            #expect(bytes == wire, "\(vector.name)")
            let read = try YamuxHeader(from: &bytes)
            #expect(read == expected)
            for cut in 0..<12 {
                var part = try #require(wire.getSlice(at: 0, length: cut))
                let early = try YamuxHeader(from: &part)
                #expect(early == nil)
                #expect(part.readableBytes == cut)
            }
        }
        #expect(count == 18)
    }

    @Test(arguments: [false, true]) func badFramesOfTheVectorsEndTheSession(split: Bool) throws {
        let expected: [String: YamuxError] = [
            "bad: version 1": .unknownVersion(1), "bad: unknown type 4": .unknownType(4),
            "bad: client uses an even id (received by the server)": .wrongParity(2),
            "bad: SYN twice for stream 1 (received by the server)": .duplicateStream(1),
            "bad: first data frame exceeds the 256 KiB window: header only": .receiveWindowExceeded(1),
        ]
        var seen = 0
        for vector in try Vectors.load("yamux") {
            guard let error = expected[vector.name] else { continue }
            seen += 1
            var session = session()
            let bytes = try hex(vector.input["hex"])
            for piece in split ? bytewise(bytes) : [bytes] { session.handle(.bytes(piece), now: now) }
            #expect(events(&session).last == "failed \(error)", "\(vector.name)")
            #expect(frames(&session).last == YamuxHeader(.goAway, stream: 0, length: 1))
        }
        #expect(seen == expected.count)
    }

    struct Row: CustomTestStringConvertible, Sendable {
        let name: String
        let frames: [(YamuxHeader.Kind, YamuxHeader.Flags, UInt32, Int)]
        let events: [String]
        var testDescription: String { name }
        init(
            _ name: String, _ frames: [(YamuxHeader.Kind, YamuxHeader.Flags, UInt32, Int)], _ events: [String]
        ) {
            self.name = name
            self.frames = frames
            self.events = events
        }
    }

    static let rows = [
        Row(
            "open, data, end", [(.windowUpdate, .syn, 1, 0), (.data, [], 1, 3), (.windowUpdate, .fin, 1, 0)],
            ["opened 1", "received 1 3", "end 1"]),
        Row("data with SYN and FIN", [(.data, [.syn, .fin], 9, 4)], ["opened 9", "received 9 4", "end 9"]),
        Row("empty data with FIN", [(.data, .syn, 1, 0), (.data, .fin, 1, 0)], ["opened 1", "end 1"]),
        Row("a second FIN is ignored", [(.data, [.syn, .fin], 1, 0), (.data, .fin, 1, 0)], ["opened 1", "end 1"]),
        Row(
            "data after FIN resets the stream only", [(.data, [.syn, .fin], 1, 0), (.data, [], 1, 5)],
            ["opened 1", "end 1", "closed 1 violation"]),
        Row(
            "reset, then late frames",
            [(.data, .syn, 1, 1), (.windowUpdate, .rst, 1, 0), (.data, [], 1, 9), (.windowUpdate, [], 1, 9)],
            ["opened 1", "received 1 1", "closed 1 reset"]),
        Row(
            "reset on a data frame drops its payload", [(.data, .syn, 1, 1), (.data, .rst, 1, 7)],
            ["opened 1", "received 1 1", "closed 1 reset"]),
        Row(
            "unknown streams are discarded",
            [
                (.data, [], 1, 100), (.windowUpdate, [], 3, 5), (.data, .fin, 2, 7), (.data, [], 0, 7),
                (.windowUpdate, .rst, 99, 0), (.data, .ack, 5, 1),
            ], []),
        Row(
            "SYN of a stream closed moments ago", [(.data, .syn, 1, 0), (.data, .rst, 1, 0), (.data, .syn, 1, 0)],
            ["opened 1", "closed 1 reset", "failed duplicateStream(1)"]),
        Row("numbers may come out of order", [(.data, .syn, 5, 0), (.data, .syn, 3, 0)], ["opened 5", "opened 3"]),
        Row("SYN for the session", [(.data, .syn, 0, 0)], ["failed sessionStream"]),
        Row("SYN with a whole window", [(.data, .syn, 1, 262_144)], ["opened 1", "received 1 262144"]),
        Row("SYN with one byte more", [(.data, .syn, 1, 262_145)], ["opened 1", "failed receiveWindowExceeded(1)"]),
        Row(
            "data beyond the window", [(.data, .syn, 1, 200_000), (.data, [], 1, 62_145)],
            ["opened 1", "received 1 200000", "failed receiveWindowExceeded(1)"]),
        Row(
            "more than any window for an unknown stream", [(.data, [], 1, 16 << 20 | 1)],
            ["failed receiveWindowExceeded(1)"]),
        Row(
            "window overflow", [(.windowUpdate, .syn, 1, 0xFFFF_FFFF)],
            ["opened 1", "failed sendWindowOverflow(1)"]),
        Row(
            "window overflow in two steps", [(.windowUpdate, .syn, 1, 0xFFFB_FFFF), (.windowUpdate, [], 1, 1)],
            ["opened 1", "failed sendWindowOverflow(1)"]),
        Row("go away", [(.goAway, [], 0, 0), (.data, .syn, 1, 0)], ["go away 0"]),
        Row(
            "pings with odd flags and answers nobody waits for",
            [(.ping, [], 0, 1), (.ping, [.syn, .ack], 0, 1), (.ping, .syn, 3, 1), (.ping, .ack, 0, 99)], []),
    ]

    @Test(arguments: rows) func framesHaveTheirEffectAtAnySplit(row: Row) {
        var all = ByteBuffer()
        for (kind, flags, stream, length) in row.frames {
            // A refused payload is never needed: it is refused by its header.
            let body = length > 262_144 ? 0 : length
            all.writeImmutableBuffer(frame(kind, flags, stream, length, body: kind == .data ? body : 0))
        }
        var whole = session()
        whole.handle(.bytes(all), now: now)
        #expect(events(&whole) == row.events)
        guard all.readableBytes < 10_000 else { return }
        var split = session()
        var joined: [String] = []
        for piece in bytewise(all) {
            split.handle(.bytes(piece), now: now)
            joined += events(&split)
        }
        #expect(joined.filter { !$0.hasPrefix("received") } == row.events.filter { !$0.hasPrefix("received") })
        #expect(frames(&whole) == frames(&split))
    }

    @Test func aSessionStartsWithAPingAndMeasures() {
        var session = session(.dialer)
        #expect(frames(&session) == [YamuxHeader(.ping, .syn, stream: 0, length: 1)])
        session.handle(.bytes(frame(.ping, .ack, 0, 1)), now: now + .milliseconds(40))
        #expect(events(&session) == ["rtt 40000000"])
        #expect(session.deadline == now + .milliseconds(40) + .seconds(30))
        session.handle(.tick, now: session.deadline)
        #expect(frames(&session) == [YamuxHeader(.ping, .syn, stream: 0, length: 2)])
    }

    @Test func whateverArrivesCountsAsLife() {
        var session = session(.dialer)
        _ = frames(&session)
        session.handle(.bytes(frame(.data, [], 1, 1)), now: now + .seconds(9))
        session.handle(.tick, now: now + .seconds(10))
        #expect(events(&session) == [])
        session.handle(.tick, now: now + .seconds(20))
        #expect(events(&session) == ["silent"])
    }

    @Test func aFloodOfPingsEndsTheSession() {
        var session = session()
        _ = frames(&session)
        for value in 0..<Limits.pingBurst { session.handle(.bytes(frame(.ping, .syn, 0, value)), now: now) }
        #expect(frames(&session).count == Limits.pingBurst)
        session.handle(.bytes(frame(.ping, .syn, 0, 1)), now: now + .milliseconds(200))
        #expect(frames(&session) == [YamuxHeader(.ping, .ack, stream: 0, length: 1)])
        session.handle(.bytes(frame(.ping, .syn, 0, 1)), now: now + .milliseconds(201))
        #expect(events(&session) == ["failed pingFlood"])
    }

    @Test func streamsBeyondTheLimitAreReset() {
        var session = session(inbound: 2)
        _ = frames(&session)
        for stream: UInt32 in [1, 3, 5] { session.handle(.bytes(frame(.windowUpdate, .syn, stream, 0)), now: now) }
        #expect(events(&session) == ["opened 1", "opened 3"])
        #expect(
            frames(&session) == [
                YamuxHeader(.windowUpdate, .rst, stream: 5, length: 0),
                YamuxHeader(.windowUpdate, .ack, stream: 1, length: 0),
                YamuxHeader(.windowUpdate, .ack, stream: 3, length: 0),
            ])
    }

    @Test func aFloodOfStreamsEndsTheSessionAndHoldsNothing() {
        var session = session(inbound: 2)
        _ = frames(&session)
        for index in 0..<2000 {
            session.handle(.bytes(frame(.windowUpdate, .syn, UInt32(1 + 2 * index), 0)), now: now)
        }
        #expect(events(&session) == ["opened 1", "opened 3", "failed streamFlood"])
        #expect(session.resets.isEmpty)
        #expect(session.tombstones.count <= Limits.yamuxTombstones)
    }

    @Test func answersNobodyReadsEndTheSession() {
        var session = session(inbound: 0)
        var time = now
        var index: UInt32 = 1
        while !session.isOver, index < 10_000 {
            session.handle(.bytes(frame(.windowUpdate, .syn, index, 0)), now: time)
            index += 2
            time = time + .milliseconds(20)
        }
        #expect(events(&session) == ["failed unreadReplies"])
    }

    @Test func creditReturnsOnConsumptionAndDoublesForAFastReader() {
        var session = session()
        session.handle(.bytes(frame(.ping, .ack, 0, 1)), now: now)
        _ = frames(&session)
        session.handle(.bytes(frame(.ping, .ack, 0, 1)), now: now + .milliseconds(100))
        session.handle(.bytes(frame(.data, .syn, 1, window)), now: now + .milliseconds(100))
        _ = events(&session)
        _ = frames(&session)
        session.consumed(window / 2 - 1, of: StreamID(1), now: now + .milliseconds(150))
        #expect(frames(&session).isEmpty)
        session.consumed(1, of: StreamID(1), now: now + .milliseconds(150))
        // Half the window, and the window grown by itself.
        let grown = UInt32(window / 2 + window)
        #expect(frames(&session) == [YamuxHeader(.windowUpdate, stream: 1, length: grown)])
        #expect(session.windowGrowth == 262_144)
        session.consumed(window / 2, of: StreamID(1), now: now + .seconds(9))
        #expect(frames(&session).isEmpty)
        // More than was delivered counts for nothing.
        session.consumed(1 << 40, of: StreamID(1), now: now + .seconds(9))
        #expect(frames(&session).isEmpty)
        session.reset(StreamID(1))
        #expect(session.windowGrowth == 0)
    }

    @Test func windowsOfOneConnectionGrowWithinTheirSum() {
        var session = session()
        _ = frames(&session)
        session.handle(.bytes(frame(.ping, .ack, 0, 1)), now: now + .seconds(1))
        for stream in 0..<10 { session.handle(.bytes(frame(.data, .syn, UInt32(1 + 2 * stream), 0)), now: now) }
        var granted = [UInt32](repeating: 262_144, count: 10)
        for _ in 0..<20 {
            for stream in 0..<10 {
                let id = UInt32(1 + 2 * stream)
                let count = min(Int(granted[stream]), 1 << 20)
                session.handle(.bytes(frame(.data, [], id, count)), now: now + .seconds(1))
                granted[stream] -= UInt32(count)
                session.consumed(count, of: StreamID(id), now: now + .seconds(1))
                for header in frames(&session) where header.stream == id { granted[stream] += header.length }
            }
        }
        #expect(!session.isOver)
        #expect(session.windowGrowth == Limits.yamuxWindowGrowth)
        #expect(granted.allSatisfy { $0 <= Limits.yamuxMaximumWindow })
    }

    @Test func streamsTakeTurns() throws {
        var session = session(.dialer)
        let first = try session.open(now: now)
        let second = try session.open(now: now)
        session.write(ByteBuffer(repeating: 1, count: 40_000), to: first)
        session.write(ByteBuffer(repeating: 2, count: 40_000), to: second)
        session.closeWrite(second)
        let data = frames(&session).filter { $0.kind == .data || $0.flags == .fin }
        #expect(data.map(\.stream) == [1, 3, 1, 3, 1, 3, 3])
        let full = UInt32(Limits.yamuxPayload)
        let rest = 40_000 - 2 * full
        #expect(data.map(\.length) == [full, full, full, full, rest, rest, 0])
    }

    @Test func aSenderStopsAtItsWindow() throws {
        var session = session(.dialer)
        let id = try session.open(now: now)
        session.write(ByteBuffer(repeating: 1, count: window + 5), to: id)
        #expect(frames(&session).reduce(0) { $0 + ($1.kind == .data ? Int($1.length) : 0) } == window)
        #expect(session.bufferedAmount(of: id) == 5)
        session.handle(.bytes(frame(.windowUpdate, .ack, 1, 3)), now: now)
        #expect(frames(&session) == [YamuxHeader(.data, stream: 1, length: 3)])
        #expect(session.queuedBytes == 2)
    }

    @Test func smallWritesShareAFrame() throws {
        var session = session(.dialer)
        let id = try session.open(now: now)
        for _ in 0..<100 { session.write(ByteBuffer(string: "0123456789"), to: id) }
        #expect(frames(&session).filter { $0.kind == .data }.map(\.length) == [1000])
    }

    @Test func aSmallPayloadDoesNotHoldALargeBuffer() {
        var session = session()
        var bytes = frame(.data, .syn, 1, 10)
        bytes.writeImmutableBuffer(frame(.data, [], 99, 60_000))
        session.handle(.bytes(bytes), now: now)
        _ = session.poll()
        guard case .received(_, let payload) = session.poll() else {
            Issue.record("no data")
            return
        }
        #expect(payload.storageCapacity < 64)
    }

    @Test func aStreamResetBeforeItWasAnnouncedLeavesNoTrace() throws {
        var session = session(.dialer)
        _ = frames(&session)
        let id = try session.open(now: now)
        session.write(ByteBuffer(string: "lost"), to: id)
        session.reset(id)
        #expect(frames(&session).isEmpty)
        #expect(session.queuedBytes == 0)
        #expect(session.streamCount == 0)
    }

    @Test func openingIsLimited() throws {
        var session = session(.dialer)
        for _ in 0..<Limits.streamsPerConnection { _ = try session.open(now: now) }
        #expect(throws: StreamError.tooManyStreams) { try session.open(now: now) }
    }

    @Test func aBudgetRefillsWithTime() {
        var bucket = TokenBucket(capacity: 2, perSecond: 2)
        let times: [Int64] = [0, 0, 499, 500, 999, 1_000_000, 1_000_000, 1_000_000]
        let verdicts = times.map { bucket.take(now: now + .milliseconds($0)) }
        #expect(verdicts == [true, true, false, true, false, true, true, false])
    }
}
