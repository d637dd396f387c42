import ICE
import NIOCore
import Wire

/// A TURN client at the mercy of its server. The input is the server's TCP stream: STUN messages and ChannelData, one
/// behind the other.
///
/// Each is heard as it is, and STUN once more as the answer to what the client asked last, with its transaction and,
/// when the bytes have MESSAGE-INTEGRITY, signed with the right key: a server knows both.
enum TURNFuzz {
    private static let key = STUNKey(username: "ada", realm: "example.org", password: "secret")
    private static let peer = TransportAddress(.v4(IPv4Address(0xC000_0201)), port: 7000)

    static func run(_ input: UnsafeBufferPointer<UInt8>) {
        for transport in [TURNServer.Transport.tcp, .udp] {
            let address = TransportAddress(.v4(IPv4Address(0xCB00_7109)), port: 3478)
            let server = TURNServer(address: address, transport: transport, username: "ada", password: "secret")
            var play = Play(client: TURNClient(server: server, entropy: .seeded(1)))
            play.handle(.start)
            var framing = TURNFraming()
            var inbox = ByteBuffer(bytes: input)
            while case .frame(let frame) = framing.received(&inbox) {
                precondition(frame.readableBytes <= Limits.turnFrame, "a frame above the limit")
                play.hear(frame)
            }
            if transport == .udp { play.hear(ByteBuffer(bytes: input)) }
            play.wait()
            play.handle(.close)
        }
        cut(input)
    }

    /// However a stream is cut, the same frames come out.
    private static func cut(_ input: UnsafeBufferPointer<UInt8>) {
        func frames(_ step: Int) -> [TURNFraming.Action] {
            var (framing, feed, inbox) = (TURNFraming(), Feed(input, step: step), ByteBuffer())
            var found: [TURNFraming.Action] = []
            while feed.next(into: &inbox) {
                while case let action = framing.received(&inbox), action != .none {
                    found.append(action)
                    if action == .broken { return found }
                }
            }
            return found
        }
        precondition(frames(.max) == frames(1 + Int(input.first ?? 0) % 16), "depends on how the stream was cut")
    }

    private struct Play {
        var client: TURNClient
        var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
        /// The last request.
        var asked: STUNMessage?
        var sent = 0

        mutating func handle(_ input: TURNClient.Input) {
            client.handle(input, now: now)
            while let output = client.poll() {
                switch output {
                case .send(let bytes):
                    sent += 1
                    if let message = try? STUNMessage(parsing: bytes), message.messageClass == .request {
                        asked = message
                    }
                case .received(let bytes, _):
                    precondition(bytes.readableBytes <= Limits.turnFrame, "more than came")
                case .allocated, .ended: break
                }
            }
        }

        mutating func hear(_ frame: ByteBuffer) {
            handle(.received(frame))
            if let message = try? STUNMessage(parsing: frame), let asked {
                let answer = STUNMessage(
                    message.messageClass, asked.method, transaction: asked.transaction, attributes: message.attributes)
                handle(.received(answer.encoded(key: message.hasIntegrity ? TURNFuzz.key : nil)))
            }
            // What makes it ask for a permission, and for a channel.
            handle(.send(ByteBuffer(bytes: [0, 1, 0, 0]), to: TURNFuzz.peer))
            handle(.send(ByteBuffer(bytes: [22, 1, 2, 3]), to: TURNFuzz.peer))
            now = now + .milliseconds(700)
            handle(.tick)
        }

        /// An hour of deadlines.
        mutating func wait() {
            let end = now + .hours(1)
            var ticks = 0
            while client.deadline <= end {
                now = max(now, client.deadline)
                handle(.tick)
                ticks += 1
                precondition(ticks < 10_000, "it never rests")
            }
            precondition(sent < 20_000, "it never stops asking")
        }
    }
}
