import ICE
import NIOCore
import Wire

/// What links do to packets.
struct Conditions: Sendable {
    /// Of a hundred packets.
    var loss = 0
    var duplication = 0
    var delay = TimeAmount.milliseconds(5)
    /// Added at random: above zero, packets overtake each other.
    var jitter = TimeAmount.zero
}

/// A few agents, the addresses between them, and a clock that only moves when nothing else is left to do.
///
/// Every address belongs to one agent. A NAT is a table that rewrites the source of what an agent sends, and the
/// destination of what comes back.
final class Network {
    struct Packet {
        let at: NIODeadline
        let order: Int
        let to: Int
        let bytes: ByteBuffer
        let path: ICEPath
    }

    enum Agent {
        case full(ICEAgent)
        case lite(ICELiteAgent)
        /// A STUN server at this address.
        case server
    }

    private(set) var agents: [Agent] = []
    private(set) var events: [[(at: NIODeadline, event: ICEOutput)]] = []
    private var owners: [TransportAddress: Int] = [:]
    private var queue: [Packet] = []
    private var order = 0
    private(set) var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    var entropy: Entropy
    var conditions: Conditions
    /// Ways that lead nowhere: source and destination as the network sees them.
    var isBlocked: (TransportAddress, TransportAddress) -> Bool = { _, _ in false }
    /// Inside address to outside address.
    var nat: [TransportAddress: TransportAddress] = [:] {
        didSet { for (inside, outside) in nat { owners[outside] = owners[inside] } }
    }
    private(set) var packets = 0
    private(set) var largest = (outstanding: 0, pairs: 0)

    init(seed: UInt64, _ conditions: Conditions = Conditions()) {
        entropy = .seeded(seed)
        self.conditions = conditions
    }

    func add(_ agent: Agent, at addresses: [TransportAddress]) -> Int {
        agents.append(agent)
        events.append([])
        for address in addresses { owners[address] = agents.count - 1 }
        return agents.count - 1
    }

    func handle(_ input: ICEInput, _ index: Int) {
        switch agents[index] {
        case .full(let agent): agent.handle(input, now: now)
        case .lite(let agent): agent.handle(input, now: now)
        case .server: break
        }
        drain(index)
    }

    private func drain(_ index: Int) {
        while let output = poll(index) {
            events[index].append((now, output))
            if case .send(let bytes, let path) = output { send(bytes, on: path) }
        }
        let figures = statistics(index)
        largest.outstanding = max(largest.outstanding, figures.outstanding)
        largest.pairs = max(largest.pairs, figures.pairs)
    }

    private func poll(_ index: Int) -> ICEOutput? {
        switch agents[index] {
        case .full(let agent): agent.poll()
        case .lite(let agent): agent.poll()
        case .server: nil
        }
    }

    func statistics(_ index: Int) -> ICEStatistics {
        switch agents[index] {
        case .full(let agent): agent.statistics
        case .lite(let agent): agent.statistics
        case .server: ICEStatistics()
        }
    }

    func deadline(_ index: Int) -> NIODeadline {
        switch agents[index] {
        case .full(let agent): agent.deadline
        case .lite(let agent): agent.deadline
        case .server: .distantFuture
        }
    }

    /// Puts a packet on its way, under its source's outside address.
    func send(_ bytes: ByteBuffer, on path: ICEPath) {
        packets += 1
        let source = nat[path.local] ?? path.local
        guard let owner = owners[path.remote], !isBlocked(source, path.remote) else { return }
        // Behind a NAT, only its outside is reached.
        let inside = nat.first { $0.value == path.remote }?.key ?? path.remote
        if nat[path.remote] != nil { return }
        for _ in 0..<(chance(conditions.duplication) ? 2 : 1) where !chance(conditions.loss) {
            let jitter = Int64.random(in: 0...conditions.jitter.nanoseconds, using: &entropy)
            order += 1
            queue.append(
                Packet(
                    at: now + conditions.delay + .nanoseconds(jitter), order: order, to: owner, bytes: bytes,
                    path: ICEPath(local: inside, remote: source)))
        }
    }

    private func chance(_ percent: Int) -> Bool {
        percent > 0 && Int.random(in: 0..<100, using: &entropy) < percent
    }

    private func arrive(_ packet: Packet) {
        if case .server = agents[packet.to] {
            guard let request = try? STUNMessage(parsing: packet.bytes) else { return }
            let answer = STUNMessage(
                .success, transaction: request.transaction, attributes: [.xorMappedAddress(packet.path.remote)])
            send(answer.encoded(), on: packet.path)
        } else if STUNMessage.isSTUN(packet.bytes) {
            handle(.received(packet.bytes, on: packet.path), packet.to)
        } else {
            handle(.heard(packet.path), packet.to)
        }
    }

