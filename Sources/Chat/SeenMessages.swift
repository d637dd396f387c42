import DequeModule
import Wire

/// Remembers the last messages by author and sequence number, because peers of this network give the same message
/// different ids.
struct SeenMessages: Sendable {
    private struct Key: Hashable, Sendable {
        let author: PeerID
        let sequenceNumber: UInt64
    }
    private var keys: Set<Key> = []
    private var order: Deque<Key> = []

    /// True the first time.
    mutating func insert(_ author: PeerID, _ sequenceNumber: UInt64) -> Bool {
        let key = Key(author: author, sequenceNumber: sequenceNumber)
        guard keys.insert(key).inserted else { return false }
        order.append(key)
        if order.count > Limits.seenChatMessages, let oldest = order.popFirst() { keys.remove(oldest) }
        return true
    }
}
