import ICE
import NIOCore
import PlainEngines
import Wire

@testable import Simulator
@testable import WebRTC

/// Peer connections at places of a virtual internet, servers beside them, and a clock that moves only when nothing else
/// is left to do. Signalling is by hand, and takes its time like everything else.
final class ConnectionWorld {
    typealias NetworkID = VirtualInternet.NetworkID

    /// What is on its way.
    private enum Delivery {
        case datagram(ByteBuffer, VirtualInternet.Transit)
        case candidate(ICECandidate, to: Int)
        case complete(to: Int)
        case pipe(TURNPipe.Event, TURNPipe.ID, of: Int)
        /// Bytes at a TURN server's TCP port, from this pipe.
        case stream(ByteBuffer, TURNPipe.ID, of: Int)
    }

    private struct Scheduled {
        let at: NIODeadline
        let order: Int
        let delivery: Delivery
    }

    struct Event {
        let at: NIODeadline
        let output: PeerConnection.Output
    }

    private(set) var ends: [PeerConnection] = []
    private(set) var addresses: [TransportAddress] = []
    private(set) var events: [[Event]] = []
    private(set) var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    var internet = VirtualInternet()
    var servers: [TURNNode] = []
    /// One way.
    var latency = TimeAmount.milliseconds(20)
    var jitter = TimeAmount.milliseconds(10)
    /// Of a hundred datagrams.
    var loss = 0
    /// Of candidates told.
    var signalling = TimeAmount.milliseconds(60)
    /// Every datagram that left, as the world outside its sender's NATs saw it.
    private(set) var seen: [(source: TransportAddress, target: TransportAddress)] = []
    private var entropy: Entropy
    private var queue: [Scheduled] = []
    private var order = 0
    private var streams: [Int: [TURNPipe.ID: (framing: TURNFraming, inbox: ByteBuffer, alias: TransportAddress)]] = [:]
    private var nextAlias: UInt16 = 1

    static let stun = TransportAddress(.v4(IPv4Address(0x0A02_0001)), port: 3478)
    static let turn = TransportAddress(.v4(IPv4Address(0x0A02_0002)), port: 3478)

    init(seed: UInt64) {
        entropy = .seeded(seed)
        servers = [TURNNode(at: Self.stun), TURNNode(at: Self.turn, accounts: ["sim": "sim"])]
    }

    static func turnServer(_ transport: TURNServer.Transport = .udp, password: String = "sim") -> TURNServer {
        TURNServer(address: turn, transport: transport, username: "sim", password: password)
    }

    /// Adds an end; the first is controlling.
    @discardableResult
    func add(
        behind network: NetworkID = VirtualInternet.publicNetwork,
        _ configure: (inout PeerConnectionConfiguration) -> Void = { _ in }
    ) -> Int {
        let index = ends.count
        let address = TransportAddress(.v4(IPv4Address(0x0A00_0001 + UInt32(index))), port: 4000)
        internet.place(address.ip, in: network)
        addresses.append(address)
        events.append([])
        var configuration = PeerConnectionConfiguration(
            .full(index == 0 ? .controlling : .controlled), localAddresses: [address])
        configuration.dtlsRole = index == 0 ? .client : .server
        configuration.stunServers = [Self.stun]
        configure(&configuration)
        ends.append(
            PeerConnection(
                configuration: configuration, engines: PlainEngines(seed: UInt64(index) + 1),
                entropy: entropy.split(), now: now))
        return index
    }

    /// Tells the two ends of each other; candidates follow as they are found.
    func start() {
        for end in 0...1 {
            let other = ends[1 - end]
            var parameters = PeerConnectionParameters(
                credentials: other.localCredentials, fingerprint: other.localFingerprint)
            parameters.candidates = other.localCandidates
            parameters.hasAllCandidates = !other.isGathering
            ends[end].start(remote: parameters, now: now)
            collect(end)
        }
    }

    var areConnected: Bool { ends.allSatisfy { $0.state == .connected } }

    /// The pair both ends chose is direct.
    var isDirect: Bool {
        ends.allSatisfy { end in
            let figures = end.statistics
            return figures.localCandidate != nil && figures.localCandidate != "relay"
                && figures.remoteCandidate != "relay"
                && !relayedAddresses.contains { figures.path?.contains($0) == true }
        }
    }

    private var relayedAddresses: [String] {
        ends.flatMap { $0.localCandidates.filter { $0.type == .relayed }.map { "→ \($0.address)" } }
    }

    func outputs(of end: Int) -> [PeerConnection.Output] { events[end].map(\.output) }

    func messages(at end: Int) -> [DataChannelMessage] {
        outputs(of: end).compactMap { if case .received(_, let message) = $0 { message } else { nil } }
    }

    func at<Result>(_ end: Int, _ body: (PeerConnection, NIODeadline) throws -> Result) rethrows -> Result {
        let result = try body(ends[end], now)
        collect(end)
        return result
    }

    // MARK: Time

