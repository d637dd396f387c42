import OrderedCollections
import Wire

/// What the owner waits for: every request is answered exactly once, or cancelled.
struct Requests {
    private var open: Set<RequestID> = []

    /// Notes a request; false when too many are under way.
    mutating func begin(_ id: RequestID) -> Bool {
        guard open.count < Limits.requests else { return false }
        return open.insert(id).inserted
    }

    /// True the first time: whoever ends a request answers it.
    mutating func end(_ id: RequestID) -> Bool { open.remove(id) != nil }

    /// All that are under way, oldest first.
    var all: [RequestID] { open.sorted() }
}
