import DequeModule
package import NIOCore
import OrderedCollections
package import Wire

/// Whom to ask about which of our addresses and when, and what the answers come to (libp2p/specs autonat v2).
///
///     address: unknown ──verdicts agree──▶ public ⇄ private
///     probe:   none ──due──▶ out ──verdict, refusal, failure──▶ none
///
/// One probe is out at a time. A verdict counts once for each server, the newest five of an address; two servers
/// have to agree where two are known. A success counts only when its nonce came back on some connection, and a
/// server that claims one without is left alone.
///
/// Does not find servers and does not open streams.
package struct AutoNATProbing: Machine {
    package enum Input {
        /// What can be asked about now; others are forgotten.
        case addresses([Multiaddr])
        /// A directly connected peer that serves.
        case server(PeerID)
        /// It is gone.
        case lost(PeerID)
        /// What the server of the probe said about the address with this index.
        case verdict(index: Int, AutoNATDialStatus)
        /// It did not try, or said nothing.
        case failed
        case tick
    }
    package enum Output: Equatable {
        /// Ask, and answer with `verdict` or `failed`.
        case probe(PeerID, [Multiaddr], nonce: UInt64)
        case changed(Multiaddr, Reachability)
    }
    private struct Probe {
        let server: PeerID
        let addresses: [Multiaddr]
        let nonce: UInt64
        let start: NIODeadline
        var isDialedBack = false
    }
    private struct Entry {
        var votes: OrderedDictionary<PeerID, Bool> = [:]
        var status = Reachability.unknown
    }
    private var entries: OrderedDictionary<Multiaddr, Entry> = [:]
    /// When each may be asked next.
    private var servers: OrderedDictionary<PeerID, NIODeadline> = [:]
    private var probe: Probe?
    private var entropy: Entropy
    private var outputs: Deque<Output> = []

    package init(entropy: Entropy) { self.entropy = entropy }

    package var deadline: NIODeadline {
        guard probe == nil, !entries.isEmpty else { return .distantFuture }
        return servers.values.min() ?? .distantFuture
    }

    /// What is known of an address.
    package func status(of address: Multiaddr) -> Reachability { entries[address]?.status ?? .unknown }

    /// Addresses that servers reached.
    package var reachable: [Multiaddr] { entries.filter { $0.value.status == .public }.map(\.key) }

    /// Public when one address is; private when there are some and none is anything else.
    package var overall: Reachability {
        if entries.values.contains(where: { $0.status == .public }) { return .public }
        return !entries.isEmpty && entries.values.allSatisfy { $0.status == .private } ? .private : .unknown
    }

    /// An address was not reached, and none was: nobody knows how the rest are.
    package var isDoubtful: Bool {
        entries.values.contains { $0.status == .private } && !entries.values.contains { $0.status == .public }
    }

    package mutating func poll() -> Output? { outputs.popFirst() }

    package mutating func handle(_ input: consuming Input, now: NIODeadline) {
        switch input {
        case .addresses(let addresses): replace(addresses, now: now)
        case .server(let peer):
            guard servers[peer] == nil, servers.count < Limits.autoNATServers else { return }
            servers[peer] = now + Limits.autoNATFirst
        case .lost(let peer):
            servers[peer] = nil
            if probe?.server == peer { probe = nil }
        case .verdict(let index, let status): judge(index, status, now: now)
        case .failed:
            guard let probe else { return }
            self.probe = nil
            rest(probe.server, for: Limits.autoNATRest, now: now)
        case .tick: ask(now: now)
        }
    }

    /// A nonce came on a dial-back stream, on a connection that others made at this time.
    ///
    /// - Returns: whether it is that of the probe that is out, for the first time, on a connection made since: one
    ///   that stood before proves nothing.
    package mutating func dialedBack(nonce: UInt64, onConnectionOf time: NIODeadline) -> Bool {
        guard let current = probe, current.nonce == nonce, !current.isDialedBack, current.start <= time else {
            return false
        }
        probe?.isDialedBack = true
        return true
    }

    private mutating func replace(_ addresses: [Multiaddr], now: NIODeadline) {
        var kept: OrderedDictionary<Multiaddr, Entry> = [:]
        for address in addresses.prefix(Limits.autoNATOwnAddresses) { kept[address] = entries[address] ?? Entry() }
        let isNews = kept.keys.contains { entries[$0] == nil }
        entries = kept
        guard isNews else { return }
        for server in servers.keys { servers[server] = min(servers[server] ?? now, now + Limits.autoNATFirst) }
    }

    private mutating func ask(now: NIODeadline) {
        guard probe == nil, !entries.isEmpty, let server = servers.first(where: { $0.value <= now })?.key else {
            return
        }
        // What the server has not judged comes first: it dials the first it can.
        let fresh = entries.filter { $0.value.votes[server] == nil }.map(\.key)
        let judged = entries.filter { $0.value.votes[server] != nil }.map(\.key)
        let addresses = Array((fresh + judged).prefix(Limits.autoNATAsked))
        let probe = Probe(server: server, addresses: addresses, nonce: entropy.next(), start: now)
        self.probe = probe
        outputs.append(.probe(server, addresses, nonce: probe.nonce))
    }

    private mutating func judge(_ index: Int, _ status: AutoNATDialStatus, now: NIODeadline) {
        guard let probe, probe.addresses.indices.contains(index) else { return }
        self.probe = nil
        let address = probe.addresses[index]
        let vote: Bool
        switch status {
        // It says that it reached us, and nobody did.
        case .ok where !probe.isDialedBack: return rest(probe.server, for: Limits.autoNATRest, now: now)
        case .ok: vote = true
        case .dialError: vote = false
        case .dialBackError, .unused: return rest(probe.server, for: Limits.autoNATRest, now: now)
        }
        guard var entry = entries[address] else { return rest(probe.server, for: Limits.autoNATNext, now: now) }
        // The newest stands last.
        entry.votes[probe.server] = nil
        if entry.votes.count >= Limits.autoNATVotes { entry.votes.removeFirst() }
        entry.votes[probe.server] = vote
        let before = entry.status
        entry.status = decide(entry, before: before)
        entries[address] = entry
        let isDone = entries.values.allSatisfy { $0.votes[probe.server] != nil }
        rest(probe.server, for: isDone ? Limits.autoNATAgain : Limits.autoNATNext, now: now)
        if entry.status != before { outputs.append(.changed(address, entry.status)) }
    }

    private func decide(_ entry: Entry, before: Reachability) -> Reachability {
        let yes = entry.votes.values.count { $0 }
        let no = entry.votes.count - yes
        let needed = max(1, min(Limits.autoNATQuorum, servers.count))
        if yes >= needed, yes > no { return .public }
        if no >= needed, no > yes { return .private }
        return before
    }

    private mutating func rest(_ server: PeerID, for time: TimeAmount, now: NIODeadline) {
        guard servers[server] != nil else { return }
        servers[server] = now + time
    }
}
