import DequeModule
import NIOCore
import WebRTC

/// The receiving half of ``PlainSCTP``: puts chunks in order, messages together, and says what has arrived.
struct PlainReceiver {
    /// Numbers kept beyond the first gap, at most: more are dropped and come again.
    private static let ahead = 1024
    /// Numbers told beyond the cumulative one, at most.
    private static let told = 128

    private let largestMessage: Int
    private var cumulative: UInt32 = 0
    private var early: [UInt32: PlainPacket.Chunk] = [:]
    /// Unfinished messages: of a stream, of its unordered ones by their first number.
    private var parts: [UInt16: SCTPMessage] = [:]
    private var ready: Deque<SCTPMessage> = []
    private var owesAcknowledgement = false
    private(set) var lastReset: UInt32 = 0

    init(largestMessage: Int) { self.largestMessage = largestMessage }

    mutating func received(_ chunk: PlainPacket.Chunk) {
        owesAcknowledgement = true
        guard chunk.tsn > cumulative, chunk.tsn - cumulative <= UInt32(Self.ahead), early[chunk.tsn] == nil else {
            return
        }
        early[chunk.tsn] = chunk
        // A whole unordered message waits for nobody.
        if chunk.isUnordered, chunk.isFirst, chunk.isLast { ready.append(message(of: chunk)) }
        advance()
    }

    /// A chunk that cannot be taken now: the sender hears that we live, and sends it again.
    mutating func refused() { owesAcknowledgement = true }

    /// The sender gave up everything to `tsn` that has not arrived.
    mutating func skipped(to tsn: UInt32, _ streams: [(stream: UInt16, number: UInt32)]) {
        owesAcknowledgement = true
        guard tsn > cumulative, tsn - cumulative <= UInt32(Self.ahead) * 64 else { return }
        for number in early.keys.filter({ $0 <= tsn }).sorted() {
            guard let chunk = early.removeValue(forKey: number) else { continue }
            take(chunk)
        }
        for (stream, _) in streams { parts[stream] = nil }
        cumulative = tsn
        advance()
    }

    /// A request to forget the numbers of streams; nil when it waits for data, or was carried out before.
    mutating func reset(_ number: UInt32, _ streams: [UInt16], after tsn: UInt32) -> [UInt16]? {
        guard number > lastReset, cumulative >= tsn else { return nil }
        lastReset = number
        for stream in streams { parts[stream] = nil }
        return streams
    }

    mutating func nextMessage() -> SCTPMessage? { ready.popFirst() }

    mutating func acknowledgement() -> PlainPacket? {
        guard owesAcknowledgement else { return nil }
        owesAcknowledgement = false
        return .acknowledge(cumulative, others: Array(early.keys.sorted().prefix(Self.told)))
    }

    private mutating func advance() {
        while let chunk = early.removeValue(forKey: cumulative &+ 1) {
            cumulative &+= 1
            take(chunk)
        }
    }

    private mutating func take(_ chunk: PlainPacket.Chunk) {
        if chunk.isUnordered, chunk.isFirst, chunk.isLast { return }  // delivered already
        if chunk.isFirst {
            parts[chunk.stream] = message(of: chunk)
        } else {
            guard let length = parts[chunk.stream]?.bytes.readableBytes,
                length + chunk.bytes.readableBytes <= largestMessage
            else { return parts[chunk.stream] = nil }
            parts[chunk.stream]?.bytes.writeImmutableBuffer(chunk.bytes)
        }
        if chunk.isLast, let message = parts.removeValue(forKey: chunk.stream) { ready.append(message) }
    }

    private func message(of chunk: PlainPacket.Chunk) -> SCTPMessage {
        SCTPMessage(
            stream: chunk.stream, chunk.payloadProtocol, chunk.bytes, isUnordered: chunk.isUnordered)
    }
}
