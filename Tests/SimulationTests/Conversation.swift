import GossipSub
import NIOCore
import Simulator
import Testing
import Wire

@testable import Node

/// A relay, and two nodes in one room that know each other through it and talk all the time.
///
/// What is to be shown: whatever happens to the ways between them, each hears every line of the other, once and in
/// order.
final class Conversation {
    static let room = "universal-connectivity"
    let network: Simulator
    let relay = 1
    let listener = 2
    let dialer = 3
    private(set) var said: [Int: [String]] = [:]
    /// Between two lines, whoever says them.
    var pause = TimeAmount.milliseconds(200)

    /// The relayed connection stands at both ends; nothing better does.
    ///
    /// - Parameters:
    ///   - places: the networks of the listener and of the dialer.
    ///   - configure: of both ends.
    init(
        seed: UInt64,
        conditions: LinkConditions = LinkConditions(latency: .milliseconds(20), jitter: .milliseconds(10)),
        places: (inout VirtualInternet) -> [VirtualInternet.NetworkID] = { _ in [0, 0] },
        prepare: (Simulator) -> Void = { _ in },
        configure: (inout PeerConfiguration) -> Void = { $0.punchesHoles = false }
    ) throws {
        network = Simulator(seed: seed, conditions: conditions)
        var configuration = RelayConfiguration()
        configuration.limit = RelayLimit(seconds: 3600, bytes: 1 << 30)
        _ = try network.addNode { $0.relay = configuration }
        _ = network.addSTUNServer()
        for place in places(&network.internet) {
            let node = try network.addNode(behind: place, configure)
            network.give(.join(topic: Self.room), to: node)
        }
        prepare(network)
        try network.listen(listener, through: relay)
        try #require(
            network.run(upTo: .seconds(20)) { network.core(listener).ownAddresses.contains(where: \.isCircuit) })
        network.give(.connect(try network.address(of: listener, through: relay)), to: dialer)
        try #require(network.run(upTo: .seconds(30)) { ends.allSatisfy { !open(at: $0).isEmpty } })
    }

    var ends: [Int] { [listener, dialer] }
    func other(_ end: Int) -> Int { listener + dialer - end }

    /// The transports of open connections between the two, as one of them has them.
    func open(at end: Int) -> [String] {
        network.core(end).openConnections(to: network.peerID(of: other(end))).map(\.transport)
    }

    func paths(at end: Int) -> [String] {
        (network.events[end] ?? []).compactMap { entry in
            if case .path(_, let old, let new) = entry.event { "\(old) → \(new)" } else { nil }
        }
    }

    /// Until each knows that the other is in the room.
    func meet() throws {
        let topic = Topic(Self.room)
        try #require(
            network.run(upTo: .seconds(20)) {
                ends.allSatisfy { network.core($0).router.peers(in: topic).contains(network.peerID(of: other($0))) }
            })
    }

    private func say() {
        let end = ends[(said[listener, default: []].count + said[dialer, default: []].count) % 2]
        let line = "\(end): \(said[end, default: []].count)"
        said[end, default: []].append(line)
        network.give(.publish(topic: Self.room, ByteBuffer(string: line)), to: end)
    }

    /// Both talk for so long.
    func talk(for time: TimeAmount) {
        let end = network.now + time
        while network.now < end {
            say()
            network.run(for: pause)
        }
    }

    /// Both talk until something is so; false when it is not in time.
    @discardableResult
    func talk(upTo limit: TimeAmount, until condition: () -> Bool) -> Bool {
        let end = network.now + limit
        while network.now < end {
            say()
            if network.run(upTo: pause, until: condition) { return true }
        }
        return false
    }

    func isUpgrading() -> Bool { network.connections(at: dialer).last?.transport == "webrtc" }
    func bothStand() -> Bool { ends.allSatisfy { open(at: $0).count == 2 } }

    var isDirect: Bool { ends.allSatisfy { open(at: $0).allSatisfy { $0 != "relay" } && !open(at: $0).isEmpty } }

    /// Every line is there, once and in order.
    func expectAll(_ comment: Comment, sourceLocation: SourceLocation = #_sourceLocation) {
        for end in ends {
            let heard = network.texts(at: end)
            let wanted = said[other(end), default: []]
            guard heard != wanted else { continue }
            let missing = wanted.filter { !Set(heard).contains($0) }
            let doubled = heard.count - Set(heard).count
            let first = zip(heard, wanted).first { $0 != $1 }
            Issue.record(
                """
                \(comment): \(end) heard \(heard.count) of \(wanted.count); missing \(missing.prefix(5)) … \
                \(missing.count), doubled \(doubled), first difference \(first.map { "\($0)" } ?? "at the end")
                """, sourceLocation: sourceLocation)
        }
    }

    /// What happened to connections between the two, for a person who looks for a mistake.
    func report(at end: Int) -> String {
        (network.events[end] ?? []).compactMap { entry -> String? in
            let time = Double((entry.time - .uptimeNanoseconds(0)).nanoseconds) / 1e9
            switch entry.event {
            case .connection(let info): return "\(time) \(info.id) \(info.transport) \(info.state) \(info.reason ?? "")"
            case .path(_, let old, let new): return "\(time) path \(old) → \(new)"
            case .log(_, let text): return "\(time) \(text)"
            default: return nil
            }
        }.joined(separator: "\n")
    }
}
