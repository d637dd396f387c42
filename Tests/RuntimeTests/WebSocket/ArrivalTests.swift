import NIOCore
import NIOEmbedded
import Testing
import Wire

@testable import Runtime

/// The first bytes of a socket, and heads of HTTP.
@Suite struct ArrivalTests {
    static let openings: [(String, PipeKinds, ArrivalHandler.Decision)] = [
        ("", [.tcp, .webSocket], .undecided),
        ("\u{13}/multistream/1.0.0\n", [.tcp, .webSocket], .tcp),
        ("\u{13}", [.tcp, .webSocket], .tcp),
        ("\u{13}", [.webSocket], .refused),
        ("G", [.tcp, .webSocket], .undecided),
        ("GET", [.tcp, .webSocket], .undecided),
        ("GET ", [.tcp, .webSocket], .webSocket),
        ("GET / HTTP/1.1\r\n", [.webSocket], .webSocket),
        ("GET ", [.tcp], .refused),
        ("GETX", [.webSocket], .refused),
        ("POST", [.webSocket], .refused),
        ("\u{16}\u{03}\u{01}", [.tcp, .webSocket], .refused),
        ("\u{16}", [.tcp, .webSocket, .secureWebSocket], .secureWebSocket),
        ("\u{16}", [.secureWebSocket], .secureWebSocket),
        ("\u{13}", [.secureWebSocket], .refused),
        ("GET ", [.secureWebSocket], .refused),
        ("SSH-2.0", [.tcp, .webSocket], .refused),
    ]

    @Test(arguments: openings)
    func theFirstBytesSayWhatItIs(_ text: String, _ kinds: PipeKinds, _ decision: ArrivalHandler.Decision) {
        #expect(ArrivalHandler.decision(ByteBuffer(string: text), among: kinds) == decision)
    }

    private func gate() throws -> EmbeddedChannel {
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandler(HTTPHeadGate())
        return channel
    }

    private func received(_ channel: EmbeddedChannel) throws -> String {
        var text = ""
        while let piece = try channel.readInbound(as: ByteBuffer.self) { text += String(buffer: piece) }
        return text
    }

    private static let head = "GET / HTTP/1.1\r\nhost: a\r\n\r\n"

    @Test(arguments: [1, 2, 3, 7, 100])
    func aHeadComesThroughWholeAndWhatFollowsBehindIt(piece: Int) throws {
        let channel = try gate()
        var rest = (Self.head + "frames")[...]
        while !rest.isEmpty {
            let before = try received(channel)
            #expect(before.isEmpty || before.hasPrefix("GET") || "frames".contains(before))
            try channel.writeInbound(ByteBuffer(string: String(rest.prefix(piece))))
            rest = rest.dropFirst(piece)
        }
        _ = try channel.finish()
    }

    @Test(arguments: [1, 26, 100])
    func nothingIsLostAtTheGate(piece: Int) throws {
        let channel = try gate()
        let all = Self.head + "frames and more frames"
        var (rest, out) = (all[...], "")
        while !rest.isEmpty {
            try channel.writeInbound(ByteBuffer(string: String(rest.prefix(piece))))
            rest = rest.dropFirst(piece)
            out += try received(channel)
        }
        #expect(out == all)
        _ = try channel.finish()
    }

    @Test(arguments: [1000, 100_000])
    func anEndlessHeadIsCutOff(piece: Int) throws {
        let channel = try gate()
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        #expect(throws: WebSocketError.headTooLong) {
            for _ in 0..<100 { try channel.writeInbound(ByteBuffer(repeating: 0x61, count: piece)) }
        }
        #expect(!channel.isActive)
        #expect(try received(channel).isEmpty)
    }

    @Test func aHeadOfExactlyTheLimitComesThroughAndOneByteMoreDoesNot() throws {
        for (extra, passes) in [(0, true), (1, false)] {
            let channel = try gate()
            let head = String(repeating: "a", count: Limits.webSocketHead - 4 + extra) + "\r\n\r\n"
            if passes {
                try channel.writeInbound(ByteBuffer(string: head + "x"))
                #expect(try received(channel) == head + "x")
            } else {
                #expect(throws: WebSocketError.headTooLong) { try channel.writeInbound(ByteBuffer(string: head)) }
            }
        }
    }
}
