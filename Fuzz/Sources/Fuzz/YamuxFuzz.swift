import Channels
import NIOCore
import Wire

/// A Yamux session that hears anything, with an owner that answers, consumes and closes as an application does.
enum YamuxFuzz {
    static func run(_ input: UnsafeBufferPointer<UInt8>) {
        for role in [Role.dialer, .listener] {
            var session = YamuxSession(role: role, inboundLimit: 16, keepAliveInterval: .seconds(30))
            var now = NIODeadline.uptimeNanoseconds(1)
            session.handle(.started, now: now)
            if let own = try? session.open(now: now) { session.write(ByteBuffer(repeating: 9, count: 100), to: own) }
            var feed = Feed(input, step: 1 + Int(input.first ?? 0))
            var bytes = ByteBuffer()
            while feed.next(into: &bytes) {
                session.handle(.bytes(bytes), now: now)
                bytes.clear()
                answer(&session, now: now)
                now = now + .milliseconds(10)
            }
            session.handle(.tick, now: now + .hours(1))
            while session.poll() != nil {}
            precondition(session.streamCount <= 17, "more streams than allowed")
        }
    }

    private static func answer(_ session: inout YamuxSession, now: NIODeadline) {
        while let output = session.poll() {
            switch output {
            case .received(let id, let bytes):
                session.consumed(bytes.readableBytes, of: id, now: now)
                session.write(bytes, to: id)
            case .endOfStream(let id): session.closeWrite(id)
            default: break
            }
        }
        for _ in 0..<1000 where session.nextFrame(data: true) == nil { break }
    }
}
