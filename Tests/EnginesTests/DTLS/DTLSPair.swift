import NIOCore
import Testing
import WebRTC
import Wire

@testable import Engines

/// Two associations and an emulated link between them, in a test's own virtual time (``SystemTime``).
struct DTLSPair {
    /// What a link does to datagrams, each with a chance.
    struct Faults {
        var loss = 0.0
        var duplication = 0.0
        /// Put behind the next one.
        var reordering = 0.0
    }

    enum Side: CaseIterable { case client, server }

    let client: OpenSSLDTLS
    let server: OpenSSLDTLS
    var faults = Faults()
    var entropy = Entropy.seeded(1)
    var events: [Side: [DTLSEvent]] = [:]
    /// Packets that came out at that side.
    var packets: [Side: [ByteBuffer]] = [:]
    /// Datagrams that side has sent, lost ones too.
    var sent: [Side: [ByteBuffer]] = [:]

    static let clientCertificate = Certificate.generate()
    static let serverCertificate = Certificate.generate()
    static let clientContext = DTLSContext(clientCertificate)
    static let serverContext = DTLSContext(serverCertificate)

    init(cookie: [UInt8]? = nil, faults: Faults = Faults(), seed: UInt64 = 1) {
        client = OpenSSLDTLS(.client, context: Self.clientContext, cookie: nil)
        server = OpenSSLDTLS(.server, context: Self.serverContext, cookie: cookie)
        (self.faults, entropy) = (faults, .seeded(seed))
    }

    func engine(_ side: Side) -> OpenSSLDTLS { side == .client ? client : server }

    static func other(_ side: Side) -> Side { side == .client ? .server : .client }

    mutating func start(now: NIODeadline = SystemTime.now) {
        client.start(now: now)
        server.start(now: now)
    }

    /// What that side wants to send now.
    mutating func take(from side: Side) -> [ByteBuffer] {
        var taken: [ByteBuffer] = []
        while var train = engine(side).nextDatagrams() {
            while let datagram = train.popFirst() { taken.append(datagram) }
        }
        sent[side, default: []] += taken
        return taken
    }

    /// Gives that side datagrams, and takes what comes out of it.
    mutating func deliver(_ datagrams: [ByteBuffer], to side: Side) {
        let engine = engine(side)
        for datagram in datagrams { engine.received(datagram, now: SystemTime.now) }
        drain(side)
    }

    mutating func drain(_ side: Side) {
        var packet = ByteBuffer()
        while engine(side).readPacket(into: &packet) { packets[side, default: []].append(packet) }
        while let event = engine(side).poll() { events[side, default: []].append(event) }
    }

    private mutating func cross(_ datagrams: [ByteBuffer]) -> [ByteBuffer] {
        var arrived: [ByteBuffer] = []
        for datagram in datagrams {
            if Double.random(in: 0..<1, using: &entropy) < faults.loss { continue }
            let isEarly = !arrived.isEmpty && Double.random(in: 0..<1, using: &entropy) < faults.reordering
            arrived.insert(datagram, at: isEarly ? arrived.count - 1 : arrived.count)
            if Double.random(in: 0..<1, using: &entropy) < faults.duplication { arrived.append(datagram) }
        }
        return arrived
    }

    /// Carries datagrams until nobody has any.
    mutating func settle() {
        drain(.client)
        drain(.server)
        var isMoving = true
        while isMoving {
            isMoving = false
            for side in Side.allCases {
                let datagrams = take(from: side)
                guard !datagrams.isEmpty else { continue }
                isMoving = true
                deliver(cross(datagrams), to: Self.other(side))
            }
        }
    }

    /// Settles, then waits for whoever wants to be called again, until both are connected.
    mutating func connect(within limit: TimeAmount = .seconds(20)) {
        let end = SystemTime.now + limit
        settle()
        while !isConnected, SystemTime.now < end {
            let next = min(client.deadline, server.deadline)
            let now = SystemTime.now
            if next > now { passes(min(next, end) - now) }
            for side in Side.allCases where engine(side).deadline <= SystemTime.now {
                engine(side).timedOut(now: SystemTime.now)
            }
            settle()
        }
    }

    var isConnected: Bool { Side.allCases.allSatisfy { fingerprint(at: $0) != nil } }

    func fingerprint(at side: Side) -> Fingerprint? {
        guard case .connected(let fingerprint)? = events[side]?.first else { return nil }
        return fingerprint
    }

    /// The error that ended that side; `.some(nil)` after an orderly end.
    func end(of side: Side) -> DTLSError?? {
        guard case .closed(let error)? = events[side]?.last else { return nil }
        return error
    }
}

/// Lets time pass.
func passes(_ amount: TimeAmount) { SystemTime.advance(to: SystemTime.now + amount) }
