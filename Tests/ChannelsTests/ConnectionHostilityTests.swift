import NIOCore
import Testing
import Wire

@testable import Channels

/// A remote that can say anything inside a genuine Noise channel: it runs the upgrade by hand.
private final class HostileDialer {
    let victim: Connection
    var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    var events: [Connection.Output] = []
    var transport: NoiseTransport
    /// What the victim said inside records.
    var heard = ByteBuffer()
    private var inbox = ByteBuffer()

    /// `muxers` decides whether the muxer is inlined; `glue` follows the last handshake message in the same bytes.
    init(muxers: [String] = ["/yamux/1.0.0"], split: Bool = false, glue: ByteBuffer? = nil) throws {
        var entropy = Entropy.seeded(11)
        let listener = try KeyPair(seed: entropy.bytes(32))
        victim = Connection(
            role: .listener, identity: listener, expecting: nil,
            configuration: ConnectionConfiguration(inboundProtocols: ["/echo/1"]), entropy: entropy.split())
        var handshake = NoiseHandshake(
            .initiator, identity: try KeyPair(seed: entropy.bytes(32)), keys: NoiseKeys(from: &entropy),
            expecting: listener.peerID, muxers: muxers)
        transport = NoiseTransport(
            sealingKey: [UInt8](repeating: 0, count: 32), openingKey: [UInt8](repeating: 0, count: 32))
        victim.handle(.start, now: now)
        var bytes = ByteBuffer()
        bytes.writeToken(MultistreamToken.header)
        bytes.writeToken("/noise")
        // Everything that can be known is glued together.
        if case .write(let first) = handshake.opened() { bytes.writeImmutableBuffer(first) }
        feed(bytes, split: split)
        var answer = MultistreamInitiator(["/noise"])
        _ = answer.opened()
        guard case .accepted = try answer.received(&inbox),
            case .finished(let last, let result) = try handshake.received(&inbox)
        else { throw NoiseError.truncatedMessage }
        transport = result.transport
        var rest = last ?? ByteBuffer()
        if let glue {
            try transport.append(glue, to: &rest)
            try transport.finish(&rest)
        }
        feed(rest, split: split)
        try listen()
    }

    func feed(_ bytes: ByteBuffer, split: Bool = false) {
        for piece in split ? bytewise(bytes) : [bytes] {
            victim.handle(.bytes(piece), now: now)
            drain()
        }
    }

    func drain() {
        while let output = victim.poll() {
            if case .send(let bytes) = output { inbox.writeImmutableBuffer(bytes) } else { events.append(output) }
        }
    }

    private func listen() throws {
        while try transport.receive(&inbox, into: &heard) {}
    }

    /// Says something inside records.
    func say(_ bytes: ByteBuffer, split: Bool = false) throws {
        var output = ByteBuffer()
        try transport.append(bytes, to: &output)
        try transport.finish(&output)
        feed(output, split: split)
        try listen()
    }

    var story: [String] { TestPair.describe(events) }
}

@Suite struct ConnectionHostilityTests {
    private func frame(
        _ kind: YamuxHeader.Kind, _ flags: YamuxHeader.Flags, _ stream: UInt32, _ body: ByteBuffer
    ) -> ByteBuffer {
        var bytes = ByteBuffer()
        YamuxHeader(kind, flags, stream: stream, length: UInt32(body.readableBytes)).write(to: &bytes)
        bytes.writeImmutableBuffer(body)
        return bytes
    }

