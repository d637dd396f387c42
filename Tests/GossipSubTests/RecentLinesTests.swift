import NIOCore
import OrderedCollections
import Testing
import Wire

@testable import GossipSub

@Suite("Own messages for peers that were lost")
struct RecentLinesTests {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private static let age = TimeAmount.seconds(50)

    private func line(_ text: String) -> EncodedMessage {
        EncodedMessage(number: 0, bytes: ByteBuffer(string: text))
    }

    private func texts(_ lines: [EncodedMessage]) -> [String] { lines.map(\.bytes.text) }

    @Test("What somebody may have got counts from then on, what nobody got does not")
    func age() {
        var recent = RecentLines()
        let other = Topic("other")
        recent.published(line("sent"), .chat, isSent: true, now: Self.start)
        recent.published(line("unheard"), .chat, isSent: false, now: Self.start)
        recent.published(line("elsewhere"), other, isSent: false, now: Self.start)
        recent.published(line("late"), .chat, isSent: true, now: Self.start + .seconds(30))
        var before = recent
        #expect(
            texts(before.missed(in: [.chat], memory: Self.age, room: 1000, now: Self.start + .seconds(49)))
                == ["sent", "unheard", "late"])
        #expect(
            texts(recent.missed(in: [.chat], memory: Self.age, room: 1000, now: Self.start + .seconds(50))) == [
                "unheard", "late",
            ])
        // Once somebody has got it, it ages.
        #expect(
            texts(recent.missed(in: [.chat], memory: Self.age, room: 1000, now: Self.start + .seconds(99))) == [
                "unheard"
            ])
        #expect(recent.missed(in: [.chat], memory: Self.age, room: 1000, now: Self.start + .seconds(100)).isEmpty)
        #expect(
            texts(recent.missed(in: [other], memory: Self.age, room: 1000, now: Self.start + .seconds(299))) == [
                "elsewhere"
            ])
        #expect(recent.missed(in: [other], memory: Self.age, room: 1000, now: Self.start + .seconds(300)).isEmpty)
        #expect(recent.count == 1 && recent.byteCount == 4, "only \"late\" is younger than five minutes")
    }

    @Test("Messages are bounded in number and bytes, the newest stay")
    func bounds() {
        var recent = RecentLines()
        for number in 0..<1000 { recent.published(line("\(number)"), .chat, isSent: true, now: Self.start) }
        #expect(recent.count == Limits.gossipRecentMessages)
        #expect(texts(recent.missed(in: [.chat], memory: Self.age, room: 1000, now: Self.start)).last == "999")
        recent.published(line("ab"), .chat, isSent: true, now: Self.start)
        let large = String(repeating: "x", count: Limits.gossipRecentBytes - 2)
        recent.published(line(large), .chat, isSent: true, now: Self.start)
        #expect(recent.count == 2 && recent.byteCount == Limits.gossipRecentBytes)
        recent.published(line(large + "xyz"), .chat, isSent: true, now: Self.start)
        #expect(texts(recent.missed(in: [.chat], memory: Self.age, room: 3, now: Self.start)).isEmpty)
        #expect(recent.count == 2, "what is larger than the memory is not kept, and pushes nothing out")
    }

    @Test("Where there is little room, the newest are sent again, in order")
    func room() {
        var recent = RecentLines()
        for text in ["one", "two", "three"] { recent.published(line(text), .chat, isSent: true, now: Self.start) }
        for (room, expected) in [(11, ["one", "two", "three"]), (10, ["two", "three"]), (5, ["three"]), (4, [])] {
            #expect(texts(recent.missed(in: [.chat], memory: Self.age, room: room, now: Self.start)) == expected)
        }
    }

    @Test("Lost peers are bounded, and forgotten after ten minutes")
    func lost() throws {
        var recent = RecentLines()
        for number in 0..<300 { recent.lost(try peer(number), [.chat], now: Self.start) }
        #expect(recent.lostCount == Limits.gossipLostPeers)
        #expect(recent.returned(try peer(0), to: [.chat], now: Self.start).isEmpty)
        #expect(recent.returned(try peer(299), to: [.chat], now: Self.start) == [.chat])
        #expect(recent.returned(try peer(299), to: [.chat], now: Self.start).isEmpty, "once")
        #expect(recent.returned(try peer(298), to: [Topic("other")], now: Self.start).isEmpty)
        #expect(recent.returned(try peer(298), to: [.chat], now: Self.start + .minutes(10)).isEmpty)
        #expect(recent.lostCount == 0)
    }

    // MARK: In the router

    private func publish(_ texts: String..., to bench: inout Bench) {
        for text in texts { bench.feed(.publish(.chat, ByteBuffer(string: text), request: 1)) }
    }

    private func heard(_ outputs: [RouterOutput], by peer: PeerID) throws -> [String] {
        try outputs.rpcs(to: peer).flatMap(\.messages).map { $0.settled().data.text }
    }

    @Test("A peer that comes back gets what it missed, in order and before anything new")
    func comesBack() throws {
        var bench = try Bench()
        bench.feed(.join(.chat))
        let it = try peer(1)
        bench.connect([it])
        publish("1", "2", to: &bench)
        bench.feed(.peerDisconnected(it))
        publish("3", to: &bench)
        bench.advance(.seconds(30))
        #expect(
            try heard(bench.feed(.peerConnected(it, version: .v11, dialed: false, dialect: .fromSequence)), by: it)
                .isEmpty)
        publish("4", to: &bench)
        #expect(try heard(bench.receive(subscribing(.chat), from: it), by: it) == ["1", "2", "3", "4"])
        #expect(try heard(bench.receive(subscribing(.chat), from: it), by: it).isEmpty)
        #expect(bench.router.statistics.repeated == 4)
    }

    @Test("Its hello may come before our stream stands")
    func helloFirst() throws {
        var bench = try Bench()
        bench.feed(.join(.chat))
        let it = try peer(1)
        bench.connect([it])
        bench.feed(.peerDisconnected(it))
        publish("1", to: &bench)
        #expect(try heard(bench.receive(subscribing(.chat), from: it), by: it).isEmpty)
        let outputs = bench.feed(.peerConnected(it, version: .v11, dialed: false, dialect: .fromSequence))
        #expect(try heard(outputs, by: it) == ["1"])
    }

    @Test("A new stream in place of a broken one begins with what the broken one may have lost")
    func newStream() throws {
        var bench = try Bench()
        bench.feed(.join(.chat))
        let it = try peer(1)
        bench.connect([it])
        publish("1", "2", to: &bench)
        let outputs = bench.feed(.peerConnected(it, version: .v11, dialed: false, dialect: .fromSequence))
        #expect(try heard(outputs, by: it) == ["1", "2"])
        #expect(try heard(bench.feed(.peerMoved(it)), by: it).isEmpty)
        #expect(try heard(bench.feed(.peerMoved(it, isNewStream: true)), by: it) == ["1", "2"])
    }

    @Test("A stranger gets nothing of what was said before it came, nor does who left the topic")
    func strangers() throws {
        var bench = try Bench()
        bench.feed(.join(.chat))
        let it = try peer(1)
        bench.connect([it])
        publish("1", to: &bench)
        bench.receive(subscribing(.chat, to: false), from: it)
        bench.feed(.peerDisconnected(it))
        for other in [it, try peer(2)] {
            bench.feed(.peerConnected(other, version: .v11, dialed: false, dialect: .fromSequence))
            #expect(try heard(bench.receive(subscribing(.chat), from: other), by: other).isEmpty)
        }
    }

    @Test("A peer that forgets ids soon is not told twice what it may have forgotten", arguments: [false, true])
    func memories(_ remembersLong: Bool) throws {
        var bench = try Bench()
        bench.feed(.join(.chat))
        let it = try peer(1)
        bench.connect([it])
        publish("old", to: &bench)
        bench.feed(.peerDisconnected(it))
        publish("unheard", to: &bench)
        bench.advance(.seconds(200))
        let memory = remembersLong ? Limits.gossipSeenHere : Limits.gossipSeenElsewhere
        bench.feed(.peerConnected(it, version: .v11, dialed: false, dialect: .fromSequence, memory: memory))
        let outputs = bench.receive(subscribing(.chat), from: it)
        #expect(try heard(outputs, by: it) == (remembersLong ? ["old", "unheard"] : ["unheard"]))
    }
}
