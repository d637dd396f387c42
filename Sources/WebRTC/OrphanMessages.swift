import DequeModule
import NIOCore
import Wire

/// Messages of streams whose announcement has not arrived: an unordered remote's may overtake it.
///
/// Limits: `Limits.orphanMessages`, `Limits.orphanBytes`; beyond, messages are dropped.
struct OrphanMessages {
    private var messages: Deque<SCTPMessage> = []
    private var bytes = 0

    mutating func append(_ message: SCTPMessage) {
        guard messages.count < Limits.orphanMessages, bytes + message.bytes.readableBytes <= Limits.orphanBytes
        else { return }
        messages.append(message)
        bytes += message.bytes.readableBytes
    }

    /// Those of a stream that is known now, in order.
    mutating func take(_ stream: UInt16) -> [SCTPMessage] {
        guard !messages.isEmpty else { return [] }
        let found = messages.filter { $0.stream == stream }
        messages.removeAll { $0.stream == stream }
        bytes -= found.reduce(0) { $0 + $1.bytes.readableBytes }
        return Array(found)
    }
}
