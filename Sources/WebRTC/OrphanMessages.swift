import DequeModule
import NIOCore
import Wire

/// Messages of streams whose announcement has not arrived: an unordered remote's may overtake it.
///
/// Limits: `Limits.orphanMessages`, `Limits.orphanBytes`, `Limits.orphanTime`; beyond, messages are dropped.
struct OrphanMessages {
    private var messages: Deque<(message: SCTPMessage, until: NIODeadline)> = []
    private var bytes = 0

    var isEmpty: Bool { messages.isEmpty }

    /// - Returns: whether there was room.
    mutating func append(_ message: SCTPMessage, now: NIODeadline) -> Bool {
        while let first = messages.first, first.until <= now {
            messages.removeFirst()
            bytes -= first.message.bytes.readableBytes
        }
        guard messages.count < Limits.orphanMessages, bytes + message.bytes.readableBytes <= Limits.orphanBytes
        else { return false }
        messages.append((message, now + Limits.orphanTime))
        bytes += message.bytes.readableBytes
        return true
    }

    /// Those of a stream that is known now, in order.
    mutating func take(_ stream: UInt16) -> [SCTPMessage] {
        guard !messages.isEmpty else { return [] }
        let found = messages.filter { $0.message.stream == stream }.map(\.message)
        messages.removeAll { $0.message.stream == stream }
        bytes -= found.reduce(0) { $0 + $1.bytes.readableBytes }
        return found
    }
}
