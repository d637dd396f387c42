import HeapModule
import ICE
package import NIOCore
package import Node
import PlainEngines
package import Wire

/// Whole nodes on a virtual network under a virtual clock.
///
/// Runs the same ``NodeCore`` as the real peer. Pipes deliver in order, after latency, jitter and the time their
/// bandwidth asks for, and hold what crosses a partition until it heals, as TCP does; datagrams get lost. Nothing
/// here reads a clock or the system's randomness: the same seed gives the same run, byte for byte, in any process,
/// and ``trace`` proves it.
///
/// A node listens on `/ip4/10.0.0.<n>/tcp/4001` and `/ip4/10.0.0.<n>/udp/4001/webrtc-direct`, with plain engines
/// beneath WebRTC. Datagrams get lost, doubled and overtaken as the conditions say.
package final class Simulator {
    /// Names a node: 1, 2, 3 …
    package typealias NodeID = Int

    package private(set) var now: NIODeadline = .uptimeNanoseconds(1_000_000_000)
    /// The fingerprint of everything so far.
    package private(set) var trace = TraceHash()
    /// What each node told its owner, in order.
    package private(set) var events: [NodeID: [(time: NIODeadline, event: PeerEvent)]] = [:]
    /// The answers to ``give(_:to:)``.
    package private(set) var responses: [RequestID: Result<NodeCore.Response, PeerError>] = [:]
    /// What the applications of nodes do on streams of their own protocols; see ``KademliaServers``.
    package var onStream: ((NodeID, StreamKey, NodeCore.StreamEvent) -> Void)?
    /// What happened on the streams of nodes' own protocols, in order.
    package private(set) var streamEvents: [NodeID: [(key: StreamKey, event: NodeCore.StreamEvent)]] = [:]
    /// Nodes that nobody can dial, as behind a NAT without a mapping; but what comes from where a node dials, from the
    /// port it listens on, meets that dial.
    package var unreachable: Set<NodeID> = []
    /// Whether their NATs map each remote to another port: then dials never meet.
    package var mapsEachRemote = false
    /// Applies to what is sent from now on.
    package var conditions: LinkConditions

    var nodes: [NodeCore] = []
    private var configurations: [PeerConfiguration] = []
    private var pipes: [PipeEnd: PipeState] = [:]
    /// Dials under way.
    private var dials: [PipeEnd: Dial] = [:]
    private var queue = Heap<Scheduled>()
    private var sequence: UInt64 = 0
    private var lastRequest: RequestID = 0
    var entropy: Entropy
    /// Who has which UDP address now.
    var sockets: [TransportAddress: SocketOwner] = [:]
    /// The addresses of sockets made for dials.
    var dialSockets: [PipeEnd: TransportAddress] = [:]
    var lastDialPort: UInt16 = 20_000
    /// Which networks there are, and who lives where.
    package var internet = VirtualInternet()
    /// Servers of STUN and TURN.
    var servers: [IPAddress: TURNNode] = [:]
    /// TCP from nodes to those.
    var relayStreams: [RelayStreamID: RelayStream] = [:]
    var relayAliases: [TransportAddress: RelayStreamID] = [:]
    var relayStreamCount = 0
    /// Datagrams of a node for which this says false vanish: for what a node on the way, or at the end, does not take.
    package var carries: (ByteBuffer, NodeID) -> Bool = { _, _ in true }
    /// Hears of every datagram that a node sends, and where to, before it is on its way.
    package var onDatagram: ((NodeID, ByteBuffer, TransportAddress) -> Void)?
    /// Nodes in different groups cannot hear each other; nil: no partition.
    private var groups: [NodeID: Int]?

    struct PipeEnd: Hashable {
        let node: NodeID
        let id: ConnectionID
    }

    private struct Dial {
        let address: Multiaddr
        let isFromListener: Bool
        var tries = 0
    }

    private struct PipeState {
        let remote: PipeEnd
        /// When the last byte sent so far arrives: the next arrives no sooner.
        var arrival: NIODeadline
        /// When the sender's line is free again.
        var lineFree: NIODeadline
        /// What waits for a partition to heal.
        var held: [Delivery] = []
        /// Nothing arrives any more, and nobody is told.
        var isDead = false
    }

    enum Delivery {
        case dial(from: PipeEnd)
        case opened(PipeEnd)
        case refused(PipeEnd)
        case bytes(PipeEnd, ByteBuffer)
        case closed(PipeEnd)
        case multicast(NodeID, ByteBuffer, from: NodeID)
        case datagram(ByteBuffer, VirtualInternet.Transit, origin: NodeID?)
        case socketOpened(PipeEnd)
        case socketsOpened(PipeEnd)
        case relayPipe(RelayStreamID, TURNPipe.Event)
        case relayBytes(RelayStreamID, ByteBuffer)
        case relayEnd(RelayStreamID)
    }

    private struct Scheduled: Comparable {
        let time: NIODeadline
        let sequence: UInt64
        let delivery: Delivery

        static func == (left: Scheduled, right: Scheduled) -> Bool { left.sequence == right.sequence }
        static func < (left: Scheduled, right: Scheduled) -> Bool {
            (left.time, left.sequence) < (right.time, right.sequence)
        }
    }

    package init(seed: UInt64, conditions: LinkConditions = LinkConditions()) {
        entropy = .seeded(seed)
        self.conditions = conditions
    }

    // MARK: Nodes

    /// Adds a node with an identity of its own, listening.
    package func addNode(_ configure: (inout PeerConfiguration) -> Void = { _ in }) throws -> NodeID {
        var configuration = PeerConfiguration(agentVersion: "simulated")
        configuration.discoversLocally = false
        configure(&configuration)
        let id = nodes.count + 1
        let core = NodeCore(
            identity: try KeyPair(seed: entropy.bytes(32)), configuration: configuration,
            engines: PlainEngines(seed: UInt64(id)),
            unixNanoseconds: 1_700_000_000_000_000_000 &+ UInt64(id) &+ now.uptimeNanoseconds,
            entropy: entropy.split(), now: now)
        nodes.append(core)
        configurations.append(configuration)
        events[id] = []
        listenOnDatagrams(id)
        handle(.listening([try Self.address(of: id), try Self.directAddress(of: id)]), at: id)
        return id
    }

    /// Where a node listens.
    package static func address(of node: NodeID) throws(MultiaddrError) -> Multiaddr {
        try Multiaddr("/ip4/10.0.\(node / 256).\(node % 256)/tcp/4001")
    }

    /// A node's name.
    package func peerID(of node: NodeID) -> PeerID { core(node).identity.peerID }

    /// The node itself, to look into.
    package func core(_ node: NodeID) -> NodeCore { nodes[node - 1] }

    /// Asks a node for something; the answer comes to ``responses``.
    @discardableResult
    package func give(_ request: NodeCore.Request, to node: NodeID) -> RequestID {
        lastRequest += 1
        handle(.request(lastRequest, request), at: node)
        return lastRequest
    }

    /// Withdraws what a node was asked for.
    package func cancel(_ request: RequestID, of node: NodeID) { handle(.cancel(request), at: node) }

    /// What a node's application does on a stream of its own protocol.
    package func give(_ command: NodeCore.StreamCommand, on stream: StreamKey, to node: NodeID) {
        handle(.stream(stream, command), at: node)
    }

    /// Opens a pipe to a node from nowhere: what is written to it, and nothing else, arrives there.
    package func rawPipe(to node: NodeID) throws -> ConnectionID? {
        let id = core(node).accept(from: try Multiaddr("/ip4/10.9.9.9/tcp/9"), transport: "tcp", now: now)
        drain(node)
        return id
    }

    /// Has a node be reachable through a relay.
    package func listen(_ node: NodeID, through relay: NodeID) throws {
        handle(.listenThrough(try fullAddress(of: relay).appending(Multiaddr.Component.p2pCircuit)), at: node)
    }

    /// Makes a node ask whatever relays it is connected to for reservations.
    package func listenThroughAnyRelay(_ node: NodeID) throws {
        handle(.listenThrough(try Multiaddr([Multiaddr.Component.p2pCircuit])), at: node)
    }

    /// Where a node can be reached through a relay, with its name.
    package func address(of node: NodeID, through relay: NodeID) throws -> Multiaddr {
        try fullAddress(of: relay).appending(Multiaddr.Component.p2pCircuit).appending(peerID(of: node))
    }

    /// Sets a node's wall clock so many seconds ahead of the others', or behind them.
    package func setClock(of node: NodeID, ahead seconds: Int64) {
        let right = 1_700_000_000_000_000_000 &+ UInt64(node) &+ now.uptimeNanoseconds
        handle(
            .wallClock(right.addingReportingOverflow(UInt64(bitPattern: seconds &* 1_000_000_000)).partialValue),
            at: node)
    }

    /// Ends a node without a word to anybody and starts it anew: same identity, same configuration, no memory.
    package func restart(_ node: NodeID) throws {
        for end in pipes.keys.sorted(by: { ($0.node, $0.id) < ($1.node, $1.id) }) where end.node == node {
            guard let pipe = pipes[end] else { continue }
            send(.closed(pipe.remote), from: end, bytes: 0)
            pipes[end] = nil
        }
        nodes[node - 1] = NodeCore(
            identity: core(node).identity, configuration: configurations[node - 1],
            engines: PlainEngines(seed: UInt64(node)),
            unixNanoseconds: 1_700_000_000_000_000_000 &+ UInt64(node) &+ now.uptimeNanoseconds,
            entropy: entropy.split(), now: now)
        listenOnDatagrams(node)
        handle(.listening([try Self.address(of: node), try Self.directAddress(of: node)]), at: node)
    }

    /// Writes bytes of a test's choice to a pipe of ``rawPipe(to:)``.
    package func write(_ bytes: ByteBuffer, to pipe: ConnectionID, of node: NodeID) {
        handle(.pipeReceived(pipe, bytes), at: node)
    }

    /// Cuts the network: nodes hear each other only within a group; nodes in no group hear nobody.
    package func partition(_ parts: [[NodeID]]) {
        var groups: [NodeID: Int] = [:]
        for (group, members) in parts.enumerated() { for node in members { groups[node] = group } }
        self.groups = groups
    }

    /// Ends the partition: what was held arrives now.
    package func heal() {
        groups = nil
        for end in pipes.keys.sorted(by: { ($0.node, $0.id) < ($1.node, $1.id) }) {
            guard let held = pipes[end]?.held, !held.isEmpty else { continue }
            pipes[end]?.held = []
            for delivery in held { send(delivery, from: end, bytes: 0) }
        }
    }

    /// Every pipe of a node goes dead: what is written to it, at either end, arrives nowhere, and nobody is told. So it is
    /// with TCP when a machine changes its network.
    package func cutPipes(of node: NodeID) {
        for (end, pipe) in pipes where end.node == node {
            pipes[end]?.isDead = true
            pipes[pipe.remote]?.isDead = true
        }
    }

    // MARK: Time

    /// Runs for so long, or until nothing is left to happen.
    package func run(for time: TimeAmount) {
        let end = now + time
        while step(until: end) {}
        now = end
    }

    /// Runs until `condition` holds; false when it did not within `limit`.
    package func run(upTo limit: TimeAmount, until condition: () -> Bool) -> Bool {
        let end = now + limit
        while !condition() {
            guard step(until: end) else { return condition() }
        }
        return true
    }

    /// Lets the next thing happen, be it a delivery or a deadline; false when it lies behind `end`.
    private func step(until end: NIODeadline) -> Bool {
        var next = queue.min?.time ?? .distantFuture
        var ticking: NodeID?
        for (index, node) in nodes.enumerated() where node.deadline < next {
            (next, ticking) = (node.deadline, index + 1)
        }
        guard next <= end, next < .distantFuture else { return false }
        now = max(now, next)
        if let ticking {
            handle(.tick, at: ticking)
        } else if let scheduled = queue.popMin() {
            deliver(scheduled.delivery)
        }
        return true
    }

    // MARK: What happens

    func handle(_ input: NodeCore.Input, at node: NodeID) {
        core(node).handle(input, now: now)
        drain(node)
    }

    private func drain(_ node: NodeID) {
        while let output = core(node).poll() { perform(output, of: node) }
    }

    private func perform(_ output: NodeCore.Output, of node: NodeID) {
        trace.add(UInt64(node))
        trace.add(now.uptimeNanoseconds)
        switch output {
        case .connect(let id, let address):
            trace.add("connect \(id) \(address)")
            let end = PipeEnd(node: node, id: id)
            if case .webRTCDirect = address.dialTarget { return openSocket(end) }
            dials[end] = Dial(address: address, isFromListener: false)
            send(.dial(from: end), from: end, bytes: 0)
        case .openSockets(let id):
            trace.add("sockets \(id)")
            openSockets(PipeEnd(node: node, id: id))
        case .relayPipe(let id, let pipe, let command):
            trace.add("relay pipe \(id) \(pipe)")
            perform(command, on: pipe, of: PipeEnd(node: node, id: id))
        case .connectFromListener(let id, let address):
            trace.add("connect from listener \(id) \(address)")
            let end = PipeEnd(node: node, id: id)
            dials[end] = Dial(address: address, isFromListener: true)
            send(.dial(from: end), from: end, bytes: 0)
        case .send(let id, let bytes):
            trace.add(bytes)
            let end = PipeEnd(node: node, id: id)
            guard let pipe = pipes[end] else { return }
            send(.bytes(pipe.remote, bytes), from: end, bytes: bytes.readableBytes)
        case .closePipe(let id):
            trace.add("close \(id)")
            let end = PipeEnd(node: node, id: id)
            closeSocket(end)
            closeRelayStreams(of: end)
            dials[end] = nil
            guard let pipe = pipes[end] else { return }
            send(.closed(pipe.remote), from: end, bytes: 0)
            pipes[end] = nil
        case .sendDatagrams(let datagrams, _, let target, let socket):
            trace.add(datagrams.bytes)
            send(datagrams, from: socket, of: node, to: target)
        case .multicast(let bytes):
            trace.add(bytes)
            multicast(bytes, from: node)
        case .resolve(let query):
            trace.add("resolve")
            handle(.resolved(query.id, nil), at: node)
        case .event(let event):
            events[node]?.append((now, event))
            trace.add("event")
        case .completed(let request, let result):
            responses[request] = result
            trace.add(request)
        case .stream(let key, let event):
            trace.add(UInt64(key.stream))
            onStream?(node, key, event)
            streamEvents[node, default: []].append((key, event))
        }
    }

    private func multicast(_ bytes: ByteBuffer, from sender: NodeID) {
        for receiver in 1...nodes.count where canHear(sender, receiver) && areNeighbours(sender, receiver) {
            guard Double.random(in: 0..<1, using: &entropy) >= conditions.datagramLoss else { continue }
            schedule(.multicast(receiver, bytes, from: sender), at: now + delay())
        }
    }

    func canHear(_ one: NodeID, _ other: NodeID) -> Bool {
        guard let groups else { return true }
        guard let group = groups[one] else { return one == other }
        return group == groups[other]
    }

    func delay() -> TimeAmount {
        guard conditions.jitter > .zero else { return conditions.latency }
        return conditions.latency
            + .nanoseconds(Int64.random(in: 0...conditions.jitter.nanoseconds, using: &entropy))
    }

    func schedule(_ delivery: Delivery, at time: NIODeadline) {
        sequence += 1
        queue.insert(Scheduled(time: time, sequence: sequence, delivery: delivery))
    }

    /// Puts something on a pipe, behind all that is on it already.
    private func send(_ delivery: Delivery, from end: PipeEnd, bytes: Int) {
        if pipes[end]?.isDead == true { return }
        if let pipe = pipes[end], !canHear(end.node, pipe.remote.node) {
            pipes[end]?.held.append(delivery)
            return
        }
        var time = now
        if let bandwidth = conditions.bandwidth, bytes > 0 {
            time =
                max(time, pipes[end]?.lineFree ?? now) + .nanoseconds(Int64(bytes) * 1_000_000_000 / Int64(bandwidth))
            pipes[end]?.lineFree = time
        }
        time = max(time + delay(), pipes[end]?.arrival ?? now)
        pipes[end]?.arrival = time
        schedule(delivery, at: time)
    }

    private func deliver(_ delivery: Delivery) {
        switch delivery {
        case .dial(let from): answer(dial: from)
        case .opened(let end): handle(.pipeOpened(end.id), at: end.node)
        case .refused(let end): handle(.pipeFailed(end.id, reason: "connection refused"), at: end.node)
        case .bytes(let end, let bytes):
            guard pipes[end]?.isDead == false else { return }
            handle(.pipeReceived(end.id, bytes), at: end.node)
        case .closed(let end):
            guard pipes[end]?.isDead == false else { return }
            pipes[end] = nil
            handle(.pipeClosed(end.id, reason: nil), at: end.node)
        case .datagram(let bytes, let transit, let origin): deliver(bytes, transit, origin: origin)
        case .socketOpened(let end): socketOpened(end)
        case .socketsOpened(let end): socketsOpened(end)
        case .relayPipe(let id, let event): relayPipeHappened(event, to: id)
        case .relayBytes(let id, let bytes): relayBytesArrived(bytes, from: id)
        case .relayEnd(let id): relayEnded(id)
        case .multicast(let node, let bytes, let sender):
            handle(.multicastReceived(bytes, from: "10.0.0.\(sender)"), at: node)
        }
    }

    private func answer(dial from: PipeEnd) {
        guard let address = dials[from]?.address else { return }
        let target = (1...nodes.count).first { (try? Self.address(of: $0)) == address.withoutPeerID }
        if let target, unreachable.contains(target), canHear(from.node, target) { return meet(from, at: target) }
        dials[from] = nil
        guard let target, canHear(from.node, target),
            let seen = internet.seenByTCP(from: Self.ip(of: from.node), to: Self.ip(of: target)),
            let remote = try? Multiaddr("/ip4/\(seen)/tcp/\(50_000 + from.id)"),
            let id = core(target).accept(from: remote, transport: "tcp", now: now)
        else { return schedule(.refused(from), at: now + delay()) }
        let end = PipeEnd(node: target, id: id)
        pipes[from] = PipeState(remote: end, arrival: now, lineFree: now)
        pipes[end] = PipeState(remote: from, arrival: now, lineFree: now)
        send(.opened(from), from: end, bytes: 0)
        drain(target)
    }

    /// A dial of a node that answers none: it meets one from there to here, or is tried again as TCP does.
    private func meet(_ from: PipeEnd, at target: NodeID) {
        let own = try? Self.address(of: from.node)
        let other = dials.filter { $0.key.node == target && $0.value.isFromListener && $0.value.address == own }
            .keys.min { $0.id < $1.id }
        guard !mapsEachRemote, let other, dials[from]?.isFromListener == true else {
            dials[from]?.tries += 1
            guard let tries = dials[from]?.tries, tries < 7 else {
                dials[from] = nil
                return schedule(.refused(from), at: now + delay())
            }
            return schedule(.dial(from: from), at: now + .seconds(1))
        }
        (dials[from], dials[other]) = (nil, nil)
        pipes[from] = PipeState(remote: other, arrival: now, lineFree: now)
        pipes[other] = PipeState(remote: from, arrival: now, lineFree: now)
        send(.opened(from), from: other, bytes: 0)
        send(.opened(other), from: from, bytes: 0)
    }
}
