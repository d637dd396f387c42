import ICE
import NIOCore
import PlainEngines
import Testing
import Wire

@testable import WebRTC

/// What a link does to datagrams.
struct LinkFaults: Sendable, CustomTestStringConvertible {
    /// Of a hundred datagrams.
    var loss = 0
    var duplication = 0
    var delay = TimeAmount.milliseconds(5)
    /// Added at random: above zero, datagrams overtake each other.
    var jitter = TimeAmount.zero

    var testDescription: String {
        "\(loss) % lost, \(duplication) % doubled, \(delay.nanoseconds / 1_000_000) ms + \(jitter.nanoseconds / 1_000_000)"
    }
}

/// Two peer connections, a seeded link between them, and a clock that moves only when nothing else is left to do.
final class VirtualLink {
    struct Datagram {
        let at: NIODeadline
        let order: Int
        let to: Int
        let bytes: ByteBuffer
        let path: ICEPath
    }
    struct Event {
        let at: NIODeadline
        let output: PeerConnection.Output
    }

    private(set) var ends: [PeerConnection] = []
    private(set) var events: [[Event]] = [[], []]
    private(set) var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private let bases = [dialer, listener]
    /// Where each end's datagrams seem to come from.
    var addresses: [TransportAddress]
    var faults: LinkFaults
    private var entropy: Entropy
    /// The next to arrive is the last.
    private var queue: [Datagram] = []
    private(set) var messageCounts = [0, 0]
    private var order = 0
    private(set) var datagrams = 0
    private(set) var trains = 0
    private(set) var largestTrain = 0
    /// Datagrams for which this says false vanish.
    var passes: (Int, ByteBuffer) -> Bool = { _, _ in true }

    static let dialer = TransportAddress(.v4(IPv4Address(0x0A00_0001)), port: 4000)
    static let listener = TransportAddress(.v4(IPv4Address(0x0A00_0002)), port: 9090)

    /// The dialer is 0, ICE's controlling side and the DTLS client; the listener is 1, and lite.
    init(
        seed: UInt64 = 1, _ faults: LinkFaults = LinkFaults(), isLite: Bool = true,
        configure: (Int, inout PeerConnectionConfiguration) -> Void = { _, _ in }
    ) {
        entropy = .seeded(seed)
        self.faults = faults
        addresses = [Self.dialer, Self.listener]
        for end in 0...1 {
            var configuration = PeerConnectionConfiguration(
                end == 0 ? .full(.controlling) : isLite ? .lite : .full(.controlled), localAddresses: [addresses[end]])
            configuration.dtlsRole = end == 0 ? .client : .server
            if end == 0, isLite { configuration.ice = .direct }
            configure(end, &configuration)
            ends.append(
                PeerConnection(
                    configuration: configuration, engines: PlainEngines(seed: UInt64(end) + 1),
                    entropy: entropy.split(), now: now))
        }
    }

    func parameters(of end: Int) -> PeerConnectionParameters {
        PeerConnectionParameters(
            credentials: ends[end].localCredentials, candidates: [.host(addresses[end])],
            fingerprint: ends[end].localFingerprint, largestMessage: ends[end].configuration.largestMessage)
    }

    /// Tells both of each other.
    func start() {
        ends[1].start(remote: parameters(of: 0), now: now)
        ends[0].start(remote: parameters(of: 1), now: now)
        collect()
    }

    /// Both stand.
    func connect() throws {
        start()
        run(for: .seconds(60)) { $0.ends.allSatisfy { $0.state == .connected } }
        try #require(ends.map(\.state) == [.connected, .connected])
    }

    func outputs(of end: Int) -> [PeerConnection.Output] { events[end].map(\.output) }

    func ids(openedAt end: Int) -> [DataChannelID] {
        outputs(of: end).compactMap { if case .channelOpened(let id, _) = $0 { id } else { nil } }
    }

    func infos(openedAt end: Int) -> [DataChannelInfo] {
        outputs(of: end).compactMap { if case .channelOpened(_, let info) = $0 { info } else { nil } }
    }

    func messages(at end: Int, on id: DataChannelID? = nil) -> [DataChannelMessage] {
        outputs(of: end).compactMap {
            if case .received(let channel, let message) = $0, id == nil || channel == id { message } else { nil }
        }
    }

