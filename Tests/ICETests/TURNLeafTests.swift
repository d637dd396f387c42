import ICE
import NIOCore
import Testing
import Wire

/// ChannelData, frames in a stream, URLs of servers.
@Suite struct TURNLeafTests {
    // MARK: ChannelData

    @Test(arguments: [0, 1, 2, 3, 4, 1200])
    func channelDataComesBackAsItWas(count: Int) throws {
        let bytes = ByteBuffer(repeating: 7, count: count)
        for padded in [false, true] {
            let encoded = ChannelData(number: 0x4FFF, bytes: bytes).encoded(padded: padded)
            #expect(encoded.readableBytes == (padded ? (4 + count + 3) & ~3 : 4 + count))
            #expect(ChannelData(parsing: encoded) == ChannelData(number: 0x4FFF, bytes: bytes))
        }
    }

    @Test(
        arguments: [
            [], [0x40], [0x40, 0, 0], [0x40, 0, 0, 1], [0x3F, 0xFF, 0, 0], [0x50, 0, 0, 0], [0x40, 0, 0xFF, 0xFF, 1],
            [0x40, 0, 0, 0, 0, 0, 0, 0],
        ] as [[UInt8]])
    func whatIsNoChannelDataIsNone(bytes: [UInt8]) {
        #expect(ChannelData(parsing: ByteBuffer(bytes: bytes)) == nil)
    }

    // MARK: Frames

    private static let stream: (bytes: ByteBuffer, frames: [ByteBuffer]) = {
        let frames = [
            STUNMessage(.success, .refresh, transaction: STUNTransactionID(high: 1, low: 2), attributes: [.lifetime(9)])
                .encoded(),
            ChannelData(number: 0x4000, bytes: ByteBuffer(bytes: [1, 2, 3, 4, 5])).encoded(padded: true),
            ChannelData(number: 0x4001, bytes: ByteBuffer()).encoded(padded: true),
            STUNMessage(.indication, .data, transaction: STUNTransactionID(high: 1, low: 3)).encoded(
                fingerprint: false),
        ]
        var bytes = ByteBuffer()
        for frame in frames { bytes.writeImmutableBuffer(frame) }
        return (bytes, frames)
    }()

    @Test(arguments: [1, 2, 3, 5, 7, 64, 4096])
    func framesAreFoundHoweverTheyArrive(piece: Int) {
        var framing = TURNFraming()
        var (rest, inbox) = (Self.stream.bytes, ByteBuffer())
        var frames: [ByteBuffer] = []
        while let next = rest.readSlice(length: min(piece, rest.readableBytes)), next.readableBytes > 0 {
            inbox.writeImmutableBuffer(next)
            while case .frame(let frame) = framing.received(&inbox) { frames.append(frame) }
        }
        #expect(frames == Self.stream.frames)
        #expect(inbox.readableBytes == 0)
    }

    @Test(
        arguments: [
            [0x80, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0xFF], [0x40, 0, 0xFF, 0xFF], [0, 1, 0xFF, 0xFC], [0, 1, 0, 3],
        ] as [[UInt8]])
    func aStreamThatIsNotTURNsIsBroken(bytes: [UInt8]) {
        var framing = TURNFraming()
        var inbox = ByteBuffer(bytes: bytes)
        #expect(framing.received(&inbox) == .broken)
        var good = Self.stream.bytes
        #expect(framing.received(&good) == .broken)
    }

    @Test func whatMayBeDroppedIsTold() {
        let check = STUNMessage(.indication, .send, transaction: STUNTransactionID(high: 1, low: 3)).encoded()
        let request = STUNMessage(.request, .refresh, transaction: STUNTransactionID(high: 1, low: 3)).encoded()
        #expect(TURNPipe.canBeDropped(check) && !TURNPipe.canBeDropped(request))
        #expect(TURNPipe.canBeDropped(ChannelData(number: 0x4000, bytes: ByteBuffer()).encoded(padded: true)))
    }

    // MARK: URLs

    @Test(
        arguments: [
            ("stun:192.0.2.1", .stun, "192.0.2.1", 3478),
            ("STUN:stun.example.org:19302", .stun, "stun.example.org", 19302),
            ("stun:[2001:db8::1]:5", .stun, "2001:db8::1", 5), ("stun:[2001:db8::1]", .stun, "2001:db8::1", 3478),
            ("turn:ada:secret@192.0.2.1:99", .turn(username: "ada", password: "secret", .udp), "192.0.2.1", 99),
            ("turn:ada:s@e:c?r@h.example", .turn(username: "ada", password: "s@e:c?r", .udp), "h.example", 3478),
            ("turn:ada:s@h?transport=TCP", .turn(username: "ada", password: "s", .tcp), "h", 3478),
            ("turn:ada:s@[::1]:7?transport=udp", .turn(username: "ada", password: "s", .udp), "::1", 7),
        ] as [(String, ICEServerURL.Kind, String, UInt16)])
    func urlsOfServersAreRead(text: String, kind: ICEServerURL.Kind, host: String, port: UInt16) throws {
        let url = try ICEServerURL(parsing: text)
        #expect(url.kind == kind && url.host == host && url.port == port)
        #expect((url.address == nil) == (IPAddress(host) == nil))
        let address = TransportAddress(.v4(IPv4Address(1)), port: port)
        #expect((url.turnServer(at: address) == nil) == (kind == .stun))
    }

    @Test(
        arguments: [
            ("", .scheme), ("stun", .scheme), ("stuns:h", .scheme), ("turns:a:b@h", .scheme), ("http:h", .scheme),
            ("stun:", .host), ("stun::5", .host), ("stun:h:", .port), ("stun:h:0", .port), ("stun:h:65536", .port),
            ("stun:h:+5", .port), ("stun:h:5:6", .port), ("stun:2001:db8::1", .port), ("stun:[::1", .host),
            ("stun:[::1]x", .host), ("stun:[192.0.2.1]", .host), ("stun:h h", .host), ("stun:a:b@h", .credentials),
            ("turn:h", .credentials), ("turn:a@h", .credentials), ("turn::b@h", .credentials),
            ("turn:a:@h", .credentials),
            ("stun:h?transport=tcp", .transport), ("turn:a:b@h?transport=sctp", .transport),
            ("turn:a:b@h?x", .transport),
            ("stun:" + String(repeating: "a", count: 2000), .tooLong),
            ("stun:" + String(repeating: "a", count: 300), .host),
        ] as [(String, ICEServerURLError)])
    func otherTextsAreNot(text: String, error: ICEServerURLError) {
        #expect(throws: error) { try ICEServerURL(parsing: text) }
    }
}
