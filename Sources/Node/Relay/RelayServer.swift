import DequeModule
package import NIOCore
import OrderedCollections
package import Wire

/// A relay: who has a reservation, and which circuits there are (libp2p/specs circuit-v2).
///
///     peer       ──RESERVE──▶ reserved ──expiry, last direct connection gone──▶ (nothing)
///     circuit    ──CONNECT──▶ asking ──STATUS OK──▶ open ──end, limit of bytes or time──▶ (nothing)
///                                └─── refused ──▶ (nothing)
///
/// It decides and counts. The node moves the bytes and asks ``take(_:of:from:now:)`` how many it may.
///
/// Limits: ``RelayConfiguration``; one reservation for each peer, none over a connection that is relayed itself, no
/// circuit to this peer or from a peer to itself. It has no table of autonomous systems: in the place of go-libp2p's
/// limit per ASN, which counts IPv6 only, stands one per network of 32 bits, which is what a provider is given.
package struct RelayServer: Machine {
    /// Names a circuit.
    package typealias CircuitID = UInt64
    /// Where a circuit's streams lead: to the peer that asked for it, or to the one it reaches.
    package enum Side: Sendable { case hop, stop }

    package enum Input {
        /// A peer asks for a reservation, on a stream of a connection to this address.
        case reserve(StreamKey, PeerID, ip: IPAddress?, isRelayed: Bool)
        /// A peer asks for a circuit.
        case connect(StreamKey, from: PeerID, to: PeerID, isRelayed: Bool)
        /// The peer at the end took the circuit.
        case accepted(CircuitID)
        /// It did not, or cannot be asked.
        case refused(CircuitID)
        /// The circuit's streams are gone, or useless; why, in plain words.
        case ended(CircuitID, reason: String)
        /// The last direct connection to this peer is gone.
        case disconnected(PeerID)
        /// Where this peer can be reached, each address with its id.
        case addresses([Multiaddr])
        /// What the wall clock says has changed.
        case clock(UnixClock)
        case tick
    }
    package enum Output: Equatable {
        /// Write this to the stream, and close it.
        case answer(StreamKey, HopMessage)
        /// Ask the peer whether it takes the circuit whose hop stream this is; answer `accepted` or `refused`.
        case ask(CircuitID, StreamKey, from: PeerID, to: PeerID, RelayLimit?)
        /// Write this to the hop stream; both streams are one pipe from here on.
        case open(CircuitID, HopMessage)
        /// Reset what is left of both streams.
        case end(CircuitID)
        case event(RelayEvent)
    }

    private struct Reservation {
        var expires: NIODeadline
        /// What it counts for: its address, and its provider's network.
        let places: [Place]
    }
    /// Where peers with reservations are.
    private enum Place: Hashable {
        /// An IPv4 address or an IPv6 network of 64 bits: every machine of IPv6 has that many.
        case host(IPAddress)
        /// An IPv6 network of 32 bits.
        case provider(IPAddress)
    }
    private struct Circuit {
        let stream: StreamKey
        let from: PeerID
        let to: PeerID
        /// `.distantFuture` while asking, or without a bound.
        var expires = NIODeadline.distantFuture
        var isOpen = false
        /// Bytes that went in each direction: from the hop stream, from the stop stream.
        var moved: (UInt64, UInt64) = (0, 0)
    }

    private let identity: KeyPair
    private let configuration: RelayConfiguration
    private var clock: UnixClock
    private var addresses: [Multiaddr] = []
    /// Oldest first, renewed ones moved behind.
    private var reservations: OrderedDictionary<PeerID, Reservation> = [:]
    private var perPlace: [Place: Int] = [:]
    private var circuits: OrderedDictionary<CircuitID, Circuit> = [:]
    private var perPeer: [PeerID: Int] = [:]
    private var lastCircuit: CircuitID = 0
    private var outputs: Deque<Output> = []
    package private(set) var deadline = NIODeadline.distantFuture

    package init(identity: KeyPair, configuration: RelayConfiguration, clock: UnixClock) {
        (self.identity, self.configuration, self.clock) = (identity, configuration, clock)
    }

    /// Reservations and circuits there are.
    package var counts: (reservations: Int, circuits: Int) { (reservations.count, circuits.count) }

    package mutating func poll() -> Output? { outputs.popFirst() }

    package mutating func handle(_ input: consuming Input, now: NIODeadline) {
        switch input {
        case .reserve(let stream, let peer, let ip, let isRelayed):
            reserve(stream, peer, ip: ip, isRelayed: isRelayed, now: now)
        case .connect(let stream, let from, let to, let isRelayed):
            connect(stream, from: from, to: to, isRelayed: isRelayed, now: now)
        case .accepted(let id): accepted(id, now: now)
        case .refused(let id): refused(id)
        case .ended(let id, let reason): ended(id, reason)
        case .disconnected(let peer): forget(peer)
        case .addresses(let addresses): self.addresses = Array(addresses.prefix(Limits.relayAddressesTold))
        case .clock(let clock): self.clock = clock
        case .tick: expire(now: now)
        }
        let first = reservations.values.reduce(.distantFuture) { min($0, $1.expires) }
        deadline = circuits.values.reduce(first) { min($0, $1.expires) }
    }

    // MARK: Reservations

    private mutating func reserve(
        _ stream: StreamKey, _ peer: PeerID, ip: IPAddress?, isRelayed: Bool, now: NIODeadline
    ) {
        guard !isRelayed else { return deny(stream, peer, .permissionDenied) }
        let isRenewal = reservations[peer] != nil
        let before = reservations[peer]
        forget(peer)
        let places = ip.map(Self.places) ?? []
        let isFull =
            reservations.count >= configuration.reservations || addresses.isEmpty
            || places.contains { perPlace[$0, default: 0] >= most(in: $0) }
        guard !isFull else {
            if let before { insert(before, of: peer) }
            return deny(stream, peer, .reservationRefused)
        }
        let time = TimeAmount.nanoseconds(max(1, configuration.reservationTime.components.seconds) * 1_000_000_000)
        insert(Reservation(expires: now + time, places: places), of: peer)
        var message = HopMessage.status(.ok)
        let expires = clock.seconds(at: now + time)
        let voucher = ReservationVoucher(relay: identity.peerID, peer: peer, expires: expires)
        message.reservation = RelayReservation(
            expires: expires, addresses: addresses, voucher: voucher.sealed(by: identity))
        message.limit = limit
        outputs.append(.answer(stream, message))
        outputs.append(.event(.granted(peer, isRenewal: isRenewal)))
    }

    private mutating func insert(_ reservation: Reservation, of peer: PeerID) {
        reservations[peer] = reservation
        for place in reservation.places { perPlace[place, default: 0] += 1 }
    }

    private mutating func forget(_ peer: PeerID) {
        for place in reservations.removeValue(forKey: peer)?.places ?? [] {
            let left = perPlace[place, default: 0] - 1
            perPlace[place] = left > 0 ? left : nil
        }
    }

    private static func places(of ip: IPAddress) -> [Place] {
        switch ip.unmapped {
        case .v4(let address): [.host(.v4(address))]
        case .v6(let address):
            [
                .host(.v6(IPv6Address(high: address.high, low: 0))),
                .provider(.v6(IPv6Address(high: address.high & 0xFFFF_FFFF_0000_0000, low: 0))),
            ]
        }
    }

    private func most(in place: Place) -> Int {
        switch place {
        case .host: configuration.reservationsPerIP
        case .provider: configuration.reservationsPerProvider
        }
    }

    private var limit: RelayLimit? { configuration.limit.isBounded ? configuration.limit : nil }

    private mutating func deny(_ stream: StreamKey, _ peer: PeerID, _ status: RelayStatus) {
        outputs.append(.answer(stream, .status(status)))
        outputs.append(.event(.denied(peer, status)))
    }

    // MARK: Circuits

    private mutating func connect(
        _ stream: StreamKey, from: PeerID, to: PeerID, isRelayed: Bool, now: NIODeadline
    ) {
        guard !isRelayed, to != identity.peerID, from != to else { return deny(stream, from, .permissionDenied) }
        guard let reservation = reservations[to], reservation.expires > now else {
            return deny(stream, from, .noReservation)
        }
        guard circuits.count < configuration.circuits,
            max(perPeer[from, default: 0], perPeer[to, default: 0]) < configuration.circuitsPerPeer
        else {
            return deny(stream, from, .resourceLimitExceeded)
        }
        lastCircuit += 1
        circuits[lastCircuit] = Circuit(stream: stream, from: from, to: to)
        perPeer[from, default: 0] += 1
        perPeer[to, default: 0] += 1
        outputs.append(.ask(lastCircuit, stream, from: from, to: to, limit))
    }

    private mutating func accepted(_ id: CircuitID, now: NIODeadline) {
        guard let circuit = circuits[id], !circuit.isOpen else { return }
        circuits[id]?.isOpen = true
        if let limit, limit.seconds > 0 { circuits[id]?.expires = now + .seconds(Int64(limit.seconds)) }
        var message = HopMessage.status(.ok)
        message.limit = limit
        outputs.append(.open(id, message))
        outputs.append(.event(.circuitOpened(from: circuit.from, to: circuit.to)))
    }

    private mutating func refused(_ id: CircuitID) {
        guard let circuit = remove(id), !circuit.isOpen else { return }
        deny(circuit.stream, circuit.from, .connectionFailed)
    }

    private mutating func ended(_ id: CircuitID, _ reason: String) {
        guard let circuit = remove(id) else { return }
        outputs.append(.end(id))
        guard circuit.isOpen else { return }
        let bytes = circuit.moved.0 &+ circuit.moved.1
        outputs.append(.event(.circuitEnded(from: circuit.from, to: circuit.to, bytes: bytes, reason: reason)))
    }

    private mutating func remove(_ id: CircuitID) -> Circuit? {
        guard let circuit = circuits.removeValue(forKey: id) else { return nil }
        for peer in [circuit.from, circuit.to] {
            let left = perPeer[peer, default: 0] - 1
            perPeer[peer] = left > 0 ? left : nil
        }
        return circuit
    }

    /// How many of `count` bytes from one side may go to the other; fewer when the limit is reached, and then the
    /// circuit ends.
    package mutating func take(_ count: Int, of id: CircuitID, from side: Side, now: NIODeadline) -> Int {
        guard let circuit = circuits[id], circuit.isOpen else { return 0 }
        let before = side == .hop ? circuit.moved.0 : circuit.moved.1
        let limit = configuration.limit.bytes
        let left = limit == 0 ? UInt64.max : limit - min(limit, before)
        let taken = Int(min(UInt64(max(0, count)), left))
        if side == .hop { circuits[id]?.moved.0 += UInt64(taken) } else { circuits[id]?.moved.1 += UInt64(taken) }
        if taken < count { handle(.ended(id, reason: "it carried all that the limit allows"), now: now) }
        return taken
    }

    private mutating func expire(now: NIODeadline) {
        for (peer, reservation) in reservations where reservation.expires <= now { forget(peer) }
        for (id, circuit) in circuits where circuit.expires <= now { ended(id, "its time is over") }
    }
}
