import DequeModule
import NIOCore
import OrderedCollections
package import Wire

/// A question for the system's resolver, and which resolution it belongs to.
package struct NameQuery: Sendable {
    /// Names the question in the answer.
    package struct ID: Hashable, Sendable {
        let resolution: UInt64
        let query: AddressResolver.QueryID
    }
    package let id: ID
    package let name: String
    package let kind: AddressResolver.Kind
}

/// The names being looked up: one ``AddressResolver`` for each address that has some.
struct Resolutions: Machine {
    /// What an address is resolved for.
    enum Purpose {
        /// Somebody dials it.
        case request(RequestID)
        /// A peer to stay connected to.
        case keeping(Multiaddr)
        /// A relay to be reached through.
        case listening(Multiaddr)
        /// A server of STUN.
        case stun
        /// A server of TURN, by its place in the configuration.
        case turn(Int)
    }
    enum Input {
        case resolve(Multiaddr, Purpose)
        /// The answer to a question; nil when there is none.
        case answered(NameQuery.ID, [AddressResolver.Record]?)
        /// Nobody waits for what was resolved for this request.
        case cancel(RequestID)
        case tick
    }
    enum Output {
        case query(NameQuery)
        case resolved(Purpose, AddressResolver.Resolution)
    }

    private var resolvers: OrderedDictionary<UInt64, (resolver: AddressResolver, purpose: Purpose)> = [:]
    private var last: UInt64 = 0
    private var outputs: Deque<Output> = []

    var deadline: NIODeadline { resolvers.values.reduce(.distantFuture) { min($0, $1.resolver.deadline) } }

    mutating func poll() -> Output? { outputs.popFirst() }

    mutating func handle(_ input: consuming Input, now: NIODeadline) {
        switch input {
        case .resolve(let address, let purpose):
            last += 1
            resolvers[last] = (AddressResolver(address), purpose)
            give(.start, to: last, now: now)
        case .answered(let id, let records):
            give(records.map { .answered(id.query, $0) } ?? .failed(id.query), to: id.resolution, now: now)
        case .cancel(let request):
            resolvers.removeAll { if case .request(request) = $0.value.purpose { true } else { false } }
        case .tick:
            for (id, entry) in resolvers where entry.resolver.deadline <= now { give(.tick, to: id, now: now) }
        }
    }

    private mutating func give(_ input: AddressResolver.Input, to id: UInt64, now: NIODeadline) {
        guard var entry = resolvers[id] else { return }
        entry.resolver.handle(input, now: now)
        resolvers[id] = entry
        while let output = resolvers[id]?.resolver.poll() {
            switch output {
            case .query(let query, let name, let kind):
                outputs.append(
                    .query(NameQuery(id: NameQuery.ID(resolution: id, query: query), name: name, kind: kind)))
            case .finished(let resolution):
                resolvers[id] = nil
                outputs.append(.resolved(entry.purpose, resolution))
            }
        }
    }
}

extension AddressResolver.Failure {
    /// In plain words.
    var words: String {
        switch self {
        case .failed(let name, _): "\(name): there is no such name, or no name server answers"
        case .timedOut(let name, _): "\(name): the name server does not answer"
        case .noMatchingRecord(let name): "\(name) does not lead to that peer"
        case .invalidName(let name): "\(name) is no name"
        case .tooDeep(let name): "\(name): too many names that lead to names"
        case .tooManyLookups, .tooManyAddresses: "the name leads to too many others"
        }
    }
}
