import NIOCore
import Wire

/// Which messages were here already: what makes every message delivered once.
///
/// By author ‖ sequence number alone; ids of other dialects are only looked up, to see whether an IHAVE is news, and
/// never suppress a delivery. Entries live for a time and, in a flood, as long as `FairQueue` leaves them: a peer that
/// brings more than `Limits.gossipSeen` messages in that time can make us forget its own, and only its own when it
/// brings most of all. What is forgotten can be delivered a second time, so those who must not see it twice (the
/// chat) keep a memory of their own.
struct SeenCache {
    private struct Entry {
        let id: MessageID
        let foreign: ForeignIDs
        let expiry: NIODeadline
    }
    private var ids: Set<MessageID> = []  // never iterated
    private var foreign: Set<MessageID> = []  // never iterated
    private var entries = FairQueue<Entry>()
    private let lifetime: TimeAmount
    private let capacity: Int

    init(lifetime: TimeAmount, capacity: Int = Limits.gossipSeen) {
        self.lifetime = lifetime
        self.capacity = capacity
    }

    var count: Int { entries.count }
    func contains(_ id: MessageID) -> Bool { ids.contains(id) }
    func containsForeign(_ id: MessageID) -> Bool { foreign.contains(id) }

    /// Remembers a message that `source` brought; false when it was known.
    @discardableResult
    mutating func insert(_ id: MessageID, foreign: ForeignIDs, from source: PeerID, now: NIODeadline) -> Bool {
        guard ids.insert(id).inserted else { return false }
        self.foreign.formUnion(foreign.all)
        entries.append(Entry(id: id, foreign: foreign, expiry: now + lifetime), cost: 1, from: source)
        while entries.count > capacity, let entry = entries.popFromLargest() { forget(entry) }
        return true
    }

    mutating func expire(now: NIODeadline) {
        var over: [Entry] = []
        entries.popFirst(where: { $0.expiry <= now }, { over.append($0) })
        for entry in over { forget(entry) }
    }

    private mutating func forget(_ entry: Entry) {
        ids.remove(entry.id)
        for id in entry.foreign.all { foreign.remove(id) }
    }
}
