import DequeModule
package import NIOCore
import OrderedCollections
package import Wire

/// Finding peers on a GossipSub topic, as js-libp2p's `@libp2p/pubsub-peer-discovery` does
/// (universal-connectivity, topic `universal-connectivity-browser-peer-discovery`).
///
///     announce ─▶ publish at once, then every 10 s
///     heard ─▶ refused │ remembered ─▶ waiting ─▶ dialling ─▶ connected
///                            ▲                       └──▶ in vain: again later, ever later
///                            └── forgotten after ``Limits/discoveryAge`` of silence
///
/// A message counts only for its own signer: the key in it must be the author's. Of its addresses those are kept that
/// ``DiscoveredAddress`` admits; of the peers few are dialled at a time, each ever more rarely, and a host only so
/// often, however many peers are said to be there: messages must not make this peer a weapon.
///
/// Limits: `Limits.discovery…`. Does not publish to an empty topic (the owner knows who is subscribed), does not dial
/// itself, and does not stay away from peers that are connected already: it hears of connections.
package struct PeerDiscovery: Machine {
    /// The topic of universal-connectivity.
    package static let topic = "universal-connectivity-browser-peer-discovery"

    package enum Input {
        /// Where this peer can be reached now, each with its `/p2p`; and where it listens.
        case announce([Multiaddr])
        /// A message on the topic, its signature checked, by `author`.
        case heard(ByteBuffer, author: PeerID)
        /// There is a connection to this peer.
        case connected(PeerID)
        /// The last connection to this peer is gone.
        case disconnected(PeerID)
        /// The dial that this machine asked for came to nothing.
        case failed(PeerID)
        /// The deadline came.
        case tick
    }
    package enum Output: Equatable {
        /// Publish this on the topic, if somebody else is subscribed.
        case publish(ByteBuffer)
        /// A peer was heard of for the first time, or with other addresses: these may be dialled.
        case discovered(PeerID, [Multiaddr])
        /// Dial this peer at these addresses; answer with `connected` or `failed`.
        case dial(PeerID, [Multiaddr])
        /// A message was dropped.
        case refused(author: PeerID, Refusal)
    }
    /// Why a message was dropped.
    package enum Refusal: Equatable, Sendable, CustomStringConvertible {
        case unreadable(String)
        /// The key in it is not its author's.
        case strangersKey(PeerID)
        /// Addresses there are, but none that may be dialled.
        case nothingToDial

        package var description: String {
            switch self {
            case .unreadable(let words): words
            case .strangersKey(let peer): "it speaks for another peer: \(peer)"
            case .nothingToDial: "none of its addresses may be dialled"
            }
        }
    }

    private struct Entry {
        var addresses: [Multiaddr]
        var heard: NIODeadline
        /// Dials in a row that came to nothing.
        var failures = 0
        /// When it may be dialled; `.distantFuture` while it is dialled or connected.
        var dialAt: NIODeadline
        var isConnected: Bool
    }
    private let own: PublicKey
    private let ownID: PeerID
    private var entropy: Entropy
    private var addresses: [Multiaddr] = []
    private var policy = DiscoveredAddress(listening: [])
    private var connected: Set<PeerID> = []
    private var entries: OrderedDictionary<PeerID, Entry> = [:]
    /// Dials under way, and when each stops counting.
    private var dialling: OrderedDictionary<PeerID, NIODeadline> = [:]
    /// Hosts dialled in the last minute, oldest first.
    private var hosts: Deque<(host: IPAddress, until: NIODeadline)> = []
    private var nextPublish = NIODeadline.distantFuture
    private var outputs: Deque<Output> = []

    /// A machine that publishes once it has addresses.
    package init(own: PublicKey, entropy: Entropy) {
        self.own = own
        ownID = own.peerID
        self.entropy = entropy
    }

    package mutating func poll() -> Output? { outputs.popFirst() }

    package var deadline: NIODeadline {
        var earliest = nextPublish
        for entry in entries.values { earliest = min(earliest, entry.heard + Limits.discoveryAge) }
        guard dialling.count < Limits.discoveryDials else {
            return dialling.values.reduce(earliest) { min($0, $1) }
        }
        if let first = hosts.first, hosts.count >= Limits.discoveryHosts { return min(earliest, first.until) }
        for entry in entries.values { earliest = min(earliest, entry.dialAt) }
        return earliest
    }

    /// Peers heard of and not forgotten, and how long ago, the latest last.
    package func known(now: NIODeadline) -> [(peer: PeerID, age: TimeAmount)] {
        entries.map { ($0.key, now - $0.value.heard) }
    }

    package mutating func handle(_ input: consuming Input, now: NIODeadline) {
        switch input {
        case .announce(let addresses):
            policy = DiscoveredAddress(listening: addresses)
            let published = Array(DiscoveredAddress.published(addresses).prefix(Limits.discoveryAddresses))
            guard published != self.addresses else { break }
            self.addresses = published
            nextPublish = published.isEmpty ? .distantFuture : now
        case .heard(let bytes, let author): heard(bytes, author, now: now)
        case .connected(let peer):
            if connected.count < Limits.connections { connected.insert(peer) }
            dialling[peer] = nil
            entries[peer]?.isConnected = true
            entries[peer]?.failures = 0
            entries[peer]?.dialAt = .distantFuture
        case .disconnected(let peer):
            connected.remove(peer)
            entries[peer]?.isConnected = false
            entries[peer]?.dialAt = now + Limits.discoveryRedial
        case .failed(let peer): failed(peer, now: now)
        case .tick: break
        }
        advance(now: now)
    }

    // MARK: Hearing

    private mutating func heard(_ bytes: ByteBuffer, _ author: PeerID, now: NIODeadline) {
        guard author != ownID else { return }
        let message: DiscoveryMessage
        do throws(DiscoveryMessage.Failure) { message = try DiscoveryMessage(bytes) } catch {
            // Nim's form says that its author is there, which its author's signature has said already.
            if case .barePeerID = error { return }
            return outputs.append(.refused(author: author, .unreadable("\(error)")))
        }
        let peer = message.publicKey.peerID
        guard peer == author else { return outputs.append(.refused(author: author, .strangersKey(peer))) }
        var admitted: OrderedSet<Multiaddr> = []
        for address in message.addresses where admitted.count < Limits.discoveryAddresses {
            guard policy.admits(address, of: peer, isConnected: connected.contains) else { continue }
            // A host has a few transports; who names more of its ports wants them tried.
            let isOften = admitted.count { !$0.isCircuit && $0.ip == address.ip } >= Limits.discoveryAddressesPerHost
            if address.isCircuit || !isOften { admitted.append(address.withoutPeerID ?? address) }
        }
        guard !admitted.isEmpty else {
            if !message.addresses.isEmpty { outputs.append(.refused(author: author, .nothingToDial)) }
            return
        }
        remember(peer, Array(admitted), now: now)
    }

    private mutating func remember(_ peer: PeerID, _ addresses: [Multiaddr], now: NIODeadline) {
        // Taken out and put in again, so that the one heard longest ago stands first.
        let old = entries.removeValue(forKey: peer)
        while entries.count >= Limits.discoveryPeers { entries.removeFirst() }
        let isConnected = connected.contains(peer)
        var entry =
            old
            ?? Entry(addresses: [], heard: now, dialAt: isConnected ? .distantFuture : now, isConnected: isConnected)
        let isNews = entry.addresses != addresses
        (entry.addresses, entry.heard) = (addresses, now)
        entries[peer] = entry
        if isNews { outputs.append(.discovered(peer, addresses)) }
    }

    // MARK: Dialling

    private mutating func failed(_ peer: PeerID, now: NIODeadline) {
        guard dialling.removeValue(forKey: peer) != nil, var entry = entries[peer], !entry.isConnected else { return }
        let doublings = min(entry.failures, 10)
        let first = Limits.discoveryRedial.nanoseconds
        let wait = min(Limits.discoveryRedialLast.nanoseconds, first << Int64(doublings))
        entry.failures += doublings < 10 ? 1 : 0
        entry.dialAt = now + .nanoseconds(wait + .random(in: 0...first, using: &entropy))
        entries[peer] = entry
    }

    private mutating func advance(now: NIODeadline) {
        if nextPublish <= now {
            outputs.append(.publish(DiscoveryMessage(publicKey: own, addresses: addresses).encoded))
            nextPublish = now + Limits.discoveryInterval
        }
        while let (peer, entry) = entries.elements.first.map({ ($0.key, $0.value) }),
            entry.heard + Limits.discoveryAge <= now
        {
            entries[peer] = nil
        }
        for (peer, until) in dialling where until <= now { failed(peer, now: now) }
        while let first = hosts.first, first.until <= now { hosts.removeFirst() }
        for peer in entries.keys where dialling.count < Limits.discoveryDials && hosts.count < Limits.discoveryHosts {
            guard let entry = entries[peer], entry.dialAt <= now else { continue }
            dial(peer, entry, now: now)
        }
    }

    private mutating func dial(_ peer: PeerID, _ entry: Entry, now: NIODeadline) {
        let allowed = entry.addresses.filter { address in
            guard let host = address.ip else { return true }
            return hosts.count { $0.host == host } < Limits.discoveryDialsPerHost
        }
        guard !allowed.isEmpty else {
            entries[peer]?.dialAt = hosts.first.map(\.until) ?? now + .minutes(1)
            return
        }
        for host in OrderedSet(allowed.filter { !$0.isCircuit }.compactMap(\.ip)) {
            hosts.append((host, now + .minutes(1)))
        }
        entries[peer]?.dialAt = .distantFuture
        dialling[peer] = now + Limits.discoveryDialTimeout
        outputs.append(.dial(peer, allowed))
    }
}
