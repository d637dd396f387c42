import NIOCore
import WebRTC
import WebRTCRuntime

/// The end that answers: echoes or counts, as it is told.
struct Server {
    let configuration: WebRTCConfiguration

    func run(port: Int) async throws {
        var signals = SignalLine.accept(port: port)
        var peer: WebRTCPeer?
        while let (word, offer) = signals.receive(), word != "QUIT" {
            await peer?.close()
            let next = WebRTCPeer(configuration: configuration)
            peer = next
            await next.onChannel { peer, channel in Self.serve(channel, peer) }
            signals.send("ANSWER", try await next.accept(offer: offer))
        }
    }

    private static func serve(_ channel: DataChannelHandle, _ peer: isolated WebRTCPeer) {
        let state = ChannelService()
        let bound = NIOLoopBound(state, eventLoop: peer.eventLoop)
        peer.onMessage(of: channel.id) { peer, message in
            switch message {
            case .binary(let bytes):
                if let reply = bound.value.received(bytes) { try? peer.send(reply, on: channel.id) }
            case .text(let bytes):
                if let reply = bound.value.asked(String(buffer: bytes)) { try? peer.send(reply, on: channel.id) }
            }
        }
    }
}

/// What one channel is to do with what arrives.
final class ChannelService {
    private var isEcho = false
    private var wanted = 0
    private var received = 0
    private var start = 0.0

    func received(_ bytes: ByteBuffer) -> DataChannelMessage? {
        if isEcho { return .binary(bytes) }
        if received == 0 { start = microseconds() }
        received += bytes.readableBytes
        guard received >= wanted else { return nil }
        return .text(ByteBuffer(string: "DONE \(received) \(Int(microseconds() - start))"))
    }

    func asked(_ line: String) -> DataChannelMessage? {
        let words = line.split(separator: " ")
        switch words.first {
        case "ECHO":
            isEcho = true
            return .text(ByteBuffer(string: "OK"))
        case "SINK":
            (isEcho, wanted, received) = (false, words.dropFirst().first.flatMap { Int($0) } ?? 0, 0)
            return .text(ByteBuffer(string: "OK"))
        case "STATS":
            let (cpu, resident, peak) = usage()
            return .text(ByteBuffer(string: "STATS \(text(cpu, 6)) \(resident) \(peak)"))
        default: return nil
        }
    }
}