    @discardableResult
    func run(for time: TimeAmount, until isDone: (ConnectionWorld) -> Bool = { _ in false }) -> Bool {
        let end = now + time
        for index in ends.indices { collect(index) }
        var standing = 0
        while !isDone(self) {
            let next = ends.reduce(queue.first?.at ?? .distantFuture) { min($0, $1.deadline) }
            guard next <= end else {
                now = end
                return false
            }
            standing = next > now ? 0 : standing + 1
            precondition(standing < 100_000, "time stands still: a deadline that its tick does not move")
            now = max(now, next)
            while let first = queue.first, first.at <= now {
                queue.removeFirst()
                deliver(first.delivery)
            }
            for index in ends.indices where ends[index].deadline <= now {
                ends[index].handle(.tick, now: now)
                collect(index)
            }
        }
        return true
    }

    private func schedule(_ delivery: Delivery, after delay: TimeAmount) {
        order += 1
        let new = Scheduled(at: now + delay, order: order, delivery: delivery)
        let index = queue.firstIndex { ($0.at, $0.order) > (new.at, new.order) } ?? queue.endIndex
        queue.insert(new, at: index)
    }

    private func delay() -> TimeAmount {
        latency + .nanoseconds(jitter > .zero ? Int64.random(in: 0...jitter.nanoseconds, using: &entropy) : 0)
    }

    // MARK: What happens

    private func collect(_ index: Int) {
        while let output = ends[index].poll() {
            switch output {
            case .send(var train, let path):
                while let datagram = train.popFirst() { carry(datagram, from: path.local, to: path.remote) }
            case .candidate(let candidate):
                events[index].append(Event(at: now, output: output))
                if ends[index].state != .new { schedule(.candidate(candidate, to: 1 - index), after: signalling) }
            case .relayPipe(let id, let command): perform(command, id, of: index)
            default: events[index].append(Event(at: now, output: output))
            }
        }
    }

    func carry(_ datagram: ByteBuffer, from source: TransportAddress, to target: TransportAddress) {
        guard let transit = internet.left(from: source, to: target, now: now) else { return }
        seen.append((transit.source, transit.target))
        guard loss == 0 || Int.random(in: 0..<100, using: &entropy) >= loss else { return }
        schedule(.datagram(datagram, transit), after: delay())
    }

    private func deliver(_ delivery: Delivery) {
        switch delivery {
        case .datagram(let bytes, let transit):
            guard let target = internet.arrived(transit, now: now) else { return }
            if let server = servers.firstIndex(where: { $0.isAt(target) }) {
                serve(bytes, from: transit.source, at: target, of: server)
            } else if let index = addresses.firstIndex(of: target) {
                let path = ICEPath(local: target, remote: transit.source)
                ends[index].handle(.datagrams(Datagrams(bytes), on: path), now: now)
                collect(index)
            }
        case .candidate(let candidate, let index):
            ends[index].handle(.remoteCandidate(candidate), now: now)
            collect(index)
        case .complete(let index):
            ends[index].handle(.endOfRemoteCandidates, now: now)
            collect(index)
        case .pipe(let event, let id, let index):
            ends[index].handle(.relayPipe(id, event), now: now)
            collect(index)
        case .stream(let bytes, let id, let index): streamed(bytes, id, of: index)
        }
    }

    private func serve(_ bytes: ByteBuffer, from source: TransportAddress, at target: TransportAddress, of server: Int)
    {
        for sending in servers[server].received(bytes, from: source, at: target, now: now) {
            if let (index, id) = pipe(of: sending.target) {
                // A frame of a stream is padded; the simulated server only knows datagrams.
                let frame = ChannelData(parsing: sending.bytes).map { $0.encoded(padded: true) } ?? sending.bytes
                schedule(.pipe(.received(frame), id, of: index), after: latency)
            } else {
                carry(sending.bytes, from: sending.source, to: sending.target)
            }
        }
    }

    // MARK: TCP to the TURN server: in order, nothing lost, through every NAT

    private func perform(_ command: TURNPipe.Command, _ id: TURNPipe.ID, of index: Int) {
        switch command {
        case .connect:
            nextAlias += 1
            let alias = TransportAddress(.v4(IPv4Address(0x0A03_0001)), port: nextAlias)
            streams[index, default: [:]][id] = (TURNFraming(), ByteBuffer(), alias)
            schedule(.pipe(.connected, id, of: index), after: latency * 2)
        case .send(let bytes): schedule(.stream(bytes, id, of: index), after: latency)
        case .close: streams[index]?[id] = nil
        }
    }

    private func pipe(of alias: TransportAddress) -> (Int, TURNPipe.ID)? {
        for index in streams.keys.sorted() {
            for (id, stream) in streams[index] ?? [:] where stream.alias == alias { return (index, id) }
        }
        return nil
    }

    private func streamed(_ bytes: ByteBuffer, _ id: TURNPipe.ID, of index: Int) {
        guard var stream = streams[index]?[id] else { return }
        stream.inbox.writeImmutableBuffer(bytes)
        var frames: [ByteBuffer] = []
        while case .frame(let frame) = stream.framing.received(&stream.inbox) { frames.append(frame) }
        streams[index]?[id] = stream
        for frame in frames { serve(frame, from: stream.alias, at: Self.turn, of: 1) }
    }
}
