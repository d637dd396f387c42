import NIOCore
import NIOEmbedded
import NIOWebSocket
import Testing
import Wire

@testable import Runtime

/// Frames become bytes and bytes frames; what is no frame of libp2p's ends the socket.
@Suite struct WebSocketHandlerTests {
    /// A pipe end without a socket beneath it: frames by their bytes, pipe bytes by the buffer.
    private final class End {
        let channel = EmbeddedChannel()

        init(_ role: WebSocketHandler.Role) throws {
            try channel.pipeline.syncOperations.addHandlers([
                WebSocketFrameEncoder(),
                ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: Limits.webSocketFrame)),
                WebSocketHandler(role: role),
            ])
            try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        }

        /// Everything that came out to the pipe.
        func received() throws -> [UInt8] {
            var bytes: [UInt8] = []
            while let piece = try channel.readInbound(as: ByteBuffer.self) { bytes += piece.readableBytesView }
            return bytes
        }

        /// Everything that was sent.
        func sent() throws -> [UInt8] {
            var bytes: [UInt8] = []
            while let piece = try channel.readOutbound(as: ByteBuffer.self) { bytes += piece.readableBytesView }
            return bytes
        }

        /// The error that came with these bytes, if any.
        func error(from bytes: [UInt8]) -> WebSocketError? {
            do { try channel.writeInbound(ByteBuffer(bytes: bytes)) } catch { return error as? WebSocketError }
            return nil
        }
    }

    /// A frame with a mask of zeros, or without.
    private static func frame(_ first: UInt8, _ payload: [UInt8], masked: Bool = true) -> [UInt8] {
        [first, (masked ? 0x80 : 0) | UInt8(payload.count)] + (masked ? [0, 0, 0, 0] : []) + payload
    }

    @Test(arguments: [1, 2, 3, 1000])
    func bytesComeOutHoweverFramesAreCut(piece: Int) throws {
        let end = try End(.server)
        let stream =
            Self.frame(0x82, [1, 2]) + Self.frame(0x02, [3]) + Self.frame(0x00, []) + Self.frame(0x89, [9])
            + Self.frame(0x80, [4, 5]) + Self.frame(0x8A, [7]) + Self.frame(0x82, [])
        var rest = stream[...]
        while !rest.isEmpty {
            try end.channel.writeInbound(ByteBuffer(bytes: rest.prefix(piece)))
            rest = rest.dropFirst(piece)
        }
        #expect(try end.received() == [1, 2, 3, 4, 5])
        #expect(try end.sent() == [0x8A, 1, 9])
        #expect(end.channel.isActive)
    }

    @Test func masksAreTakenOff() throws {
        let end = try End(.server)
        try end.channel.writeInbound(ByteBuffer(bytes: [0x82, 0x83, 1, 2, 3, 4, 0x61 ^ 1, 0x62 ^ 2, 0x63 ^ 3]))
        #expect(try end.received() == Array("abc".utf8))
    }

    /// Code of the close frame, and the bytes that earn it.
    static let offences: [(UInt16, [UInt8], WebSocketHandler.Role)] = [
        (1002, frame(0x82, [1], masked: false), .server),
        (1002, frame(0x82, [1]), .client),
        (1002, frame(0xC2, [1]), .server),
        (1002, frame(0xA2, [1]), .server),
        (1002, frame(0x92, [1]), .server),
        (1002, frame(0x83, [1]), .server),
        (1002, frame(0x8B, [1]), .server),
        (1002, frame(0x80, [1]), .server),
        (1002, frame(0x02, [1]) + frame(0x82, [2]), .server),
        (1002, frame(0x09, [1]), .server),
        (1002, [0x89, 0xFE, 0, 126, 0, 0, 0, 0], .server),
        (1003, frame(0x81, Array("hi".utf8)), .server),
        (1009, [0x82, 0xFF, 0, 0, 0, 0, 0, 8, 0, 1, 0, 0, 0, 0], .server),
        (1009, [0x82, 0xFF, 0x7F, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0], .server),
        (1009, [0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], .server),
        (1009, [0x82, 0xFF, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0], .server),
    ]

    @Test(arguments: offences)
    func whatIsNoFrameOfLibp2psEndsTheSocket(code: UInt16, bytes: [UInt8], role: WebSocketHandler.Role) throws {
        let end = try End(role)
        guard case .misbehaved? = end.error(from: bytes) else {
            Issue.record("nothing was said")
            return
        }
        let sent = try end.sent()
        try #require(sent.count >= 4 && sent[0] == 0x88)
        #expect((sent[1] & 0x80 != 0) == (role == .client))
        let mask = role == .client ? Array(sent[2..<4]) : [0, 0]
        let reason = role == .client ? Array(sent[6..<8]) : Array(sent[2..<4])
        #expect(UInt16(reason[0] ^ mask[0]) << 8 | UInt16(reason[1] ^ mask[1]) == code)
        #expect(!end.channel.isActive)
        // Nothing of what stood behind the offence comes through.
        let received = try end.received()
        #expect(!received.contains(2))
    }

    @Test func aCloseFrameIsAnsweredByItsCode() throws {
        let end = try End(.server)
        try end.channel.writeInbound(ByteBuffer(bytes: Self.frame(0x88, [0x03, 0xE9, 0x62, 0x79])))
        #expect(try end.sent() == [0x88, 2, 0x03, 0xE9])
        #expect(!end.channel.isActive)
    }

    @Test func pingsBeyondTheBudgetGoUnanswered() throws {
        let end = try End(.server)
        for _ in 0..<1000 { try end.channel.writeInbound(ByteBuffer(bytes: Self.frame(0x89, []))) }
        // A thousand are through within a few seconds on the slowest machine.
        let pongs = try end.sent().count / 2
        #expect(pongs < 500)
        #expect(end.channel.isActive)
    }

    @Test func largeWritesBecomeSeveralMessages() throws {
        let end = try End(.server)
        let bytes = ByteBuffer(bytes: (0..<150_000).map { UInt8(truncatingIfNeeded: $0) })
        try end.channel.writeOutbound(bytes)
        let other = try End(.client)
        try other.channel.writeInbound(ByteBuffer(bytes: end.sent()))
        #expect(try other.received() == Array(bytes.readableBytesView))
    }

    @Test func whatAClientSendsIsMaskedAndAServerReadsIt() throws {
        let client = try End(.client)
        try client.channel.writeOutbound(ByteBuffer(string: "hello"))
        let sent = try client.sent()
        #expect(sent.count == 11 && sent[1] == 0x85)
        let server = try End(.server)
        try server.channel.writeInbound(ByteBuffer(bytes: sent))
        #expect(try server.received() == Array("hello".utf8))
    }

    @Test func anEmptyWriteSaysGoodbyeBehindEverythingElse() throws {
        let end = try End(.server)
        try end.channel.writeOutbound(ByteBuffer(bytes: [5]))
        try end.channel.writeOutbound(ByteBuffer())
        #expect(try end.sent() == [0x82, 1, 5, 0x88, 2, 0x03, 0xE8])
        #expect(throws: ChannelError.ioOnClosedChannel) { try end.channel.writeOutbound(ByteBuffer(bytes: [6])) }
    }
}
