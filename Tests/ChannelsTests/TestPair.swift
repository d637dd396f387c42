import NIOCore
import Wire

@testable import Channels

/// Two connections back to back over a pipe a test controls: what each side said, and bytes on their way.
final class TestPair {
    let dialer: Connection
    let listener: Connection
    let dialerKey: KeyPair
    let listenerKey: KeyPair
    var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private(set) var dialerEvents: [Connection.Output] = []
    private(set) var listenerEvents: [Connection.Output] = []
    /// Cuts each `.send` into pieces; nil passes it whole.
    var chunk: ((ByteBuffer) -> [ByteBuffer])?
    /// Whether received bytes are consumed at once.
    var consumes = true
    /// Alternates between two ways of opening a stream.
    var coin = false
    var toListener = ByteBuffer()
    var toDialer = ByteBuffer()

    init(
        protocols: [String] = ["/echo/1"], expecting: PeerID?? = .none, seed: UInt64 = 1,
        configure: (inout ConnectionConfiguration) -> Void = { _ in }
    ) throws {
        var entropy = Entropy.seeded(seed)
        dialerKey = try KeyPair(seed: entropy.bytes(32))
        listenerKey = try KeyPair(seed: entropy.bytes(32))
        var configuration = ConnectionConfiguration(inboundProtocols: protocols)
        configure(&configuration)
        dialer = Connection(
            role: .dialer, identity: dialerKey, expecting: expecting ?? listenerKey.peerID,
            configuration: configuration, entropy: entropy.split())
        listener = Connection(
            role: .listener, identity: listenerKey, expecting: nil, configuration: configuration,
            entropy: entropy.split())
    }

    func start() {
        dialer.handle(.start, now: now)
        listener.handle(.start, now: now)
    }

    /// Takes what both sides have to say, without delivering it.
    func drain() {
        while let output = dialer.poll() { note(output, of: dialer, &dialerEvents, &toListener) }
        while let output = listener.poll() { note(output, of: listener, &listenerEvents, &toDialer) }
    }

    private func note(
        _ output: Connection.Output, of side: Connection, _ events: inout [Connection.Output],
        _ wire: inout ByteBuffer
    ) {
        switch output {
        case .send(let bytes): wire.writeImmutableBuffer(bytes)
        case .received(let id, let bytes):
            events.append(output)
            if consumes { side.consumed(bytes.readableBytes, of: id, now: now) }
        default: events.append(output)
        }
    }

    /// Delivers until both sides are quiet.
    func run() {
        while true {
            drain()
            guard toListener.readableBytes + toDialer.readableBytes > 0 else { return }
            deliver(&toListener, to: listener)
            deliver(&toDialer, to: dialer)
        }
    }

    private func deliver(_ wire: inout ByteBuffer, to side: Connection) {
        let bytes = wire
        wire = ByteBuffer()
        guard bytes.readableBytes > 0 else { return }
        for piece in chunk?(bytes) ?? [bytes] {
            side.handle(.bytes(piece), now: now)
            drain()
        }
    }

    func takeEvents(of side: Int) -> [Connection.Output] {
        defer { if side == 0 { dialerEvents = [] } else { listenerEvents = [] } }
        return side == 0 ? dialerEvents : listenerEvents
    }

    func takeDialerEvents() -> [String] {
        defer { dialerEvents = [] }
        return TestPair.describe(dialerEvents)
    }
    func takeListenerEvents() -> [String] {
        defer { listenerEvents = [] }
        return TestPair.describe(listenerEvents)
    }

    /// Events as text; adjacent data of one stream is joined, pings are left out.
    static func describe(_ events: [Connection.Output]) -> [String] {
        var result: [String] = []
        var data: (StreamID, ByteBuffer)?
        func flush() {
            if let (id, bytes) = data { result.append("received \(id) \(String(buffer: bytes))") }
            data = nil
        }
        for event in events {
            if case .received(let id, let bytes) = event {
                if data?.0 == id { data?.1.writeImmutableBuffer(bytes) } else { flush(); data = (id, bytes) }
                continue
            }
            flush()
            switch event {
            case .send, .roundTrip, .received: break
            case .established: result.append("established")
            case .streamOpened(let id, let name): result.append("opened \(id) \(name)")
            case .streamRefused(let id, let why): result.append("refused \(id) \(why)")
            case .streamAccepted(let id, let name): result.append("accepted \(id) \(name)")
            case .endOfStream(let id): result.append("end \(id)")
            case .streamClosed(let id, let end): result.append("closed \(id) \(end)")
            case .writable(let id): result.append("writable \(id)")
            case .closed(let error): result.append("over \(error.map { "\($0)" } ?? "in order")")
            }
        }
        flush()
        return result
    }
}

/// Cuts bytes into single ones.
func bytewise(_ bytes: ByteBuffer) -> [ByteBuffer] { bytes.readableBytesView.map { ByteBuffer(bytes: [$0]) } }
