import Channels
import ICE
import NIOCore
import PlainEngines
import StreamConformance
import Testing
import WebRTC
import Wire

@testable import Node

/// What a virtual link does to datagrams.
struct LinkWeather {
    /// Of a thousand.
    var lost = 0
    var doubled = 0
    var delay: ClosedRange<Int64> = 5...5

    static let clear = LinkWeather()
}

/// A dialer and a listener with its socket, over a link in virtual time.
final class DirectPair: MuxerPair {
    struct Flight {
        let at: NIODeadline
        let number: Int
        let datagrams: Datagrams
        let path: ICEPath
        let toListener: Bool
    }

    let dialer: WebRTCConnection
    private(set) var listener: WebRTCConnection?
    var socket = DirectListener()
    let dialerKey: KeyPair
    let listenerKey: KeyPair
    let dialerEngines: PlainEngines
    let listenerEngines: PlainEngines
    var weather: LinkWeather
    private(set) var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    /// Where the dialer's datagrams seem to come from, as a router has it.
    var dialerAddress = TransportAddress(.v4(IPv4Address(0xC000_0201)), port: 40_000)
    let dialerSocket = TransportAddress(.v4(IPv4Address(0x0A00_0001)), port: 5000)
    let listenerSocket = TransportAddress(.v4(IPv4Address(0xC633_6401)), port: 9095)
    var isDialerConsuming = true
    var isListenerConsuming = true
    /// Changes what is on its way; nil: lost.
    var tamper: (Flight) -> Flight? = { $0 }
    private(set) var phases: [[DirectPhase]] = [[], []]
    private var events: [[Connection.Output]] = [[], []]
    private(set) var ends: [DirectError??] = [nil, nil]
    private var flights: [Flight] = []
    private var sent = 0
    private var turnsAtThisTime = 0
    private var entropy: Entropy
    private let configuration: ConnectionConfiguration

    init(
        seed: UInt64 = 1, _ weather: LinkWeather = .clear, version: DirectVersion = .one,
        certificate: UInt64? = nil, expecting: PeerID?? = .none,
        configure: (inout ConnectionConfiguration) -> Void = { _ in }
    ) throws {
        var entropy = Entropy.seeded(seed)
        self.weather = weather
        dialerKey = try KeyPair(seed: entropy.bytes(32))
        listenerKey = try KeyPair(seed: entropy.bytes(32))
        dialerEngines = PlainEngines(seed: 2 * seed)
        listenerEngines = PlainEngines(seed: 2 * seed + 1)
        var configuration = ConnectionConfiguration(
            inboundProtocols: ["/echo/1"] + (0..<200).map { "/numbered/\($0)" })
        configure(&configuration)
        self.configuration = configuration
        let promised = certificate.map { PlainEngines(seed: $0).fingerprint } ?? listenerEngines.fingerprint
        let address = try DirectAddress.listening(at: listenerSocket, promised)
        dialer = WebRTCConnection(
            dialing: try DirectAddress(address), from: dialerSocket, as: version, identity: dialerKey,
            expecting: expecting ?? listenerKey.peerID, configuration: configuration, engines: dialerEngines,
            entropy: entropy.split(), now: now)
        self.entropy = entropy
    }

    private func side(_ index: Int) -> WebRTCConnection? { index == 0 ? dialer : listener }

    func start() {
        dialer.handle(.start, now: now)
        drain()
    }

    // MARK: The link

    /// Takes what both ends say, onto the link or into the events.
    func drain() {
        var isBusy = true
        while isBusy {
            isBusy = false
            for index in 0...1 {
                while let output = side(index)?.poll() {
                    isBusy = true
                    note(output, index)
                }
            }
        }
    }

    private func note(_ output: WebRTCConnection.Output, _ index: Int) {
        switch output {
        case .send(let datagrams, let path): send(datagrams, path, toListener: index == 0)
        case .path, .candidate, .silent, .relayPipe, .relayFailed: break
        case .phase(let phase, _): phases[index].append(phase)
        case .connection(let output):
            if case .established = output, index == 1 { socket.established(1) }
            if case .received(let id, let bytes) = output, index == 0 ? isDialerConsuming : isListenerConsuming {
                side(index)?.consumed(bytes.readableBytes, of: id, now: now)
            }
            events[index].append(output)
            lastEvent = now
        case .closed(let error):
            ends[index] = .some(error)
            if index == 1 { socket.closed(1, now: now) }
        }
    }

    private func send(_ datagrams: Datagrams, _ path: ICEPath, toListener: Bool) {
        var rest = datagrams
        while let datagram = rest.popFirst() {
            let copies = Int.random(in: 0..<1000, using: &entropy) < weather.doubled ? 2 : 1
            for _ in 0..<copies where Int.random(in: 0..<1000, using: &entropy) >= weather.lost {
                let delay = Int64.random(in: weather.delay, using: &entropy)
                sent += 1
                let flight = Flight(
                    at: now + .milliseconds(delay), number: sent, datagrams: Datagrams(datagram), path: path,
                    toListener: toListener)
                if let flight = tamper(flight) { flights.append(flight) }
            }
        }
    }

