import NIOCore
import Wire

/// Asks STUN servers what they see of our bases (RFC 8445 §5.1.1.2).
///
///     asking ──answer──▶ known until the next refresh ──▶ asking
///        └──five attempts──▶ unknown until the next refresh
///
/// Anybody could answer such a question who sees it; an answer must come from the server's address, to the base it
/// was asked from, with its transaction id. Refreshing keeps a NAT's binding open while the remote is being told of
/// it. Ends with the first selected pair.
///
/// Limits: `Limits.iceServers` times the bases, which `Limits.iceLocalCandidates` bounds; one request of each is
/// out at a time.
struct ServerQueries {
    private struct Query {
        let path: ICEPath
        let preference: UInt16
        var id: STUNTransactionID
        var sent = 0
        var next: NIODeadline
        var isAnswered = false
        /// Answered or given up once.
        var isSettled = false
    }

    private static let attempts = 5
    private static let wait = TimeAmount.milliseconds(250)

    private var queries: [Query] = []
    private let servers: [TransportAddress]
    private let pacing: TimeAmount
    private let interval: TimeAmount

    init(_ configuration: ICEConfiguration) {
        servers = Array(configuration.servers.prefix(Limits.iceServers))
        (pacing, interval) = (configuration.pacing, configuration.serverInterval)
    }

    var deadline: NIODeadline { queries.lazy.map(\.next).min() ?? .distantFuture }

    /// Questions that were asked and not answered.
    var outstanding: Int { queries.lazy.filter { $0.sent > 0 && !$0.isAnswered }.count }

    /// Whether one has neither an answer nor had all its attempts.
    var isGathering: Bool { queries.contains { !$0.isSettled && $0.sent < Self.attempts } }

    /// A new base: its questions follow by `timedOut`, one after the other.
    mutating func add(_ base: ICECandidate, now: NIODeadline, entropy: inout Entropy) {
        for server in servers where CandidatePair.canReach(server.ip, from: base.address.ip) {
            let start = now + .nanoseconds(pacing.nanoseconds * Int64(queries.count))
            queries.append(
                Query(
                    path: ICEPath(local: base.address, remote: server), preference: base.localPreference,
                    id: STUNTransactionID(from: &entropy), next: start))
        }
    }

    mutating func removeAll() { queries = [] }

    /// The next request that is due; nil when none is.
    mutating func timedOut(now: NIODeadline, entropy: inout Entropy) -> (ByteBuffer, ICEPath)? {
        guard let index = queries.firstIndex(where: { now >= $0.next }) else { return nil }
        if queries[index].isAnswered || queries[index].sent >= Self.attempts {
            (queries[index].isAnswered, queries[index].sent) = (false, 0)
            queries[index].isSettled = true
            queries[index].id = STUNTransactionID(from: &entropy)
        }
        let wait = Self.wait.nanoseconds << Int64(queries[index].sent)
        queries[index].sent += 1
        queries[index].next = now + (queries[index].sent < Self.attempts ? .nanoseconds(wait) : interval)
        let request = STUNMessage(.request, transaction: queries[index].id).encoded()
        return (request, queries[index].path)
    }

    /// A response that no check waits for; the candidate it tells of, if it is an answer and the server saw
    /// something else than the base.
    mutating func received(_ message: STUNMessage, on path: ICEPath, now: NIODeadline) -> ICECandidate? {
        let found = queries.firstIndex {
            $0.id == message.transaction && $0.path == path && $0.sent > 0 && !$0.isAnswered
        }
        guard let index = found else { return nil }
        (queries[index].isAnswered, queries[index].isSettled) = (true, true)
        queries[index].next = now + interval
        guard message.messageClass == .success, let seen = message.xorMappedAddress ?? message.mappedAddress,
            seen != path.local, seen.port > 0, !seen.ip.isUnspecified, !seen.ip.isMulticast
        else { return nil }
        return ICECandidate(
            foundation: ICECandidate.foundation(.serverReflexive, base: path.local.ip, server: path.remote.ip),
            priority: ICECandidate.priority(.serverReflexive, localPreference: queries[index].preference),
            address: seen, type: .serverReflexive, related: path.local)
    }
}
