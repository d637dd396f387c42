import Wire

/// The transaction ids of the latest requests and where each came from.
///
/// A retransmission comes on the path of the original. The same request from elsewhere is a copy that somebody else
/// made: answering it, or moving the connection there, is what its maker is after. (A NAT that rebinds between a
/// request and its retransmission looks the same; the next request puts that right.)
///
/// Limits: `Limits.iceRecentRequests`, of which the oldest is forgotten first.
struct RecentRequests {
    private var ring: [(id: STUNTransactionID, path: ICEPath)] = []
    private var next = 0

    /// Whether the same request came from elsewhere before. Looks without noting: before anything costly.
    func isCopy(_ id: STUNTransactionID, on path: ICEPath) -> Bool {
        for known in ring where known.id == id { return known.path != path }
        return false
    }

    /// Notes an authentic request that is no copy; a retransmission is noted already.
    mutating func note(_ id: STUNTransactionID, on path: ICEPath) {
        for known in ring where known.id == id { return }
        if ring.count < Limits.iceRecentRequests {
            ring.append((id, path))
        } else {
            ring[next] = (id, path)
            next = (next + 1) % ring.count
        }
    }
}
