import NIOCore
import OrderedCollections
import Wire

/// The messages of the last heartbeats: what IHAVE advertises and IWANT gets (libp2p/specs gossipsub, "Message Cache").
///
/// Bounded by count and bytes besides time; a flood pushes out the flood, see `FairQueue`.
struct MessageCache {
    struct Message {
        let id: MessageID
        let topic: Topic
        let from: PeerID
        let sequenceNumber: UInt64
        let data: ByteBuffer
        let encoded: EncodedMessage
        fileprivate(set) var foreign: ForeignIDs
        fileprivate let window: Int
        /// How often each peer got it by IWANT.
        fileprivate var answers: [PeerID: Int] = [:]  // never iterated
    }
    private struct Key {
        let id: MessageID
        let window: Int
    }
    private var messages: [MessageID: Message] = [:]  // never iterated: `order` is
    private var foreign: [MessageID: MessageID] = [:]  // never iterated
    private var order = FairQueue<Key>()
    private var window = 0
    private let length: Int
    private let gossip: Int
    private let byteLimit: Int

    init(length: Int, gossip: Int, byteLimit: Int = Limits.gossipCachedBytes) {
        self.length = length
        self.gossip = gossip
        self.byteLimit = byteLimit
    }

    var count: Int { order.count }
    var byteCount: Int { order.cost }

    /// Keeps a message that `source` brought; one that is there already stays as it is.
    mutating func insert(_ message: GossipMessage, _ encoded: EncodedMessage, foreign: ForeignIDs) {
        guard messages[message.id] == nil else { return }
        messages[message.id] = Message(
            id: message.id, topic: message.topic, from: message.from, sequenceNumber: message.sequenceNumber,
            data: message.data, encoded: encoded, foreign: foreign, window: window)
        index(message.id, foreign)
        order.append(
            Key(id: message.id, window: window), cost: encoded.bytes.storageCapacity, from: message.receivedFrom)
        while order.count > Limits.gossipCachedMessages || order.cost > byteLimit, let key = order.popFromLargest() {
            forget(key)
        }
    }

    /// The message with this id, ours or of a dialect in use.
    func message(_ id: MessageID) -> Message? { messages[id] }
    func message(foreign id: MessageID) -> Message? { foreign[id].flatMap { messages[$0] } }

    /// Notes that `peer` asked for the message; false when it has got it often enough.
    mutating func countAnswer(_ id: MessageID, to peer: PeerID) -> Bool {
        guard messages[id]?.answers[peer, default: 0] ?? .max < Limits.gossipRetransmissions else { return false }
        messages[id]?.answers[peer, default: 0] += 1
        return true
    }

    /// Computes the ids of dialects that came into use after the messages.
    mutating func index(_ dialects: DialectsInUse) {
        var ids: [MessageID] = []
        order.forEach { ids.append($0.id) }
        for id in ids {
            guard let message = messages[id] else { continue }
            let foreign = dialects.ids(
                from: message.from, sequenceNumber: message.sequenceNumber, data: message.data)
            messages[id]?.foreign = foreign
            index(id, foreign)
        }
    }

    /// The messages of the last windows that are advertised, by topic.
    func advertised() -> OrderedDictionary<Topic, [Message]> {
        var topics: OrderedDictionary<Topic, [Message]> = [:]
        order.forEach { key in
            guard key.window > window - gossip, let message = messages[key.id] else { return }
            topics[message.topic, default: []].append(message)
        }
        return topics
    }

    /// A heartbeat is over: the oldest window is dropped.
    mutating func shift() {
        window += 1
        var over: [Key] = []
        let oldest = window - length + 1
        order.popFirst(where: { $0.window < oldest }, { over.append($0) })
        for key in over { forget(key) }
    }

    private mutating func index(_ id: MessageID, _ foreign: ForeignIDs) {
        for alias in foreign.all { self.foreign[alias] = id }
    }

    private mutating func forget(_ key: Key) {
        guard let message = messages.removeValue(forKey: key.id) else { return }
        for alias in message.foreign.all where foreign[alias] == key.id { foreign.removeValue(forKey: alias) }
    }
}
