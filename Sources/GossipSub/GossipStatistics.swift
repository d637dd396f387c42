/// Counts since the start, and sizes of now, for the screen and for tests.
package struct GossipStatistics: Sendable, Equatable {
    /// Well-formed RPCs received.
    package internal(set) var received = 0
    package internal(set) var sent = 0
    package internal(set) var delivered = 0
    package internal(set) var duplicates = 0
    package internal(set) var rejected = 0
    package internal(set) var published = 0
    /// Copies of other peers' messages sent on.
    package internal(set) var forwarded = 0
    /// Messages sent because of IWANT.
    package internal(set) var answered = 0
    /// Messages of ours sent again to peers that came back.
    package internal(set) var repeated = 0
    package internal(set) var heartbeats = 0

    /// Peers with a state.
    package internal(set) var peers = 0
    package internal(set) var topics = 0
    package internal(set) var seen = 0
    package internal(set) var cachedMessages = 0
    package internal(set) var cachedBytes = 0
    package internal(set) var backoffs = 0
    /// Messages of ours kept for peers that come back.
    package internal(set) var recentMessages = 0
    package internal(set) var recentBytes = 0
    /// Bytes waiting for the rest of their frame.
    package internal(set) var inboxBytes = 0
}
