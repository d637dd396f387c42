import NIOCore
import OrderedCollections
import Testing
import Wire

@testable import GossipSub

@Suite("What peers can make us hold is bounded")
struct MemoryTests {
    @Test("A peer's topics, and the topics of all")
    func topics() throws {
        var bench = try Bench()
        bench.connect([try peer(1)])
        for start in stride(from: 0, to: 4000, by: 500) {
            var rpc = PendingRPC()
            rpc.subscriptions = (start..<start + 500).map {
                RPC.Subscription(isSubscribed: true, topic: Topic("t\($0)"))
            }
            bench.receive(frame(rpc), from: try peer(1))
        }
        #expect(bench.router.subscriptions.topics(of: try peer(1)).count == Limits.gossipTopicsPerPeer)
        #expect(bench.router.statistics.topics == Limits.gossipTopicsPerPeer)
        #expect(bench.log.traces.contains(.topicIgnored(try peer(1))))
        bench.feed(.peerDisconnected(try peer(1)))
        #expect(bench.router.statistics.topics == 0)
    }

    @Test("An unfinished frame holds the bytes that came, not the bytes announced")
    func inbox() throws {
        var bench = try Bench()
        bench.receive(ByteBuffer(bytes: [0x80, 0x80, 0x40, 1, 2, 3]), from: try peer(1))
        #expect(bench.router.statistics.inboxBytes == 6)
        let inbox = try #require(bench.router.neighbours[try peer(1)]).inbox
        #expect(inbox.storageCapacity < 4096)
        for _ in 0..<300 { bench.receive(ByteBuffer(repeating: 0, count: 10_000), from: try peer(1)) }
        #expect(bench.router.statistics.inboxBytes <= Limits.gossipReceived + 10_004)
    }

    @Test("A topic of ours is remembered of a peer that has its limit of others")
    func ownTopicBeyondLimit() throws {
        var bench = try Bench()
        bench.feed(.join(.chat))
        bench.feed(.peerConnected(try peer(1), version: .v11, dialed: false, dialect: .fromSequence))
        var rpc = PendingRPC()
        rpc.subscriptions = (0..<200).map { RPC.Subscription(isSubscribed: true, topic: Topic("t\($0)")) }
        bench.receive(frame(rpc), from: try peer(1))
        bench.receive(subscribing(.chat), from: try peer(1))
        #expect(bench.router.peers(in: .chat) == [try peer(1)])
    }

