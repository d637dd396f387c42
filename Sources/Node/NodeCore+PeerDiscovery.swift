import GossipSub
import NIOCore
import OrderedCollections
import Wire

/// The discovery topic, and the first steps into the network.
extension NodeCore {
    static let discoveryTopic = Topic(PeerDiscovery.topic)

    /// Whether the owner hears of a topic: of the discovery topic only when it joined that by name.
    func isShown(_ topic: Topic) -> Bool {
        topic != Self.discoveryTopic || discovery == nil || showsDiscovery
    }

    func startDiscovery(now: NIODeadline) {
        if discovery != nil { router.handle(.join(Self.discoveryTopic), now: now) }
    }

    func perform(_ output: PeerDiscovery.Output, now: NIODeadline) {
        switch output {
        case .publish(let message):
            // Nobody to tell is no reason to keep the message for those who come: the next follows soon.
            guard !router.peers(in: Self.discoveryTopic).isEmpty else { return }
            router.handle(.publish(Self.discoveryTopic, message, request: OwnDials.nobody), now: now)
        case .discovered(let peer, let addresses):
            peers.learned(addresses, of: peer, now: now)
            if openConnections(to: peer).isEmpty { outputs.append(.event(.discovered(peer, addresses))) }
        case .dial(let peer, let addresses):
            guard phase == .running else { return }
            let request = ownDials.begin(.discovered(peer))
            dialer.handle(.dial(peer, addresses, request: request, isForced: false), now: now)
        case .refused(let author, let refusal):
            log(.debug, "what \(author.suffix()) said on the discovery topic was dropped: \(refusal)")
        }
    }

    // MARK: Bootstrap

    func startBootstrap(now: NIODeadline) {
        let (lists, given) = split(configuration.bootstrap)
        var steps: [Bootstrap.Step] = []
        if !given.isEmpty { steps.append(.given) }
        if !configuration.remembered.isEmpty { steps.append(.remembered) }
        if !lists.isEmpty { steps.append(.lists) }
        guard !steps.isEmpty else { return }
        if mdns != nil { steps.append(.localNetwork) }
        bootstrap = Bootstrap(steps, now: now)
    }

    /// Names of lists, and everything else.
    private func split(_ addresses: [Multiaddr]) -> (lists: [Multiaddr], given: [Multiaddr]) {
        (
            addresses.filter { if case .dnsaddr = $0.dialTarget { true } else { false } },
            addresses.filter { if case .dnsaddr = $0.dialTarget { false } else { true } }
        )
    }

    func perform(_ output: Bootstrap.Output, now: NIODeadline) {
        switch output {
        case .begin(.given): for address in split(configuration.bootstrap).given { keep(address, now: now) }
        case .begin(.remembered): dialRemembered(now: now)
        case .begin(.localNetwork): return  // mDNS asks all the time
        case .begin(.lists): for address in split(configuration.bootstrap).lists { keep(address, now: now) }
        case .tell(let words): log(.notice, words)
        }
    }

    private func dialRemembered(now: NIODeadline) {
        var byPeer: OrderedDictionary<PeerID, [Multiaddr]> = [:]
        for address in configuration.remembered {
            guard let peer = address.peerID, let bare = address.withoutPeerID, !address.needsResolution,
                byPeer[peer] != nil || byPeer.count < Limits.bootstrapRemembered
            else { continue }
            byPeer[peer, default: []].append(bare)
        }
        guard !byPeer.isEmpty else {
            bootstrap?.handle(.failed(.remembered, "none of their addresses can be dialled"), now: now)
            return
        }
        let requests = byPeer.keys.map { _ in ownDials.begin(.remembered) }
        for (request, (peer, addresses)) in zip(requests, byPeer) {
            dialer.handle(.dial(peer, addresses, request: request, isForced: false), now: now)
        }
    }

    /// A dial of our own led nowhere.
    func failed(_ purpose: OwnDials.Purpose, _ failures: [Dialer.Failure], now: NIODeadline) {
        switch purpose {
        case .discovered(let peer): discovery?.handle(.failed(peer), now: now)
        case .remembered:
            guard !ownDials.isUnderWay(.remembered) else { return }
            bootstrap?.handle(.failed(.remembered, Self.describe(failures)), now: now)
        }
    }

    /// A peer that is to be kept was not reached: the last of those given ends the step.
    func keptFailed(_ failures: [Dialer.Failure], now: NIODeadline) {
        let given = split(configuration.bootstrap).given.map { $0.withoutPeerID ?? $0 }
        ownDials.givenFailed.formUnion(failures.map(\.address).filter(given.contains))
        guard !given.isEmpty, given.allSatisfy({ ownDials.givenFailed.contains($0) || $0.needsResolution }) else {
            return
        }
        bootstrap?.handle(.failed(.given, "none was reached; the reasons stand above"), now: now)
    }
}

/// Dials that no request of the owner's waits for.
///
/// Bounded by what begins them: ``Limits/discoveryDials`` and ``Limits/bootstrapRemembered``.
struct OwnDials {
    enum Purpose: Equatable {
        /// A peer heard of on the discovery topic.
        case discovered(PeerID)
        /// A peer of last time.
        case remembered
    }
    /// Numbers nobody's request: owners count from 1.
    static let nobody: RequestID = 0

    private var underWay: OrderedDictionary<RequestID, Purpose> = [:]
    /// Counts down from the middle, far from owners' numbers and from those of relays.
    private var last: RequestID = .max / 2
    /// Addresses the user gave that were tried in vain.
    var givenFailed: Set<Multiaddr> = []

    mutating func begin(_ purpose: Purpose) -> RequestID {
        last -= 1
        underWay[last] = purpose
        return last
    }

    /// What an ended dial was for; nil when it is not one of these.
    mutating func ended(_ request: RequestID) -> Purpose? { underWay.removeValue(forKey: request) }

    func isUnderWay(_ purpose: Purpose) -> Bool { underWay.values.contains(purpose) }
}
