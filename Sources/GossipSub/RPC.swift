import NIOCore
import Wire

/// One RPC as received (libp2p/specs gossipsub v1.1, "Protobuf"): everything counted, nothing believed.
///
/// Messages and ids are slices of the frame. IDONTWANT, extensions, partial messages and peers offered in PRUNE are
/// skipped like unknown fields: what belongs to later versions of the protocol finds its place here.
struct RPC {
    struct Subscription: Equatable {
        var isSubscribed: Bool
        var topic: Topic
    }
    struct Prune: Equatable {
        var topic: Topic
        /// Seconds; nil when absent.
        var backoff: UInt64?
    }
    struct IHave {
        var topic: Topic
        var ids: [ByteBuffer]
    }

    private(set) var subscriptions: [Subscription] = []
    private(set) var messages: [WireMessage] = []
    private(set) var ihave: [IHave] = []
    private(set) var iwant: [ByteBuffer] = []
    private(set) var graft: [Topic] = []
    private(set) var prune: [Prune] = []
    private var subscriptionCount = 0
    private var controlCount = 0
    private var idCount = 0

    /// Decodes a frame's content.
    ///
    /// Entries with a topic no peer can mean (empty, too long, not UTF-8) are counted and dropped. More entries than
    /// `Limits` allows is an error, found before the entry behind the last allowed one is kept.
    init(_ frame: ByteBuffer) throws(ProtobufError) {
        var reader = ProtobufReader(frame)
        while let field = try reader.next() {
            switch field.number {
            case 1: try readSubscription(try field.bytes)
            case 2:
                guard messages.count < Limits.gossipMessagesPerRPC else {
                    throw .tooMany(field: 2, limit: Limits.gossipMessagesPerRPC)
                }
                messages.append(try WireMessage(try field.bytes))
            case 3: try readControl(try field.bytes)
            default: break
            }
        }
    }

    private mutating func readSubscription(_ bytes: ByteBuffer) throws(ProtobufError) {
        guard subscriptionCount < Limits.gossipSubscriptionsPerRPC else {
            throw .tooMany(field: 1, limit: Limits.gossipSubscriptionsPerRPC)
        }
        subscriptionCount += 1
        var reader = ProtobufReader(bytes)
        var isSubscribed = false
        var topic: ByteBuffer?
        while let field = try reader.next() {
            switch field.number {
            case 1: isSubscribed = try field.bool
            case 2: topic = try field.bytes
            default: break
            }
        }
        guard let topic, let topic = Topic(wire: topic) else { return }
        subscriptions.append(Subscription(isSubscribed: isSubscribed, topic: topic))
    }

    private mutating func readControl(_ bytes: ByteBuffer) throws(ProtobufError) {
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            guard (1...4).contains(field.number) else { continue }
            guard controlCount < Limits.gossipControlPerRPC else {
                throw .tooMany(field: 3, limit: Limits.gossipControlPerRPC)
            }
            controlCount += 1
            switch field.number {
            case 1: try readIHave(try field.bytes)
            case 2: try readIWant(try field.bytes)
            case 3: if let topic = try Self.readTopic(try field.bytes) { graft.append(topic) }
            default: try readPrune(try field.bytes)
            }
        }
    }

    private mutating func readIHave(_ bytes: ByteBuffer) throws(ProtobufError) {
        var reader = ProtobufReader(bytes)
        var topic: ByteBuffer?
        var ids: [ByteBuffer] = []
        while let field = try reader.next() {
            switch field.number {
            case 1: topic = try field.bytes
            case 2: keep(try field.bytes, in: &ids)
            default: break
            }
        }
        guard let topic, let topic = Topic(wire: topic) else { return }
        ihave.append(IHave(topic: topic, ids: ids))
    }

    private mutating func readIWant(_ bytes: ByteBuffer) throws(ProtobufError) {
        var reader = ProtobufReader(bytes)
        var ids: [ByteBuffer] = []
        while let field = try reader.next() {
            if field.number == 1 { keep(try field.bytes, in: &ids) }
        }
        iwant += ids
    }

    /// Keeps an id, unless there are `Limits.gossipIDsPerRPC` or it is longer than any dialect's.
    private mutating func keep(_ id: ByteBuffer, in ids: inout [ByteBuffer]) {
        guard idCount < Limits.gossipIDsPerRPC, (1...Limits.gossipMessageID).contains(id.readableBytes) else { return }
        idCount += 1
        ids.append(id)
    }

    private mutating func readPrune(_ bytes: ByteBuffer) throws(ProtobufError) {
        var reader = ProtobufReader(bytes)
        var topic: ByteBuffer?
        var backoff: UInt64?
        while let field = try reader.next() {
            switch field.number {
            case 1: topic = try field.bytes
            case 3: backoff = try field.varint
            default: break
            }
        }
        guard let topic, let topic = Topic(wire: topic) else { return }
        prune.append(Prune(topic: topic, backoff: backoff))
    }

    private static func readTopic(_ bytes: ByteBuffer) throws(ProtobufError) -> Topic? {
        var reader = ProtobufReader(bytes)
        var topic: ByteBuffer?
        while let field = try reader.next() {
            if field.number == 1 { topic = try field.bytes }
        }
        return topic.flatMap { Topic(wire: $0) }
    }
}
