import Foundation
import NIOCore
import OrderedCollections
import Testing
import Wire

@testable import GossipSub

/// Reads a file of `Vectors/`.
func vectors(_ name: String) throws -> [[String: Any]] {
    let url = try #require(Bundle.module.url(forResource: name, withExtension: "json", subdirectory: "Vectors"))
    let file = try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any]
    return try #require(file?["vectors"] as? [[String: Any]])
}

func bytes(hex: String) -> ByteBuffer {
    var buffer = ByteBuffer()
    var rest = hex[...]
    while rest.count >= 2 {
        if let byte = UInt8(rest.prefix(2), radix: 16) { buffer.writeInteger(byte) }
        rest = rest.dropFirst(2)
    }
    return buffer
}

extension ByteBuffer {
    var hex: String { readableBytesView.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined() }
    var text: String { String(decoding: readableBytesView, as: UTF8.self) }
}

/// The identity number `number` of a test; the same in every run.
func identity(_ number: Int) throws -> KeyPair {
    var entropy = Entropy.seeded(UInt64(number) &+ 0x5EED)
    return try KeyPair(seed: entropy.bytes(32))
}

func peer(_ number: Int) throws -> PeerID { try identity(number).peerID }

/// The frame of an RPC.
func frame(_ rpc: PendingRPC) -> ByteBuffer {
    var all = ByteBuffer()
    for frame in RPCPacker.frames(of: rpc) { all.writeImmutableBuffer(frame) }
    return all
}

func frame(body: ByteBuffer) -> ByteBuffer {
    var frame = ByteBuffer()
    frame.writeFrame(body)
    return frame
}

func subscribing(_ topics: Topic..., to isSubscribed: Bool = true) -> ByteBuffer {
    var rpc = PendingRPC()
    rpc.subscriptions = topics.map { RPC.Subscription(isSubscribed: isSubscribed, topic: $0) }
    return frame(rpc)
}

func grafting(_ topics: Topic...) -> ByteBuffer {
    var rpc = PendingRPC()
    rpc.graft = topics
    return frame(rpc)
}

func pruning(_ topic: Topic, backoff: UInt64?) -> ByteBuffer {
    var rpc = PendingRPC()
    rpc.prune = [RPC.Prune(topic: topic, backoff: backoff)]
    return frame(rpc)
}

func offering(_ topic: Topic, _ ids: [MessageID]) -> ByteBuffer {
    var rpc = PendingRPC()
    rpc.ihave = [(topic, ids)]
    return frame(rpc)
}

func asking(_ ids: [MessageID]) -> ByteBuffer {
    var rpc = PendingRPC()
    rpc.iwant = ids
    return frame(rpc)
}

func publishing(_ messages: ByteBuffer...) -> ByteBuffer {
    var rpc = PendingRPC()
    rpc.messages = messages.enumerated().map { EncodedMessage(number: UInt64($0.offset), bytes: $0.element) }
    return frame(rpc)
}

/// The bytes of a signed message.
func signed(_ text: String, _ sequenceNumber: UInt64, by author: KeyPair, topic: Topic = .chat) -> ByteBuffer {
    signed(ByteBuffer(string: text), sequenceNumber, by: author, topic: topic)
}

func signed(_ data: ByteBuffer, _ sequenceNumber: UInt64, by author: KeyPair, topic: Topic = .chat) -> ByteBuffer {
    WireMessage(
        from: author.peerID, data: data, sequenceNumber: sequenceNumber, topic: topic, signedBy: author
    ).bytes
}

/// One router under test, with a clock, and with everything it ever said.
struct Bench {
    var router: Router
    var now = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
    private(set) var log: [RouterOutput] = []
    let me: KeyPair

    init(parameters: GossipParameters = .init(), seed: UInt64 = 1) throws {
        me = try identity(0)
        router = Router(
            identity: me, parameters: parameters, firstSequenceNumber: 1_763_701_505_000_000_000,
            entropy: .seeded(seed))
    }

    /// Feeds one input; what came out.
    @discardableResult
    mutating func feed(_ input: Router.Input) -> [RouterOutput] {
        router.handle(input, now: now)
        var outputs: [RouterOutput] = []
        while let output = router.poll() { outputs.append(output) }
        log += outputs
        return outputs
    }

    @discardableResult
    mutating func receive(_ bytes: ByteBuffer, from peer: PeerID) -> [RouterOutput] {
        feed(.received(bytes, from: peer))
    }

    /// Lets time pass, every deadline in its place.
    @discardableResult
    mutating func advance(_ time: TimeAmount) -> [RouterOutput] {
        let end = now + time
        var outputs: [RouterOutput] = []
        while router.deadline <= end {
            now = max(now, router.deadline)
            outputs += feed(.tick)
        }
        now = end
        return outputs
    }

    /// Connects peers that are subscribed to the chat.
    mutating func connect(
        _ peers: [PeerID], version: GossipVersion = .v11, dialed: Bool = false,
        dialect: MessageIDDialect = .fromSequence, topic: Topic = .chat
    ) {
        for peer in peers {
            feed(.peerConnected(peer, version: version, dialed: dialed, dialect: dialect))
            receive(subscribing(topic), from: peer)
        }
    }
}

extension [RouterOutput] {
    func frames(to peer: PeerID) -> [ByteBuffer] {
        compactMap { if case .send(let frame, peer) = $0 { frame } else { nil } }
    }

    /// What a peer was told, RPC by RPC.
    func rpcs(to peer: PeerID) throws -> [RPC] {
        try frames(to: peer).map { frame in
            var frame = frame
            let body = try #require(try frame.readFrame(limit: Limits.gossipReceived))
            #expect(frame.readableBytes == 0)
            return try RPC(body)
        }
    }

    var messages: [GossipMessage] { compactMap { if case .message(let message) = $0 { message } else { nil } } }
    var texts: [String] { messages.map(\.data.text) }
    var traces: [GossipTrace] { compactMap { if case .trace(let trace) = $0 { trace } else { nil } } }
    var misbehaviour: [GossipError] { compactMap { if case .misbehaved(_, let error) = $0 { error } else { nil } } }
    var grafted: [PeerID] { compactMap { if case .grafted(let peer, _) = $0 { peer } else { nil } } }
    var pruned: [PeerID] { compactMap { if case .pruned(let peer, _) = $0 { peer } else { nil } } }
    var rejections: [MessageRejection] {
        traces.compactMap { if case .rejected(_, let reason) = $0 { reason } else { nil } }
    }
    var sentTo: [PeerID] { compactMap { if case .send(_, let peer) = $0 { peer } else { nil } } }
    /// A line per output, for comparing runs.
    var lines: [String] { map { "\($0)" } }
}