    func closes(at end: Int) -> [DataChannelID] {
        outputs(of: end).compactMap { if case .channelClosed(let id) = $0 { id } else { nil } }
    }

    func states(of end: Int) -> [PeerConnectionState] {
        outputs(of: end).compactMap { if case .state(let state) = $0 { state } else { nil } }
    }

    func phases(of end: Int) -> [(phase: PeerConnectionPhase, took: TimeAmount)] {
        outputs(of: end).compactMap { if case .phase(let phase, let time) = $0 { (phase, time) } else { nil } }
    }

    /// Why an end is over; nil while it is not.
    func end(of end: Int) -> PeerConnectionError?? {
        if case .closed(let error)? = outputs(of: end).last { .some(error) } else { nil }
    }

    /// Something that did not come from the other end.
    func inject(_ datagram: ByteBuffer, to end: Int, from remote: TransportAddress) {
        let path = ICEPath(local: addresses[end], remote: remote)
        ends[end].handle(.datagrams(Datagrams(datagram), on: path), now: now)
        collect()
    }

    /// Does something to an end, at this time.
    func at<Result>(_ end: Int, _ body: (PeerConnection, NIODeadline) throws -> Result) rethrows -> Result {
        let result = try body(ends[end], now)
        collect()
        return result
    }

    /// Lets time pass, until `isDone` or the time is over.
    func run(for time: TimeAmount, until isDone: (VirtualLink) -> Bool = { _ in false }) {
        let end = now + time
        collect()
        while !isDone(self) {
            let next = min(queue.last?.at ?? .distantFuture, ends[0].deadline, ends[1].deadline)
            guard next <= end else {
                now = max(now, end)
                return
            }
            now = max(now, next)
            while let datagram = queue.last, datagram.at <= now {
                queue.removeLast()
                ends[datagram.to].handle(.datagrams(Datagrams(datagram.bytes), on: datagram.path), now: now)
                collect()
            }
            for end in ends where end.deadline <= now { end.handle(.tick, now: now) }
            collect()
        }
    }

    private func insert(_ datagram: Datagram) {
        var range = queue.startIndex..<queue.endIndex
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            let isLater = (queue[middle].at, queue[middle].order) > (datagram.at, datagram.order)
            range = isLater ? middle + 1..<range.upperBound : range.lowerBound..<middle
        }
        queue.insert(datagram, at: range.lowerBound)
    }

    func collect() {
        for index in 0...1 {
            while let output = ends[index].poll() {
                if case .send(let train, let path) = output {
                    carry(train, on: path, from: index)
                } else {
                    events[index].append(Event(at: now, output: output))
                    if case .received = output { messageCounts[index] += 1 }
                }
            }
        }
    }

    private func carry(_ train: Datagrams, on path: ICEPath, from index: Int) {
        var train = train
        trains += 1
        largestTrain = max(largestTrain, train.count)
        while let datagram = train.popFirst() {
            datagrams += 1
            #expect(datagram.readableBytes <= Limits.datagramPayload)
            guard path.remote == addresses[1 - index], passes(index, datagram) else { continue }
            let copies = Int.random(in: 0..<100, using: &entropy) < faults.duplication ? 2 : 1
            for _ in 0..<copies where Int.random(in: 0..<100, using: &entropy) >= faults.loss {
                let extra = faults.jitter > .zero ? Int64.random(in: 0..<faults.jitter.nanoseconds, using: &entropy) : 0
                order += 1
                insert(
                    Datagram(
                        at: now + faults.delay + .nanoseconds(extra), order: order, to: 1 - index, bytes: datagram,
                        path: ICEPath(local: bases[1 - index], remote: addresses[index])))
            }
        }
    }
}

/// Bytes that differ from place to place, and from seed to seed.
func pattern(_ count: Int, seed: UInt8 = 0) -> ByteBuffer {
    patterns.getSlice(at: Int(seed) * 257, length: count) ?? ByteBuffer()
}

/// Made once: in a debug build it takes longer than what the tests do with it.
private let patterns = ByteBuffer(
    bytes: (0..<Limits.sctpMessage + 256 * 257).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8 &+ $0 >> 16) })
