import Channels
import NIOCore
import Node
import Wire

/// The frames of a stream over a data channel: however the messages are cut, the same frames come out.
enum FramingFuzz {
    static func run(_ input: UnsafeBufferPointer<UInt8>) {
        let whole = frames(input, step: .max)
        precondition(whole == frames(input, step: 1), "depends on how messages were cut")
        for frame in whole {
            var decoder = ChannelFrameDecoder()
            decoder.append(frame.encoded)
            let again = try? decoder.next()
            precondition(again == frame, "a frame does not lead back")
        }
        stream(input)
    }

    private static func frames(_ input: UnsafeBufferPointer<UInt8>, step: Int) -> [ChannelFrame] {
        var decoder = ChannelFrameDecoder()
        var feed = Feed(input, step: step)
        var found: [ChannelFrame] = []
        var message = ByteBuffer()
        while feed.next(into: &message) {
            decoder.append(message)
            message.clear()
            while true {
                do {
                    guard let frame = try decoder.next() else { break }
                    found.append(frame)
                } catch { return found }
            }
        }
        return found
    }

    /// A stream that hears anything, while its owner writes and closes.
    private static func stream(_ input: UnsafeBufferPointer<UInt8>) {
        var stream = ChannelStream(isInbound: true)
        var now = NIODeadline.uptimeNanoseconds(1)
        var feed = Feed(input, step: 1 + Int(input.first ?? 0))
        var message = ByteBuffer()
        stream.write(ByteBuffer(repeating: 1, count: 100))
        while feed.next(into: &message) {
            stream.received(message)
            message.clear()
            reading: while true {
                switch stream.next(now: now) {
                case .none: break reading
                case .received(let bytes):
                    precondition(stream.consumed(bytes.readableBytes) == bytes.readableBytes, "credit was lost")
                case .endOfStream: stream.closeWrite()
                case .reset, .violation: return
                }
            }
            while let frame = stream.nextFrame(withRoom: true, acknowledgesFins: true, now: now) {
                precondition(frame.readableBytes <= Limits.channelFrameSent, "a frame longer than others take")
            }
            now = now + .milliseconds(100)
        }
    }
}
