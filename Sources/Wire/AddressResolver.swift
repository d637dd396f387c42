package import NIOCore

/// Turns one multiaddr with names in it into the addresses behind the names (multiformats/multiaddr, DNSADDR).
///
/// `/dns`, `/dns4` and `/dns6` become `/ip4` and `/ip6`; a `/dnsaddr` becomes the addresses in the `dnsaddr=` texts
/// of `_dnsaddr.NAME` that end in what follows the name in the question, and those are resolved in turn. A secure
/// WebSocket keeps the name it lost as `/tls/sni/NAME/ws`.
///
/// ```
/// handle(.start) → query … query        as many at once as there are names
/// handle(.answered / .failed / .tick)   → further queries
/// nothing pending                       → finished, once
/// ```
///
/// Limits: ``Limits/dnsaddrDepth`` lists inside lists, ``Limits/dnsLookups`` questions, ``Limits/dnsAddresses``
/// addresses, ``Limits/dnsRecords`` records of an answer, ``Limits/dnsLookupTimeout`` for each question. An address
/// met twice is followed once, so lists that name each other end.
///
/// Does no IO: the owner asks the questions. Does not rank, and does not ask twice.
package struct AddressResolver: Machine {
    /// One question of one resolver.
    package struct QueryID: Hashable, Comparable, Sendable {
        fileprivate let number: Int
        package static func < (left: QueryID, right: QueryID) -> Bool { left.number < right.number }
    }
    /// What is asked for.
    package enum Kind: Hashable, Sendable { case a, aaaa, txt }
    /// What was found: numbers for A and AAAA, texts for TXT with the strings of each record joined. Records of
    /// another kind than the question's are passed over.
    package enum Record: Hashable, Sendable {
        case address(IPAddress)
        case text(String)
    }
    package enum Input: Sendable {
        case start
        /// The answer, empty when the name has no such records.
        case answered(QueryID, [Record])
        /// No answer: the name does not exist, or nobody to ask.
        case failed(QueryID)
        case tick
    }
    package enum Output: Hashable, Sendable {
        /// Ask for the records of `name`.
        case query(QueryID, name: String, Kind)
        /// Everything is known; the last output.
        case finished(Resolution)
    }
    /// Why part of the answer is missing.
    package enum Failure: Hashable, Sendable {
        case failed(name: String, Kind)
        case timedOut(name: String, Kind)
        /// The list exists, and nothing in it ends as asked.
        case noMatchingRecord(name: String)
        /// Not a name that can be asked for.
        case invalidName(String)
        case tooDeep(name: String)
        case tooManyLookups
        case tooManyAddresses
    }
    /// What came of an address.
    package struct Resolution: Hashable, Sendable {
        /// Without names, each once, in the order of the answers.
        package fileprivate(set) var addresses: [Multiaddr] = []
        /// Each once; empty when the answer is complete.
        package fileprivate(set) var failures: [Failure] = []
    }

    private struct Query {
        let id: QueryID
        let name: String
        let kind: Kind
        let expires: NIODeadline
        /// What stands before and behind the name.
        let head: [Multiaddr.Component]
        let tail: [Multiaddr.Component]
        /// The lists that led here.
        let depth: Int
    }
    private enum State {
        case idle(Multiaddr)
        case resolving
        case finished
    }
    private var state: State
    /// In the order of asking, which is the order of expiry.
    private var pending: [Query] = []
    private var asked = 0
    private var seen: Set<Multiaddr> = []
    private var resolution = Resolution()
    private var outputs: [Output] = []

    /// A resolver of `address`, which may well have no names.
    package init(_ address: Multiaddr) { state = .idle(address) }

    package var deadline: NIODeadline { pending.first?.expires ?? .distantFuture }

    package mutating func poll() -> Output? { outputs.isEmpty ? nil : outputs.removeFirst() }

    package mutating func handle(_ input: consuming Input, now: NIODeadline) {
        switch (state, input) {
        case (.idle(let address), .start):
            state = .resolving
            follow(address, depth: 0, now: now)
        case (.resolving, .answered(let id, let records)):
            guard let query = take(id) else { return }
            answered(query, records.prefix(Limits.dnsRecords), now: now)
        case (.resolving, .failed(let id)):
            guard let query = take(id) else { return }
            fail(.failed(name: query.name, query.kind))
        case (.resolving, .tick):
            while let query = pending.first, query.expires <= now {
                pending.removeFirst()
                fail(.timedOut(name: query.name, query.kind))
            }
        default: return
        }
        guard pending.isEmpty else { return }
        state = .finished
        seen = []
        outputs.append(.finished(resolution))
    }

    private mutating func take(_ id: QueryID) -> Query? {
        pending.firstIndex { $0.id == id }.map { pending.remove(at: $0) }
    }

    private mutating func fail(_ failure: Failure) {
        // At most one per question and one per limit, so the list stays as short as the limits.
        if !resolution.failures.contains(failure) { resolution.failures.append(failure) }
    }

    /// Takes an address: into the result when it has no name, else asks for its first name.
    private mutating func follow(_ address: Multiaddr, depth: Int, now: NIODeadline) {
        guard seen.count < Limits.dnsAddresses else { return fail(.tooManyAddresses) }
        guard seen.insert(address).inserted else { return }
        let components = Self.keepingServerName(address.components)
        guard let index = components.firstIndex(where: \.isName) else {
            resolution.addresses.append(address)
            return
        }
        let name = components[index].text
        guard Self.isAskable(name) else { return fail(.invalidName(name)) }
        let head = Array(components[..<index])
        let tail = Array(components[(index + 1)...])
        func ask(_ kind: Kind, _ name: String) {
            guard asked < Limits.dnsLookups else { return fail(.tooManyLookups) }
            asked += 1
            let id = QueryID(number: asked)
            pending.append(
                Query(
                    id: id, name: name, kind: kind, expires: now + Limits.dnsLookupTimeout, head: head, tail: tail,
                    depth: depth))
            outputs.append(.query(id, name: name, kind))
        }
        switch components[index].code {
        case .dnsaddr:
            guard depth < Limits.dnsaddrDepth else { return fail(.tooDeep(name: name)) }
            ask(.txt, "_dnsaddr." + name)
        case .dns4: ask(.a, name)
        case .dns6: ask(.aaaa, name)
        default:
            ask(.a, name)
            ask(.aaaa, name)
        }
    }

    private mutating func answered(_ query: Query, _ records: ArraySlice<Record>, now: NIODeadline) {
        var matched = false
        for record in records {
            switch (query.kind, record) {
            case (.a, .address(.v4)), (.aaaa, .address(.v6)):
                guard case .address(let ip) = record,
                    let address = try? Multiaddr(query.head + [Multiaddr.Component(ip)] + query.tail)
                else { continue }
                follow(address, depth: query.depth, now: now)
            case (.txt, .text(let text)):
                guard text.hasPrefix("dnsaddr="), let inner = try? Multiaddr(String(text.dropFirst(8))).components,
                    inner.count >= query.tail.count, inner.suffix(query.tail.count) == query.tail[...],
                    let address = try? Multiaddr(query.head + inner)
                else { continue }
                matched = true
                follow(address, depth: query.depth + 1, now: now)
            default: continue
            }
        }
        if query.kind == .txt, !matched { fail(.noMatchingRecord(name: query.name)) }
    }

    /// `NAME/tcp/P/wss` and `NAME/tcp/P/tls/ws` as `NAME/tcp/P/tls/sni/NAME/ws`, before the name is gone.
    private static func keepingServerName(_ components: [Multiaddr.Component]) -> [Multiaddr.Component] {
        guard let host = components.first.flatMap(Host.init), let name = host.name, components.count > 2,
            let serverName = try? Multiaddr.Component(.sni, name)
        else { return components }
        let secure: Int =
            switch components[2].code {
            case .wss: 1
            case .tls where components.count > 3 && components[3].code == .ws: 2
            default: 0
            }
        guard secure > 0 else { return components }
        return components[..<2] + [.tls, serverName, .ws] + components[(2 + secure)...]
    }

    /// Letters that can stand in a question: no spaces, no control characters, no label without letters.
    private static func isAskable(_ name: String) -> Bool {
        let letters = name.utf8
        let labels = letters.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let isRooted = labels.count > 1 && labels.last?.isEmpty == true
        return letters.count <= Limits.dnsName && letters.allSatisfy { $0 > 0x20 && $0 != 0x7F }
            && labels.dropLast(isRooted ? 1 : 0).allSatisfy { (1...63).contains($0.count) }
    }
}
