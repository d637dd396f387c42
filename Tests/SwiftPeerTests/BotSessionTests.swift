import NIOCore
import Testing
import Wire

@testable import Node
@testable import SwiftPeer

@Suite struct BotSessionTests {
    private let me: PeerID
    private let other: PeerID

    init() throws {
        me = try KeyPair(seed: [UInt8](repeating: 1, count: 32)).peerID
        other = try KeyPair(seed: [UInt8](repeating: 2, count: 32)).peerID
    }

    /// A session with a clock and a diary.
    private struct Harness {
        var session: BotSession
        var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
        var printed: [String] = []
        var requests: [NodeRequest] = []
        var finished: ProcessStatus?

        init(me: PeerID, json: Bool = true, exitsAtEnd: Bool = false, rooms: [String] = ["r", "s"]) {
            session = BotSession(
                me: me, nick: "me", rooms: rooms, json: json, exitsAtEnd: exitsAtEnd, showsLog: false)
        }

        mutating func give(_ input: BotSession.Input) {
            session.handle(input, now: now, at: WallClock(nanoseconds: 1_709_210_096_007_000_000))
            while let output = session.poll() {
                switch output {
                case .print(let lines): printed += lines
                case .request(let request): requests.append(request)
                case .log: break
                case .finish(let status): finished = status
                }
            }
        }

        mutating func type(_ line: String) { give(.line(.whole(Array(line.utf8)))) }

        mutating func answer(_ outcome: NodeAnswer.Outcome) {
            let request = requests.first
            give(.answer(NodeAnswer(input: request?.input ?? "", token: request?.token, outcome: outcome)))
            if !requests.isEmpty { requests.removeFirst() }
        }

        /// The texts asked to be published, and their rooms.
        var texts: [String] {
            requests.compactMap { if case .publish(let text, let room) = $0.action { "\(room): \(text)" } else { nil } }
        }
    }

    private func published(_ peers: Int) -> NodeAnswer.Outcome {
        .published(Published(id: [0, 255], sequenceNumber: 1, peers: peers), text: "hi", room: "r")
    }

    @Test("Nothing is read before the peer runs, and the first event says that it does")
    func ready() {
        var bot = Harness(me: me)
        #expect(!bot.session.isHungry)
        bot.give(.started([]))
        #expect(bot.session.isHungry)
        #expect(bot.printed == [#"{"event":"ready","peer":"\#(me)","nick":"me","rooms":["r","s"],"addresses":[]}"#])
    }