    @Test("Unfinished frames of all peers: beyond the limit the longest is given up, a short one survives")
    func unfinished() throws {
        var bench = try Bench()
        var entropy = Entropy.seeded(3)
        var short = publishing(signed("short", 1, by: try identity(9)))
        bench.feed(.join(.chat))
        bench.connect([try peer(1)])
        let head = short.readSlice(length: 20)
        bench.receive(try #require(head), from: try peer(1))
        var start = ByteBuffer(bytes: [0x80, 0x80, 0x40])
        start.writeRepeatingByte(0, count: 1_000_000)
        for _ in 0..<60 {
            let outputs = bench.receive(start, from: PublicKey(kind: .ed25519, data: entropy.bytes(32)).peerID)
            #expect(bench.router.statistics.inboxBytes <= Limits.gossipUnfinished)
            #expect(outputs.misbehaviour.allSatisfy { $0 == .tooMuchUnfinished })
        }
        #expect(bench.log.misbehaviour.count == 27)
        #expect(bench.receive(short, from: try peer(1)).texts == ["short"])
    }

    @Test("The start of a frame behind a large chunk does not keep the chunk")
    func inboxSettles() throws {
        var bench = try Bench()
        var chunk = publishing(signed(ByteBuffer(repeating: 1, count: 900_000), 1, by: try identity(9)))
        chunk.writeBytes([0x80, 0x01, 5])
        bench.receive(chunk, from: try peer(1))
        #expect(try #require(bench.router.neighbours[try peer(1)]).inbox.storageCapacity < 4096)
    }

    @Test("Peers")
    func peers() throws {
        var bench = try Bench()
        var entropy = Entropy.seeded(3)
        func stranger() -> PeerID { PublicKey(kind: .ed25519, data: entropy.bytes(32)).peerID }
        for _ in 0..<Limits.gossipPeers {
            bench.feed(.peerConnected(stranger(), version: .v11, dialed: false, dialect: .fromSequence))
        }
        let outputs = bench.receive(subscribing(.chat), from: stranger())
        #expect(outputs.misbehaviour == [.tooManyPeers])
        #expect(bench.router.statistics.peers == Limits.gossipPeers)
    }

    @Test("A flood fills the seen cache with itself: what others brought is remembered")
    func seenFlood() throws {
        var cache = SeenCache(lifetime: .seconds(120), capacity: 100)
        let now = NIODeadline.uptimeNanoseconds(1)
        func id(_ number: UInt64) throws -> MessageID { MessageID(from: try peer(5), sequenceNumber: number) }
        for number in 0..<20 as Range<UInt64> {
            #expect(cache.insert(try id(number), foreign: ForeignIDs(), from: try peer(1), now: now))
        }
        for number in 1000..<5000 as Range<UInt64> {
            cache.insert(try id(number), foreign: ForeignIDs(), from: try peer(2), now: now)
            #expect(cache.count <= 100)
        }
        for number in 0..<20 as Range<UInt64> { #expect(cache.contains(try id(number))) }
        #expect(try !cache.contains(try id(1000)) && cache.contains(try id(4999)))
        cache.expire(now: now + .seconds(120))
        #expect(try cache.count == 0 && !cache.contains(try id(4999)))
    }

    @Test("The message cache is bounded in bytes, and a flood pushes out the flood")
    func cacheFlood() throws {
        var cache = MessageCache(length: 5, gossip: 3, byteLimit: 100_000)
        func put(_ number: UInt64, _ size: Int, from source: Int) throws -> MessageID {
            let bytes = ByteBuffer(repeating: 0, count: size)
            let message = GossipMessage(
                id: MessageID(from: try peer(5), sequenceNumber: number), topic: .chat, from: try peer(5),
                sequenceNumber: number, data: bytes, receivedFrom: try peer(source))
            cache.insert(message, EncodedMessage(number: number, bytes: bytes), foreign: ForeignIDs())
            return message.id
        }
        let quiet = try (0..<10).map { try put($0, 1000, from: 1) }
        for number in 100..<200 as Range<UInt64> {
            _ = try put(number, 10_000, from: 2)
            #expect(cache.byteCount <= 100_000)
        }
        for id in quiet { #expect(cache.message(id) != nil) }
        #expect(cache.advertised()[.chat]?.count == cache.count)
        for _ in 0..<5 { cache.shift() }
        #expect(cache.count == 0 && cache.byteCount == 0 && cache.advertised().isEmpty)
    }

    @Test("Backoffs")
    func backoffs() throws {
        var backoffs = Backoffs()
        var entropy = Entropy.seeded(4)
        let now = NIODeadline.uptimeNanoseconds(1)
        for _ in 0..<Limits.gossipBackoffs + 100 {
            let peer = PublicKey(kind: .ed25519, data: entropy.bytes(32)).peerID
            backoffs.set(peer, .chat, .seconds(60), now: now)
        }
        #expect(backoffs.count == Limits.gossipBackoffs)
        backoffs.expire(now: now + .seconds(61), slack: .seconds(1))
        #expect(backoffs.count == 0)
    }

    @Test("A backoff is never shortened")
    func backoffOrder() throws {
        var backoffs = Backoffs()
        let now = NIODeadline.uptimeNanoseconds(1)
        backoffs.set(try peer(1), .chat, .seconds(100), now: now)
        backoffs.set(try peer(1), .chat, .seconds(5), now: now)
        #expect(backoffs.running(try peer(1), .chat, now: now + .seconds(99)) != nil)
        #expect(backoffs.running(try peer(1), .chat, now: now + .seconds(100)) == nil)
        #expect(!backoffs.allow(try peer(1), .chat, now: now + .seconds(100), slack: .seconds(1)))
        #expect(backoffs.allow(try peer(1), .chat, now: now + .seconds(101), slack: .seconds(1)))
    }

    @Test("Everything is forgotten when everybody is gone")
    func emptiness() throws {
        var bench = try Bench()
        bench.feed(.join(.chat))
        bench.connect(try (1...20).map { try peer($0) })
        for number in 1...20 as ClosedRange<UInt64> {
            bench.receive(publishing(signed("x", number, by: try identity(30))), from: try peer(Int(number)))
            bench.feed(.publish(.chat, ByteBuffer(string: "y"), request: number))
        }
        bench.advance(.seconds(5))
        for number in 1...20 { bench.feed(.peerDisconnected(try peer(number))) }
        bench.advance(.seconds(365))
        let statistics = bench.router.statistics
        #expect(statistics.peers == 0 && statistics.topics == 0 && statistics.seen == 0)
        #expect(statistics.cachedMessages == 0 && statistics.cachedBytes == 0 && statistics.backoffs == 0)
    }

    @Test("Who holds most loses first; equal holders keep their order")
    func fairness() throws {
        var queue = FairQueue<Int>()
        for number in 0..<6 { queue.append(number, cost: 1, from: try peer(number % 2)) }
        queue.append(9, cost: 1, from: try peer(1))
        #expect(queue.popFromLargest() == 1)
        #expect(queue.popFromLargest() == 0)
        #expect(queue.count == 5 && queue.cost == 5)
        var over: [Int] = []
        queue.popFirst(where: { $0 < 5 }, { over.append($0) })
        #expect(over.sorted() == [2, 3, 4] && queue.count == 2)
        #expect(queue.popFromLargest() == 5 && queue.popFromLargest() == 9 && queue.popFromLargest() == nil)
    }
}
