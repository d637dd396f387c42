import NIOCore
import Wire

/// What one call of `handle` has to tell one peer.
struct PendingRPC {
    var subscriptions: [RPC.Subscription] = []
    var messages: [EncodedMessage] = []
    var graft: [Topic] = []
    /// Backoffs in seconds; nil toward peers that cannot read them.
    var prune: [RPC.Prune] = []
    var ihave: [(topic: Topic, ids: [MessageID])] = []
    var iwant: [MessageID] = []

    /// The message, when there is nothing else: its frame is the same for every peer.
    var onlyMessage: EncodedMessage? {
        guard messages.count == 1, subscriptions.isEmpty, graft.isEmpty, prune.isEmpty, ihave.isEmpty, iwant.isEmpty
        else { return nil }
        return messages[0]
    }
}

/// A message as it stands in an RPC.
struct EncodedMessage {
    /// Counts the messages of this router: the cheap way to see that two are the same.
    let number: UInt64
    let bytes: ByteBuffer
}

/// Writes a ``PendingRPC`` into as few frames as the limits allow.
///
/// A frame holds at most `Limits.gossipSent` bytes, of which `Limits.gossipControlSent` are subscriptions and
/// control, as rust-libp2p wants it; only a message that is longer by itself travels in a longer frame, alone.
struct RPCPacker {
    private(set) var frames: [ByteBuffer] = []
    /// Fields 1 and 2 of the RPC at work.
    private var body = ByteBuffer()
    /// Content of its field 3.
    private var control = ByteBuffer()
    private var subscriptionBytes = 0

    /// Tag and length in front of the control, length in front of the frame.
    private static let overhead = 1 + 3 + 3

    static func frames(of rpc: PendingRPC) -> [ByteBuffer] {
        var packer = RPCPacker()
        for subscription in rpc.subscriptions { packer.add(subscription) }
        for message in rpc.messages { packer.add(message) }
        for topic in rpc.graft { packer.addControl(field: 3, Self.topic(topic)) }
        for prune in rpc.prune {
            var entry = Self.topic(prune.topic)
            if let backoff = prune.backoff { entry.writeProtobuf(field: 3, varint: backoff) }
            packer.addControl(field: 4, entry)
        }
        for ihave in rpc.ihave { packer.add(ids: ihave.ids, field: 1, idField: 2, head: Self.topic(ihave.topic)) }
        if !rpc.iwant.isEmpty { packer.add(ids: rpc.iwant, field: 2, idField: 1, head: ByteBuffer()) }
        packer.close()
        return packer.frames
    }

    private static func topic(_ topic: Topic) -> ByteBuffer {
        var entry = ByteBuffer()
        entry.writeProtobuf(field: 1, string: topic.name)
        return entry
    }

    private mutating func add(_ subscription: RPC.Subscription) {
        var entry = ByteBuffer()
        entry.writeProtobuf(field: 1, bool: subscription.isSubscribed)
        entry.writeProtobuf(field: 2, string: subscription.topic.name)
        let size = Self.size(entry)
        if subscriptionBytes + control.readableBytes + size > Limits.gossipControlSent { close() }
        subscriptionBytes += size
        body.writeProtobuf(field: 1, bytes: entry)
    }

    private mutating func add(_ message: EncodedMessage) {
        let size = Self.size(message.bytes)
        if body.readableBytes + control.readableBytes + size + Self.overhead > Limits.gossipSent { close() }
        body.reserveCapacity(minimumWritableBytes: size)
        body.writeProtobuf(field: 2, bytes: message.bytes)
    }

    private mutating func addControl(field: Int, _ entry: ByteBuffer) {
        let size = Self.size(entry)
        if subscriptionBytes + control.readableBytes + size > Limits.gossipControlSent
            || body.readableBytes + control.readableBytes + size + Self.overhead > Limits.gossipSent
        {
            close()
        }
        control.writeProtobuf(field: field, bytes: entry)
    }

    /// Ids in entries as long as a frame allows: py-libp2p counts entries per second, and stops listening at ten.
    private mutating func add(ids: [MessageID], field: Int, idField: Int, head: ByteBuffer) {
        var entry = head
        for id in ids {
            if entry.readableBytes + id.bytes.count + 4 > Limits.gossipControlSent - 8 {
                addControl(field: field, entry)
                entry = head
            }
            entry.writeProtobuf(field: idField, bytes: id.bytes)
        }
        addControl(field: field, entry)
    }

    private mutating func close() {
        guard body.readableBytes + control.readableBytes > 0 else { return }
        if control.readableBytes > 0 { body.writeProtobuf(field: 3, bytes: control) }
        var frame = ByteBuffer()
        frame.reserveCapacity(body.readableBytes + 5)
        frame.writeFrame(body)
        frames.append(frame)
        body.clear()
        control.clear()
        subscriptionBytes = 0
    }

    private static func size(_ entry: ByteBuffer) -> Int {
        1 + uvarintLength(UInt64(entry.readableBytes)) + entry.readableBytes
    }
}
