import Channels
import NIOCore

/// Both sides of multistream-select: however the bytes are cut, the answers are the same.
enum MultistreamFuzz {
    static func run(_ input: UnsafeBufferPointer<UInt8>) {
        precondition(responder(input, step: .max) == responder(input, step: 1), "depends on how bytes were cut")
        initiator(input)
    }

    private static func responder(_ input: UnsafeBufferPointer<UInt8>, step: Int) -> [UInt8] {
        var responder = MultistreamResponder()
        var inbox = ByteBuffer()
        var written = ByteBuffer()
        var feed = Feed(input, step: step)
        while feed.next(into: &inbox) {
            do {
                reading: while true {
                    switch try responder.received(&inbox, supporting: ["/a/1.0.0", "/b"]) {
                    case .none: break reading
                    case .write(let bytes): written.writeImmutableBuffer(bytes)
                    case .accepted(_, let bytes):
                        written.writeImmutableBuffer(bytes)
                        return Array(written.readableBytesView)
                    }
                }
            } catch {
                // What was answered before an error depends on how much was known when.
                return []
            }
        }
        return Array(written.readableBytesView)
    }

    private static func initiator(_ input: UnsafeBufferPointer<UInt8>) {
        var initiator = MultistreamInitiator(["/a/1.0.0", "/b", "/c"])
        _ = initiator.opened()
        var inbox = ByteBuffer(bytes: input)
        for _ in 0..<8 { guard (try? initiator.received(&inbox)) != nil else { return } }
    }
}

/// Input in pieces of at most `step` bytes.
struct Feed {
    private var rest: Slice<UnsafeBufferPointer<UInt8>>
    private let step: Int

    init(_ input: UnsafeBufferPointer<UInt8>, step: Int) { (rest, self.step) = (input[...], step) }

    /// Appends the next piece; false when there is none.
    mutating func next(into buffer: inout ByteBuffer) -> Bool {
        guard !rest.isEmpty else { return false }
        buffer.writeBytes(rest.prefix(step))
        rest = rest.dropFirst(min(step, rest.count))
        return true
    }
}
