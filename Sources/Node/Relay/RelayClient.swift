import DequeModule
package import NIOCore
import OrderedCollections
package import Wire

/// The relays this peer wants to be reached through, and its reservations with them (libp2p/specs circuit-v2).
///
///     away ──connected──▶ asking ──reserved──▶ held ──3/4 of its time──▶ renewing ──reserved──▶ held
///      ▲                    └─failed─▶ resting ──▶ asking                   └─failed─▶ held, a rest later renewing
///      └──── the last direct connection is gone, from every state; the reservation dies with it
///
/// The node keeps the connections; this machine says when to ask. Rests double from 5 s to 5 min, with jitter.
/// A relay that is none rests for ``Limits/noRelayPause``.
///
/// While it seeks, it takes relays that nobody named from those the node is connected to anyway; one that refuses
/// makes room for the next:
///
///     found ──patience──▶ asking (as above) ──failed without a reservation, reservation lost──▶ found, after a rest
///
/// Limits: ``Limits/relaysWanted`` relays, ``Limits/relaysChosen`` of its own choice out of ``Limits/relaysFound``,
/// ``Limits/relayAddressesAnnounced`` addresses announced for each. It dials nobody.
package struct RelayClient: Machine {
    package enum Input {
        /// Be reachable through a relay, at these addresses of it without its `/p2p`; none: at those it names.
        case hold(PeerID, [Multiaddr])
        /// No longer.
        case forget(PeerID)
        /// Whether relays that nobody named are asked too.
        case seek(Bool)
        /// A peer that is directly connected says that it is a relay; where it was reached, without its `/p2p`.
        case found(PeerID, [Multiaddr])
        /// What the wall clock says has changed.
        case clock(UnixClock)
        /// There is a direct connection to this peer.
        case connected(PeerID)
        /// The last direct connection to this peer is gone.
        case disconnected(PeerID)
        /// A request succeeded.
        case reserved(PeerID, ReserveRequest.Granted)
        /// A request failed.
        case failed(PeerID, RelayError)
        case tick
    }
    package enum Output: Equatable {
        /// Ask the relay for a reservation; answer `reserved` or `failed`.
        case reserve(PeerID)
        /// ``addresses`` changed.
        case changed
        case event(RelayEvent)
    }

    private struct Held {
        let granted: ReserveRequest.Granted
        let expires: NIODeadline
    }
    private struct Entry {
        var configured: [Multiaddr]
        /// Nobody named it: it goes when it is of no use.
        var isChosen = false
        var isConnected = false
        var isAsking = false
        var held: Held?
        var failures = 0
        /// When to ask, the first time or again; `.distantFuture` while away or asking.
        var askAt = NIODeadline.distantFuture

        var deadline: NIODeadline { min(askAt, held?.expires ?? .distantFuture) }
    }

    private struct Found {
        let addresses: [Multiaddr]
        /// From when on it may be asked.
        var since: NIODeadline
    }

    private var clock: UnixClock
    private var entropy: Entropy
    private var seeks = false
    /// Connected relays that may be chosen.
    private var found: OrderedDictionary<PeerID, Found> = [:]
    private var entries: OrderedDictionary<PeerID, Entry> = [:]
    private var outputs: Deque<Output> = []

    package init(clock: UnixClock, entropy: Entropy) { (self.clock, self.entropy) = (clock, entropy) }

    package var deadline: NIODeadline {
        let earliest = entries.values.reduce(NIODeadline.distantFuture) { min($0, $1.deadline) }
        guard mayChoose else { return earliest }
        return found.reduce(earliest) { entries[$1.key] == nil ? min($0, $1.value.since) : $0 }
    }

    private var mayChoose: Bool {
        seeks && entries.count < Limits.relaysWanted && entries.values.count(where: \.isChosen) < Limits.relaysChosen
    }

    /// Whether this peer may bring circuits: there is a reservation with it.
    package func holds(_ relay: PeerID) -> Bool { entries[relay]?.held != nil }

    /// Relays with a reservation, in the order they were asked for.
    package var relays: [PeerID] { entries.compactMap { $0.value.held == nil ? nil : $0.key } }

    /// Where this peer can be reached through its relays, each address ending in `/p2p-circuit`.
    package var addresses: [Multiaddr] {
        var seen: Set<Multiaddr> = []
        return entries.flatMap { relay, entry in
            guard let held = entry.held else { return [Multiaddr]() }
            // Where we reached it ourselves comes first; of the rest, only what names this relay.
            let told = held.granted.addresses.filter { !$0.isCircuit && ($0.peerID ?? relay) == relay }
            return (entry.configured + told).compactMap { address -> Multiaddr? in
                guard let full = try? address.appending(relay).appending(Multiaddr.Component.p2pCircuit),
                    seen.insert(full).inserted
                else { return nil }
                return full
            }.prefix(Limits.relayAddressesAnnounced).map(\.self)
        }
    }

    package mutating func poll() -> Output? { outputs.popFirst() }

    package mutating func handle(_ input: consuming Input, now: NIODeadline) {
        switch input {
        case .hold(let relay, let addresses): hold(relay, addresses)
        case .forget(let relay): forget(relay)
        case .seek(let seeks):
            self.seeks = seeks
            if !seeks { for (relay, entry) in entries where entry.isChosen { forget(relay) } }
        case .found(let relay, let addresses):
            guard found[relay] == nil, found.count < Limits.relaysFound else { break }
            found[relay] = Found(addresses: addresses, since: now + Limits.reservationPatience)
        case .clock(let clock): changed(to: clock, now: now)
        case .connected(let relay):
            guard let entry = entries[relay], !entry.isConnected else { break }
            entries[relay]?.isConnected = true
            entries[relay]?.askAt = now
        case .disconnected(let relay): disconnected(from: relay)
        case .reserved(let relay, let granted): reserved(with: relay, granted, now: now)
        case .failed(let relay, let error): failed(with: relay, error, now: now)
        case .tick: break
        }
        advance(now: now)
    }

    private mutating func hold(_ relay: PeerID, _ addresses: [Multiaddr]) {
        guard var entry = entries[relay] else {
            guard entries.count < Limits.relaysWanted else { return }
            entries[relay] = Entry(configured: Array(addresses.prefix(Limits.relayAddressesAnnounced)))
            return
        }
        entry.isChosen = false
        for address in addresses where !entry.configured.contains(address) {
            if entry.configured.count < Limits.relayAddressesAnnounced { entry.configured.append(address) }
        }
        entries[relay] = entry
        if entry.held != nil { outputs.append(.changed) }
    }

    private mutating func forget(_ relay: PeerID) {
        if entries.removeValue(forKey: relay)?.held != nil { outputs.append(.changed) }
    }

    /// A machine that slept, or whose clock was set, knows no longer how long its reservations last.
    private mutating func changed(to clock: UnixClock, now: NIODeadline) {
        let (before, after) = (self.clock.seconds(at: now), clock.seconds(at: now))
        self.clock = clock
        guard max(before, after) - min(before, after) >= Limits.clockJump else { return }
        for (relay, entry) in entries where entry.held != nil && entry.isConnected && !entry.isAsking {
            entries[relay]?.askAt = now
        }
    }

    private mutating func disconnected(from relay: PeerID) {
        found[relay] = nil
        defer { if entries[relay]?.isChosen == true { entries[relay] = nil } }
        guard let entry = entries[relay] else { return }
        entries[relay]?.isConnected = false
        entries[relay]?.isAsking = false
        entries[relay]?.askAt = .distantFuture
        entries[relay]?.failures = 0
        if entry.held != nil { lose(relay, "the connection to the relay is gone") }
    }

    private mutating func lose(_ relay: PeerID, _ reason: String) {
        entries[relay]?.held = nil
        outputs.append(.event(.lost(relay: relay, reason: reason)))
        outputs.append(.changed)
    }

    private mutating func reserved(with relay: PeerID, _ granted: ReserveRequest.Granted, now: NIODeadline) {
        guard let entry = entries[relay], entry.isAsking else { return }
        let seconds = granted.expires - min(granted.expires, clock.seconds(at: now))
        let longest = UInt64(Limits.reservationLongest.nanoseconds / 1_000_000_000)
        let time = TimeAmount.seconds(Int64(min(seconds, longest)))
        let before = addresses
        entries[relay]?.isAsking = false
        entries[relay]?.failures = 0
        entries[relay]?.held = Held(granted: granted, expires: now + time)
        // A relay whose clock runs ahead of ours seems to give more than it does.
        let threeQuarters = TimeAmount.nanoseconds(time.nanoseconds / 4 * 3)
        entries[relay]?.askAt = now + min(Limits.reservationRenewal, max(Limits.reservationPause, threeQuarters))
        guard entry.held == nil || addresses != before else { return }
        let event = RelayEvent.reserved(relay: relay, lasting: .seconds(seconds), limit: granted.limit)
        outputs.append(.event(event))
        outputs.append(.changed)
    }

    private mutating func failed(with relay: PeerID, _ error: RelayError, now: NIODeadline) {
        guard let entry = entries[relay], entry.isAsking else { return }
        let failures = min(30, entry.failures + 1)
        var wait = DialBackoff.wait(after: failures, entropy: &entropy)
        if error == .unsupported { wait = max(wait, Limits.noRelayPause) }
        if entry.isChosen, entry.held == nil {
            wait = Limits.relayRest
            entries[relay] = nil
            found[relay]?.since = now + wait
        }
        entries[relay]?.isAsking = false
        entries[relay]?.failures = failures
        entries[relay]?.askAt = now + wait
        let seconds = max(1, wait.nanoseconds / 1_000_000_000)
        outputs.append(.event(.refused(relay: relay, reason: error.words, retryIn: .seconds(seconds))))
    }

    private mutating func advance(now: NIODeadline) {
        for (relay, entry) in entries {
            if let held = entry.held, held.expires <= now {
                lose(relay, "it ended before the relay renewed it")
                guard !entry.isChosen else {
                    entries[relay] = nil
                    found[relay]?.since = now + Limits.relayRest
                    continue
                }
            }
            guard entry.isConnected, !entry.isAsking, entry.askAt <= now else { continue }
            entries[relay]?.isAsking = true
            entries[relay]?.askAt = .distantFuture
            outputs.append(.reserve(relay))
        }
        choose(now: now)
    }

    private mutating func choose(now: NIODeadline) {
        for (relay, candidate) in found where mayChoose && candidate.since <= now && entries[relay] == nil {
            entries[relay] = Entry(
                configured: Array(candidate.addresses.prefix(Limits.relayAddressesAnnounced)), isChosen: true,
                isConnected: true, isAsking: true)
            outputs.append(.reserve(relay))
        }
    }
}