    private func hello(_ tail: String = "") -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.writeToken(MultistreamToken.header)
        bytes.writeToken("/echo/1")
        bytes.writeString(tail)
        return bytes
    }

    @Test(arguments: [false, true]) func dataGluedToTheHandshakeReachesItsStream(split: Bool) throws {
        let dialer = try HostileDialer(split: split, glue: frame(.data, [.syn, .fin], 1, hello("early")))
        #expect(dialer.story == ["established", "accepted 1 /echo/1", "received 1 early", "end 1"])
    }

    @Test(arguments: [false, true]) func withoutAListTheMuxerIsNegotiatedAndDataMayFollow(split: Bool) throws {
        var glue = ByteBuffer()
        glue.writeToken(MultistreamToken.header)
        glue.writeToken("/mplex/6.7.0")
        glue.writeToken("/yamux/1.0.0")
        glue.writeImmutableBuffer(frame(.data, [.syn, .fin], 1, hello("early")))
        let dialer = try HostileDialer(muxers: [], split: split, glue: glue)
        #expect(dialer.story == ["established", "accepted 1 /echo/1", "received 1 early", "end 1"])
        var answer = MultistreamInitiator(["/mplex/6.7.0", "/yamux/1.0.0"])
        _ = answer.opened()
        let next = try answer.received(&dialer.heard)
        #expect(next == .write(ByteBuffer(string: "\u{d}/yamux/1.0.0\n")))
        let last = try answer.received(&dialer.heard)
        #expect(last == .accepted("/yamux/1.0.0"))
    }

    struct Opening: CustomTestStringConvertible, Sendable {
        let bytes: [UInt8]
        let error: ConnectionError
        var testDescription: String { "\(error) \(bytes.prefix(8))" }
    }

    static let openings = [
        Opening(
            bytes: Array("GET / HTTP/1.1\r\n".utf8) + [UInt8](repeating: 0x41, count: 60),
            error: .negotiation(.missingNewline)),
        Opening(bytes: [0x00], error: .negotiation(.emptyToken)),
        Opening(bytes: [0x81, 0x08], error: .negotiation(.tokenTooLong)),
        Opening(bytes: [0x16, 0x03, 0x01] + [UInt8](repeating: 0x80, count: 20), error: .negotiation(.missingNewline)),
        Opening(
            bytes: Array("\u{13}/multistream/1.0.0\n".utf8)
                + Array([[UInt8]](repeating: Array("\u{3}ls\n".utf8), count: 65).joined()),
            error: .negotiation(.tooManyProposals)),
        Opening(
            bytes: Array("\u{13}/multistream/1.0.0\n\u{7}/noise\n".utf8) + [0, 0], error: .noise(.truncatedMessage)),
        Opening(
            bytes: Array("\u{13}/multistream/1.0.0\n\u{7}/noise\n".utf8) + [0, 32] + [UInt8](repeating: 0, count: 32),
            error: .noise(.degenerateKey)),
    ]

    @Test(arguments: openings) func badOpeningsCloseAtOnce(opening: Opening) throws {
        for split in [false, true] {
            let pair = try TestPair()
            pair.start()
            for piece in split ? bytewise(ByteBuffer(bytes: opening.bytes)) : [ByteBuffer(bytes: opening.bytes)] {
                pair.listener.handle(.bytes(piece), now: pair.now)
            }
            pair.drain()
            #expect(pair.takeListenerEvents() == ["over \(opening.error)"])
            #expect(pair.listener.deadline == .distantFuture)
            #expect(pair.listener.heldBytes == 0)
        }
    }

    @Test func aBadRecordEndsTheConnectionWithoutAWord() throws {
        let dialer = try HostileDialer()
        let heard = dialer.heard.readableBytes
        dialer.feed(ByteBuffer(bytes: [0, 16] + [UInt8](repeating: 1, count: 16)))
        #expect(dialer.story == ["established", "over \(ConnectionError.noise(.authenticationFailed))"])
        #expect(dialer.heard.readableBytes == heard)
    }

    @Test func aBrokenMuxerIsToldAndItsStreamsEnd() throws {
        let dialer = try HostileDialer()
        try dialer.say(frame(.data, .syn, 1, hello()))
        dialer.heard = ByteBuffer()
        var bytes = ByteBuffer()
        YamuxHeader(.windowUpdate, stream: 1, length: .max).write(to: &bytes)
        try dialer.say(bytes)
        #expect(
            dialer.story == [
                "established", "accepted 1 /echo/1", "closed 1 connectionClosed",
                "over \(ConnectionError.yamux(.sendWindowOverflow(1)))",
            ])
        var last: YamuxHeader?
        while let header = try YamuxHeader(from: &dialer.heard) { last = header }
        #expect(last == YamuxHeader(.goAway, stream: 0, length: 1))
    }

    @Test func aBadNegotiationCostsOnlyItsStream() throws {
        let dialer = try HostileDialer()
        try dialer.say(frame(.data, .syn, 1, ByteBuffer(bytes: [0x81, 0x08])))
        try dialer.say(frame(.data, [.syn, .fin], 3, ByteBuffer(bytes: [0x13])))
        try dialer.say(frame(.data, .syn, 5, hello("fine")))
        #expect(dialer.story == ["established", "accepted 5 /echo/1", "received 5 fine"])
        #expect(dialer.victim.streamCount == 1)
    }

    @Test func streamsThatNeverNegotiateAreBoundedAndTimedOut() throws {
        let dialer = try HostileDialer()
        for index in 0..<300 {
            try dialer.say(frame(.windowUpdate, .syn, UInt32(1 + 2 * index), ByteBuffer()))
        }
        #expect(dialer.victim.streamCount == Limits.streamBacklog)
        var pong = ByteBuffer()
        YamuxHeader(.ping, .ack, stream: 0, length: 1).write(to: &pong)
        try dialer.say(pong)
        dialer.now = dialer.now + Limits.negotiationTimeout
        dialer.victim.handle(.tick, now: dialer.now)
        dialer.drain()
        #expect(dialer.victim.streamCount == 0)
        #expect(dialer.story == ["established"])
    }

    @Test func bytesHeldForAStreamInNegotiationAreWithinItsWindow() throws {
        let dialer = try HostileDialer()
        var body = ByteBuffer()
        body.writeToken(MultistreamToken.header)
        body.writeRepeatingByte(0xFF, count: 1)
        try dialer.say(frame(.data, .syn, 1, body))
        var sent = 0
        while dialer.victim.streamCount == 1, sent < 1 << 20 {
            try dialer.say(frame(.data, [], 1, ByteBuffer(repeating: 0xFF, count: 1)))
            sent += 1
        }
        #expect(sent < 10)
        #expect(dialer.victim.heldBytes == 0)
    }

    @Test func rapidResetsExhaustABudget() throws {
        let dialer = try HostileDialer()
        for index in 0..<2000 where !dialer.story.contains(where: { $0.hasPrefix("over") }) {
            var bytes = frame(.windowUpdate, .syn, UInt32(1 + 2 * index), ByteBuffer())
            bytes.writeImmutableBuffer(frame(.windowUpdate, .rst, UInt32(1 + 2 * index), ByteBuffer()))
            try dialer.say(bytes)
            #expect(dialer.victim.streamCount == 0)
        }
        #expect(dialer.story == ["established", "over \(ConnectionError.yamux(.streamFlood))"])
    }

    @Test func controlFramesIntoAFullPipeAreBounded() throws {
        let dialer = try HostileDialer()
        dialer.victim.handle(.pipeWritable(false), now: dialer.now)
        let before = dialer.victim.bytesSent
        for value in 0..<100_000 {
            guard dialer.victim.deadline != .distantFuture else { break }
            dialer.now = dialer.now + .milliseconds(125)
            var bytes = ByteBuffer()
            YamuxHeader(.ping, .syn, stream: 0, length: UInt32(value)).write(to: &bytes)
            try dialer.say(bytes)
        }
        #expect(dialer.story == ["established", "over \(ConnectionError.yamux(.unreadReplies))"])
        #expect(dialer.victim.bytesSent - before <= UInt64(Limits.controlBytesWhileBlocked + 1000))
    }

    /// Whatever is flipped or cut, nothing traps and nothing is held beyond the limits.
    @Test(arguments: 0..<4) func mutatedBytesNeverTrap(seed: Int) throws {
        var entropy = Entropy.seeded(UInt64(seed))
        for round in 0..<100 {
            let pair = try TestPair(seed: UInt64(round % 3))
            let target = Int.random(in: 0..<1000, using: &entropy)
            let bit = UInt8(1) << UInt8.random(in: 0..<8, using: &entropy)
            var position = 0
            pair.chunk = { bytes in
                var bytes = bytes
                let offset = target - position
                position += bytes.readableBytes
                if offset >= 0, let byte = bytes.getInteger(at: bytes.readerIndex + offset, as: UInt8.self) {
                    bytes.setInteger(byte ^ bit, at: bytes.readerIndex + offset)
                }
                return [bytes]
            }
            pair.start()
            pair.run()
            if let id = try? pair.dialer.open(["/echo/1"], now: pair.now) {
                pair.dialer.write(ByteBuffer(repeating: 1, count: 200), to: id, now: pair.now)
                pair.run()
            }
            #expect(pair.dialer.heldBytes <= 66_000 && pair.listener.heldBytes <= 66_000)
        }
    }

    /// The same inside the channel, where a remote needs no luck to pass the cipher.
    @Test(arguments: 0..<4) func mutatedFramesNeverTrap(seed: Int) throws {
        var entropy = Entropy.seeded(UInt64(seed) + 100)
        for _ in 0..<60 {
            let dialer = try HostileDialer()
            for index in 0..<12 {
                let flags = YamuxHeader.Flags(rawValue: UInt16.random(in: 0..<16, using: &entropy))
                let kind = YamuxHeader.Kind(rawValue: UInt8.random(in: 0..<4, using: &entropy)) ?? .data
                var body = hello(String(repeating: "y", count: index))
                if let cut = body.readSlice(length: Int.random(in: 0...body.readableBytes, using: &entropy)) {
                    body = cut
                }
                var bytes = frame(kind, flags, UInt32.random(in: 0..<8, using: &entropy), body)
                let offset = Int.random(in: 0..<bytes.readableBytes * 2, using: &entropy)
                if let byte = bytes.getInteger(at: offset, as: UInt8.self) {
                    bytes.setInteger(byte ^ UInt8.random(in: 1...255, using: &entropy), at: offset)
                }
                try dialer.say(bytes)
                #expect(dialer.victim.heldBytes <= Limits.noiseMessage + 8 * 262_144)
            }
        }
    }
}