    /// Moves time to the next event and lets it happen; false when nothing is to come before `end`.
    @discardableResult
    func advance(until end: NIODeadline = .distantFuture) -> Bool {
        drain()
        let next = flights.indices.min { (flights[$0].at, flights[$0].number) < (flights[$1].at, flights[$1].number) }
        let arrival = next.map { flights[$0].at } ?? .distantFuture
        let timer = min(dialer.deadline, listener?.deadline ?? .distantFuture)
        let time = min(arrival, timer)
        guard time <= end, time < .distantFuture else {
            if end < .distantFuture { now = max(now, end) }
            return false
        }
        turnsAtThisTime = time > now ? 0 : turnsAtThisTime + 1
        guard turnsAtThisTime < 20_000 else {
            Issue.record("time stands still: \(dialer.deadline), \(String(describing: listener?.deadline)), \(now)")
            return false
        }
        now = max(now, time)
        if let next, arrival <= timer {
            deliver(flights.remove(at: next))
        } else {
            for index in 0...1 where side(index)?.deadline ?? .distantFuture <= now {
                side(index)?.handle(.tick, now: now)
            }
        }
        drain()
        return true
    }

    private func deliver(_ flight: Flight) {
        guard flight.toListener else {
            // The router knows one address only.
            guard flight.path.remote == dialerAddress else { return }
            let path = ICEPath(local: dialerSocket, remote: listenerSocket)
            return dialer.handle(.datagrams(flight.datagrams, on: path), now: now)
        }
        let path = ICEPath(local: listenerSocket, remote: dialerAddress)
        switch socket.received(flight.datagrams, on: path, now: now) {
        case .session: listener?.handle(.datagrams(flight.datagrams, on: path), now: now)
        case .offer(let offer):
            guard listener == nil else { return }
            let connection = WebRTCConnection(
                answering: offer, identity: listenerKey, configuration: configuration, engines: listenerEngines,
                entropy: entropy.split(), now: now)
            listener = connection
            socket.register(1, for: offer)
            connection.handle(.start, now: now)
            connection.handle(.datagrams(flight.datagrams, on: path), now: now)
        case .dropped: break
        }
    }

    /// Runs for so long, or until something holds.
    @discardableResult
    func run(_ time: TimeAmount, until done: () -> Bool = { false }) -> Bool {
        let end = now + time
        drain()
        while !done() { if !advance(until: end) { return done() } }
        return true
    }

    /// Runs until both ends are authenticated.
    func establish() {
        start()
        let isUp = run(.seconds(12)) { isOpen(dialer) && listener.map { isOpen($0) } == true }
        if !isUp {
            Issue.record(
                "not established: \(ends), \(phases), \(now), \(dialer.statistics), \(String(describing: listener?.statistics))"
            )
        }
    }

    private func isOpen(_ connection: WebRTCConnection) -> Bool { connection.remotePublicKey != nil }

    func takeEvents(of side: Int) -> [Connection.Output] {
        defer { events[side] = [] }
        return events[side].map { translated($0, side) }
    }

    // MARK: What the suite asks for

    /// Both ends number the streams of the other as they arrive; to the suite a stream has its opener's number, which
    /// its protocol tells.
    private var opened: [StreamID] = []
    private var names: [[StreamID: StreamID]] = [[:], [:]]
    private var locals: [[StreamID: StreamID]] = [[:], [:]]

    func open(on side: Int) throws -> StreamID {
        let connection = try #require(self.side(side))
        let name = "/numbered/\(opened.count)"
        let id = try connection.open(opened.count % 2 == 0 ? [name] : ["/other/1", name], now: now)
        opened.append(id)
        names[side][id] = id
        locals[side][id] = id
        return id
    }

    private func name(_ id: StreamID, _ side: Int) -> StreamID { names[side][id] ?? id }
    private func local(_ name: StreamID, _ side: Int) -> StreamID { locals[side][name] ?? name }

    private func learn(_ id: StreamID, _ text: String, _ side: Int) {
        guard let number = Int(text.split(separator: "/").last ?? ""), opened.indices.contains(number) else { return }
        names[side][id] = opened[number]
        locals[side][opened[number]] = id
    }

    private func translated(_ event: Connection.Output, _ side: Int) -> Connection.Output {
        if case .streamAccepted(let id, let text) = event { learn(id, text, side) }
        return switch event {
        case .streamOpened(let id, let text): .streamOpened(name(id, side), protocol: text)
        case .streamRefused(let id, let why): .streamRefused(name(id, side), why)
        case .streamAccepted(let id, let text): .streamAccepted(name(id, side), protocol: text)
        case .received(let id, let bytes): .received(name(id, side), bytes)
        case .endOfStream(let id): .endOfStream(name(id, side))
        case .streamClosed(let id, let end): .streamClosed(name(id, side), end)
        case .writable(let id): .writable(name(id, side))
        case .send, .established, .roundTrip, .closed: event
        }
    }

    func write(_ bytes: ByteBuffer, to id: StreamID, on side: Int) {
        lastEvent = now
        self.side(side)?.write(bytes, to: local(id, side), now: now)
    }
    func closeWrite(_ id: StreamID, on side: Int) { self.side(side)?.closeWrite(local(id, side), now: now) }
    func reset(_ id: StreamID, on side: Int) { self.side(side)?.reset(local(id, side), now: now) }
    func consumed(_ count: Int, of id: StreamID, on side: Int) {
        self.side(side)?.consumed(count, of: local(id, side), now: now)
    }
    func streamCount(on side: Int) -> Int { self.side(side)?.streamCount ?? 0 }

    /// False once no stream is left, or nothing was heard of any for a minute.
    func step(using entropy: inout Entropy) -> Bool {
        let idle = now + .seconds(1)
        for _ in 0..<Int.random(in: 1...60, using: &entropy) { if !advance(until: idle) { break } }
        guard now < lastEvent + .minutes(1) else { return false }
        return (0...1).contains { index in
            guard let connection = side(index) else { return false }
            let session = connection.streams.session
            return session.streamCount + session.lingeringCount > 0 || !connection.channels.isEmpty
        }
    }
    private var lastEvent = NIODeadline.uptimeNanoseconds(1_000_000_000)
}
