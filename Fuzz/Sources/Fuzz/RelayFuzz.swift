import NIOCore
import Node
import Wire

/// Hop and stop messages, alone, and heard by each of the five leaves of the relay protocol however they are cut.
enum RelayFuzz {
    private static let now = NIODeadline.uptimeNanoseconds(1)
    private static let relay = KeyPair.generate().peerID
    private static let own = KeyPair.generate().peerID

    static func run(_ input: UnsafeBufferPointer<UInt8>) {
        let bytes = ByteBuffer(bytes: input)
        if let message = try? HopMessage(protobuf: bytes) {
            // A kind that nobody knows is not written, and reads as the first one.
            let again = try? HopMessage(protobuf: message.protobuf)
            precondition(message.kind == nil || again == message, "a hop message does not lead back")
            let addresses = message.reservation?.addresses.count ?? 0
            precondition(addresses <= Limits.relayMessageAddresses, "more addresses than allowed")
            precondition(message.frame().readableBytes <= Limits.relayMessage + 2 || message.isLong, "too long a frame")
        }
        if let message = try? StopMessage(protobuf: bytes) {
            let again = try? StopMessage(protobuf: message.protobuf)
            precondition(message.kind == nil || again == message, "a stop message does not lead back")
        }
        _ = try? ReservationVoucher(opening: bytes, from: relay, for: own, now: 1000)
        let whole = heard(input, step: .max)
        precondition(whole == heard(input, step: 1 + Int(input.first ?? 0) % 32), "depends on how bytes were cut")
    }

    /// What the leaves make of it, in words that can be compared.
    private static func heard(_ input: UnsafeBufferPointer<UInt8>, step: Int) -> [String] {
        var words: [String] = []
        feed(input, step) { [box = Box(HopResponder(now: now))] in
            note(box.leaf.received(&$0), .none, &words)
        }
        feed(input, step) { [box = Box(StopResponder(now: now))] in
            note(box.leaf.received(&$0), .none, &words)
        }
        feed(input, step) { [box = Box(CircuitRequest(now: now))] in
            note(box.leaf.received(&$0), .none, &words)
        }
        feed(input, step) { [box = Box(StopRequest(now: now))] in
            note(box.leaf.received(&$0), .none, &words)
        }
        feed(input, step) { [box = Box(ReserveRequest(to: relay, own: own, now: now))] in
            let action = box.leaf.received(&$0, unixSeconds: 1000)
            if case .reserved(let granted) = action {
                precondition(granted.expires > 1000, "granted for no time")
                precondition(granted.addresses.count <= Limits.relayMessageAddresses, "more addresses than allowed")
            }
            note(action, .none, &words)
        }
        return words
    }

    private final class Box<Leaf> {
        var leaf: Leaf
        init(_ leaf: Leaf) { self.leaf = leaf }
    }

    private static func feed(
        _ input: UnsafeBufferPointer<UInt8>, _ step: Int, _ received: (inout ByteBuffer) -> Void
    ) {
        var feed = Feed(input, step: step)
        var inbox = ByteBuffer()
        while feed.next(into: &inbox) { received(&inbox) }
    }

    private static func note<Action: Equatable>(_ action: Action, _ none: Action, _ words: inout [String]) {
        if action != none { words.append("\(action)") }
    }
}

extension HopMessage {
    /// What a remote may write and we never do: a voucher or a peer that fills the message by itself.
    fileprivate var isLong: Bool {
        var bare = self
        bare.reservation?.addresses = []
        return bare.protobuf.readableBytes > Limits.relayMessage
    }
}