    /// Lets time pass until `condition` holds or `limit` is over; whether it held.
    @discardableResult
    func run(for limit: TimeAmount, until condition: () -> Bool = { false }) -> Bool {
        let end = now + limit
        var idle = 0
        while !condition() {
            let timer = agents.indices.map { deadline($0) }.min() ?? .distantFuture
            let packet = queue.indices.min { (queue[$0].at, queue[$0].order) < (queue[$1].at, queue[$1].order) }
            let next = min(timer, packet.map { queue[$0].at } ?? .distantFuture)
            guard next <= end else {
                now = end
                return false
            }
            idle = next <= now ? idle + 1 : 0
            precondition(idle < 10_000, "time stands still: a deadline that its tick does not move")
            now = max(now, next)
            if let packet, queue[packet].at <= now {
                arrive(queue.remove(at: packet))
            } else {
                for index in agents.indices where deadline(index) <= now { handle(.tick, index) }
            }
        }
        return true
    }

    // MARK: What came out

    func states(_ index: Int) -> [ICEState] {
        events[index].compactMap { if case .state(let state) = $0.event { state } else { nil } }
    }

    func selections(_ index: Int) -> [ICEPath] {
        events[index].compactMap { if case .selected(let path) = $0.event { path } else { nil } }
    }

    func candidates(_ index: Int) -> [ICECandidate] {
        events[index].compactMap { if case .candidate(let candidate) = $0.event { candidate } else { nil } }
    }

    func sent(_ index: Int) -> Int {
        events[index].lazy.filter { if case .send = $0.event { true } else { false } }.count
    }

    func usable(_ index: Int) -> [ICEPath] {
        events[index].compactMap { if case .usable(let path) = $0.event { path } else { nil } }
    }

    func isConnected(_ index: Int) -> Bool { statistics(index).state == .connected }
}

/// `192.0.2.1:9`, `[2001:db8::1]:9`.
func address(_ text: String) -> TransportAddress {
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]),
        let ip = IPAddress(text[..<colon].filter { $0 != "[" && $0 != "]" })
    else { preconditionFailure("an address in a test's own text") }
    return TransportAddress(ip, port: port)
}

/// Two full agents that know each other's credentials and candidates.
struct Pair {
    let network: Network
    let left: Int
    let right: Int
    let credentials: [ICECredentials]

    /// Makes both; candidates are theirs at once, credentials and the other's candidates come with `introduce`.
    init(
        seed: UInt64, _ conditions: Conditions = Conditions(), left: [String] = ["192.0.2.1:1000"],
        right: [String] = ["198.51.100.1:2000"], roles: (ICERole, ICERole) = (.controlling, .controlled),
        configuration: ICEConfiguration = ICEConfiguration()
    ) {
        network = Network(seed: seed, conditions)
        credentials = [ICECredentials(from: &network.entropy), ICECredentials(from: &network.entropy)]
        var ids: [Int] = []
        for (index, (texts, role)) in [(left, roles.0), (right, roles.1)].enumerated() {
            let agent = ICEAgent(
                role: role, local: credentials[index], configuration: configuration, entropy: network.entropy.split())
            ids.append(network.add(.full(agent), at: texts.map(address)))
        }
        (self.left, self.right) = (ids[0], ids[1])
        for (id, texts) in [(self.left, left), (self.right, right)] {
            for (index, text) in texts.enumerated() {
                let preference = UInt16(65_535 - index)
                network.handle(.localCandidate(.host(address(text), localPreference: preference)), id)
            }
        }
    }

    /// Tells `id` of the other side.
    func introduce(to id: Int, candidates: [String], offset: Int = 0) {
        for (index, text) in candidates.enumerated() {
            let preference = UInt16(65_535 - index - offset)
            network.handle(.remoteCandidate(.host(address(text), localPreference: preference)), id)
        }
        network.handle(.remoteCredentials(credentials[id == left ? 1 : 0]), id)
    }

    var areConnected: Bool { network.isConnected(left) && network.isConnected(right) }

    /// Whether what one sends on its selected path arrives on the other's.
    var agree: Bool {
        guard let one = network.statistics(left).selected, let other = network.statistics(right).selected else {
            return false
        }
        let outside = (network.nat[one.local] ?? one.local, network.nat[other.local] ?? other.local)
        return outside.0 == other.remote && outside.1 == one.remote
    }
}