    @Test("A text goes to the first room or the named one, and its answer is told")
    func say() {
        var bot = Harness(me: me)
        bot.give(.started([]))
        bot.printed = []
        bot.type(#"{"say":"hi"}"#)
        bot.type(#"{"say":"ho","room":"s"}"#)
        #expect(bot.texts == ["r: hi", "s: ho"])
        bot.answer(published(4))
        #expect(bot.printed == [#"{"event":"sent","room":"r","id":"00ff","peers":4}"#])
    }

    @Test(
        "What cannot be carried out is answered by an error with the line",
        arguments: [
            ("{", "a key is missing"), (#"{"say":"x","room":"other"}"#, "not in the room other"),
            (#"{"say":""}"#, "nothing to say"), (#"{"connect":"here"}"#, "not a multiaddr"),
            (#"{"disconnect":"12D3"}"#, "not a peer id"), (#"{"ping":"zzz"}"#, "not a peer id"),
            (#"{"join":""}"#, "a room needs a name"), (#"{"leave":"q"}"#, "not in the room q"),
            (#"{"direct-message":"x","to":"y"}"#, "direct-message is not available in this version"),
            (#"{"offer-file":"x"}"#, "offer-file is not available in this version"),
            (#"{"fetch-file":"x"}"#, "fetch-file is not available in this version"),
        ])
    func errors(line: String, reason: String) throws {
        var bot = Harness(me: me)
        bot.give(.started([]))
        bot.printed = []
        bot.type(line)
        #expect(bot.requests.isEmpty && bot.printed.count == 1)
        guard case .object(let object) = try JSONValue(Array(try #require(bot.printed.first).utf8)) else {
            Issue.record("no object")
            return
        }
        #expect(object["event"] == .string("error"))
        #expect(object["input"] == .string(line))
        guard case .string(let message) = object["message"] else {
            Issue.record("no message")
            return
        }
        #expect(message.contains(reason))
    }

    @Test("A request that failed is told with the line it came from")
    func failed() {
        var bot = Harness(me: me)
        bot.give(.started([]))
        bot.printed = []
        bot.type(#"{"join":"x"}"#)
        bot.answer(.failed("no"))
        #expect(bot.printed == [#"{"event":"error","input":"{\"join\":\"x\"}","message":"no"}"#])
    }

    @Test("Reading stops while too much is under way, and goes on with the answers")
    func backpressure() {
        var bot = Harness(me: me)
        bot.give(.started([]))
        for _ in 0..<Limits.pendingInput { bot.type(#"{"say":"x"}"#) }
        #expect(!bot.session.isHungry)
        bot.answer(published(1))
        #expect(bot.session.isHungry)
    }

    @Test("Plain lines are texts, commands and the conversation")
    func plain() throws {
        var bot = Harness(me: me, json: false)
        bot.give(.started([]))
        bot.printed = []
        bot.type("hi there")
        bot.type("//not a command")
        #expect(bot.texts == ["r: hi there", "r: /not a command"])
        bot.type("/nick new")
        bot.type("/dance")
        bot.type("   ")
        #expect(bot.printed.count == 4 && bot.printed.prefix(2).allSatisfy { $0.contains("·\(me.suffix())> ") })
        #expect(bot.printed.suffix(2).allSatisfy { $0.hasPrefix("-- ") })
        bot.printed = []
        bot.give(.event(.topicPeer(other, topic: "r", joined: true)))
        let message = TopicMessage(
            topic: "r", id: [1], author: other, sequenceNumber: 1, data: Array("a\u{1B}[2J\nb\u{202E}".utf8) + [0xFF],
            receivedFrom: other)
        bot.give(.event(.message(message)))
        #expect(bot.printed.first == "-- \(other.suffix()) joined r")
        let line = try #require(bot.printed.last)
        #expect(line.hasSuffix("<·\(other.suffix())> a\u{FFFD}[2J⏎ b\u{FFFD}\u{FFFD}"), "\(line)")
    }

    @Test("Rooms come and go, and the first one is where texts go")
    func rooms() {
        var bot = Harness(me: me, rooms: ["r"])
        bot.give(.started([]))
        bot.type(#"{"join":"x"}"#)
        bot.answer(.joined("x"))
        bot.type(#"{"leave":"r"}"#)
        bot.answer(.left("r"))
        bot.type(#"{"say":"hi"}"#)
        #expect(bot.texts == ["x: hi"])
    }

    @Test("Quitting waits for what was asked before")
    func quit() {
        var bot = Harness(me: me)
        bot.give(.started([]))
        bot.type(#"{"say":"x"}"#)
        bot.type(#"{"quit":true}"#)
        #expect(bot.finished == nil && !bot.session.isHungry)
        bot.answer(published(0))
        #expect(bot.finished == .success)
    }

    @Test("A signal ends it at once")
    func signalled() {
        var bot = Harness(me: me)
        bot.give(.leave)
        #expect(bot.finished == .success)
    }

    @Test("The end of the input alone ends nothing")
    func endOfInput() {
        var bot = Harness(me: me)
        bot.give(.started([]))
        bot.give(.endOfInput)
        #expect(bot.finished == nil && bot.session.deadline == .distantFuture)
    }

    @Test("With --exit-on-eof texts wait for somebody in their room, in order, and the end follows")
    func exitOnEOF() {
        var bot = Harness(me: me, exitsAtEnd: true)
        bot.give(.started([]))
        for text in ["1", "2"] { bot.type(#"{"say":"\#(text)"}"#) }
        bot.give(.endOfInput)
        #expect(bot.texts.isEmpty && bot.finished == nil)
        bot.give(.event(.topicPeer(other, topic: "s", joined: true)))
        #expect(bot.texts.isEmpty)
        bot.give(.event(.topicPeer(other, topic: "r", joined: true)))
        #expect(bot.texts == ["r: 1", "r: 2"])
        bot.answer(published(1))
        bot.answer(published(1))
        guard case .settle? = bot.requests.first?.action else {
            Issue.record("nothing to settle")
            return
        }
        bot.answer(.settled)
        #expect(bot.finished == .success)
    }

    @Test("With --exit-on-eof and nobody there the wait ends, the texts are given back, the status says so")
    func nobody() {
        var bot = Harness(me: me, exitsAtEnd: true)
        bot.give(.started([]))
        bot.type(#"{"say":"1"}"#)
        bot.give(.endOfInput)
        bot.printed = []
        bot.now = bot.session.deadline
        bot.give(.tick)
        #expect(bot.printed.count == 1 && bot.printed.allSatisfy { $0.contains("nobody came to r") })
        bot.answer(.settled)
        #expect(bot.finished == .failure)
    }

    @Test("Lost events are made up for by the state as it stands")
    func resync() {
        var bot = Harness(me: me, exitsAtEnd: true)
        bot.give(.started([]))
        bot.type(#"{"say":"1"}"#)
        bot.printed = []
        bot.give(.event(.resync))
        bot.answer(
            .state(
                PeerSnapshot(addresses: [], connections: [], topics: [.init(name: "r", peers: [other], mesh: [])])))
        #expect(
            bot.printed == [
                #"{"event":"resync"}"#, #"{"event":"addresses","addresses":[]}"#,
                #"{"event":"peer","room":"r","peer":"\#(other)","state":"joined"}"#,
            ])
        #expect(bot.texts == ["r: 1"])
    }

    @Test("A line that is too long is refused by its beginning")
    func tooLong() {
        var bot = Harness(me: me)
        bot.give(.started([]))
        bot.printed = []
        bot.give(.line(.tooLong(beginning: Array("abc".utf8))))
        #expect(bot.printed == [#"{"event":"error","input":"abc","message":"longer than 1048576 bytes"}"#])
    }
}
