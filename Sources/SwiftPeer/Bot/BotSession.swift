import DequeModule
import NIOCore
import Node
import Wire

/// What a bot does with its input lines and with what happens to its peer; without IO, clock or tasks.
///
/// Lines, events and answers go in by ``handle(_:now:at:)``, what is to be printed and asked of the peer comes out of
/// ``poll()``, in order. With `exitsAtEnd` a text waits for somebody in its room, and the end of the input leads to
/// the end of the session.
struct BotSession {
    /// Something that happened.
    enum Input {
        /// The peer runs and is in its rooms.
        case started([Multiaddr])
        case line(LineSplitter.Line)
        case endOfInput
        case event(PeerEvent)
        /// A ``NodeRequest`` was carried out, or not.
        case answer(NodeAnswer)
        /// The deadline passed.
        case tick
        /// A signal asks to leave.
        case leave
    }
    /// Something to do.
    enum Output {
        case print([String])
        case request(NodeRequest)
        case log(LogLevel, String)
        /// Shut the peer down and end with this status.
        case finish(ProcessStatus)
    }
    /// A text that is not published yet.
    private struct Text {
        let input: String
        let room: String
        let text: String
    }
    private enum Phase: Equatable {
        case starting
        case running
        /// All input is read; what is pending is carried out first.
        case ending
        /// All texts are out; waits for a sign that neighbours have them.
        case settling
        case finished
    }

    private let me: PeerID
    private let usesJSON: Bool
    private let exitsAtEnd: Bool
    private let showsLog: Bool
    private var nick: String
    private var rooms: [String]
    private var phase = Phase.starting
    private var pending = 0
    private var held: Deque<Text> = []
    private var audience: [String: Set<PeerID>] = [:]
    private var unheard = 0
    private var shownAddresses: [Multiaddr] = []
    private var shownConnections: [UInt64: ConnectionInfo.State] = [:]
    private var outputs: Deque<Output> = []
    /// When ``Input/tick`` is due; `.distantFuture` when nothing is waited for.
    private(set) var deadline = NIODeadline.distantFuture

    /// A session that waits for its peer to start.
    init(me: PeerID, nick: String, rooms: [String], json: Bool, exitsAtEnd: Bool, showsLog: Bool) {
        self.me = me
        self.nick = nick
        self.rooms = rooms
        usesJSON = json
        self.exitsAtEnd = exitsAtEnd
        self.showsLog = showsLog
    }

    /// Whether events may come: the first thing a reader sees is that the peer runs.
    var takesEvents: Bool { phase != .starting }

    /// Whether further input lines may be read: what is read has to be carried out first.
    var isHungry: Bool { phase == .running && pending + held.count < Limits.pendingInput }

    /// The next thing to do, in order.
    mutating func poll() -> Output? { outputs.popFirst() }

    /// Takes one event; `now` is for waiting, `time` for people.
    mutating func handle(_ input: Input, now: NIODeadline, at time: WallClock) {
        guard phase != .finished else { return }
        switch input {
        case .started(let addresses):
            phase = .running
            if exitsAtEnd { deadline = now + Limits.audienceTimeout }
            shownAddresses = addresses
            show(.ready(peer: me, nick: nick, rooms: rooms, addresses: addresses), time)
        case .line(let line): received(line, time)
        case .endOfInput: if exitsAtEnd && phase == .running { phase = .ending }
        case .event(let event): happened(event, time)
        case .answer(let answer): answered(answer, time)
        case .tick: timedOut(now, time)
        case .leave: finish(.success)
        }
        endWhenDone(now)
    }

    // MARK: Lines in

    private mutating func received(_ line: LineSplitter.Line, _ time: WallClock) {
        guard case .whole(let bytes) = line else {
            if case .tooLong(let beginning) = line {
                refuse(Self.echo(beginning), "longer than \(Limits.inputLine) bytes", time)
            }
            return
        }
        let text = String(decoding: bytes, as: UTF8.self)
        guard text.contains(where: { !$0.isWhitespace }) else { return }
        do {
            let request = usesJSON ? try BotRequest(line: bytes) : try BotRequest(plain: text)
            try carryOut(request, input: Self.echo(bytes), time)
        } catch {
            refuse(Self.echo(bytes), error.reason, time)
        }
    }

    private mutating func carryOut(
        _ request: BotRequest, input: String, _ time: WallClock
    ) throws(BotRequest.Refused) {
        switch request {
        case .say(let text, let room): try say(text, room, input)
        case .connect(let address): ask(.connect(try Self.address(address)), input)
        case .disconnect(let peer): ask(.disconnect(try Self.peer(peer)), input)
        case .ping(let target):
            ask(target.hasPrefix("/") ? .pingAddress(try Self.address(target)) : .ping(try Self.peer(target)), input)
        case .join(let room): ask(.join(try Self.room(room)), input)
        case .leave(let name):
            let room = name.isEmpty ? rooms.first ?? "" : name
            guard rooms.contains(room) else { throw BotRequest.Refused(reason: "not in the room \(room)") }
            ask(.leave(room), input)
        case .peers: ask(.listPeers, input)
        case .connections: ask(.listConnections, input)
        case .nick(let name):
            do { nick = try Environment.Given(name: "/nick", value: name).nick() } catch {
                throw BotRequest.Refused(reason: error.message)
            }
            note("you are \(nick) now")
        case .help: for line in BotRequest.helpLines { note(line) }
        case .nothing: break
        case .later(let name): throw BotRequest.Refused(reason: "\(name) is not available in this version")
        case .quit: phase = .ending
        }
    }

    private mutating func say(_ text: String, _ room: String?, _ input: String) throws(BotRequest.Refused) {
        guard let room = room ?? rooms.first else { throw BotRequest.Refused(reason: "not in any room") }
        guard rooms.contains(room) else { throw BotRequest.Refused(reason: "not in the room \(room)") }
        guard !text.isEmpty else { throw BotRequest.Refused(reason: "nothing to say") }
        let text = Text(input: input, room: room, text: text)
        let waits = exitsAtEnd && (audience[room] ?? []).isEmpty && deadline != .distantFuture
        if waits || held.contains(where: { $0.room == room }) { held.append(text) } else { publish(text) }
    }

    private mutating func publish(_ text: Text) { ask(.publish(text.text, room: text.room), text.input) }

    private mutating func ask(_ action: NodeRequest.Action, _ input: String) {
        pending += 1
        outputs.append(.request(NodeRequest(action: action, input: input)))
    }

    // MARK: Events out

    private mutating func happened(_ event: PeerEvent, _ time: WallClock) {
        switch event {
        case .addresses(let addresses):
            guard addresses != shownAddresses else { return }
            shownAddresses = addresses
            show(.addresses(addresses), time)
        case .connection(let info): changed(info, time)
        case .topicPeer(let peer, let room, let joined):
            if joined { audience[room, default: []].insert(peer) } else { audience[room]?.remove(peer) }
            show(.peer(peer, room: room, joined: joined), time)
            if joined { release(room) }
        case .message(let message):
            let text = String(decoding: message.data, as: UTF8.self)
            let nick = message.author == me ? nick : message.author.suffix()
            show(.message(room: message.topic, id: message.id, from: message.author, nick: nick, text: text), time)
        case .log(let level, let text):
            outputs.append(.log(level, text))
            if usesJSON && showsLog { show(.log(level, text), time) }
        case .resync:
            show(.resync, time)
            ask(.resync, "")
        case .identified(let info):
            outputs.append(.log(.debug, "\(info.peer.suffix()) runs \(info.agentVersion ?? "an unknown agent")"))
        case .discovered(let peer, _): outputs.append(.log(.debug, "\(peer.suffix()) is on the local network"))
        case .pong: break  // measured all the time; those asked for come as answers
        }
    }

    /// A connection is told about when its state changed, not when a number of it did.
    private mutating func changed(_ info: ConnectionInfo, _ time: WallClock) {
        guard shownConnections[info.id] != info.state else { return }
        let isOver = info.state == .closed || info.state == .failed
        shownConnections[info.id] = isOver ? nil : info.state
        show(.connection(info), time)
    }

    private mutating func answered(_ answer: NodeAnswer, _ time: WallClock) {
        if answer.endsRequest { pending -= 1 }
        switch answer.outcome {
        case .done: break
        case .failed(let message): refuse(answer.input, message, time)
        case .published(let published, let text, let room):
            if published.peers == 0 && exitsAtEnd { unheard += 1 }
            show(
                .sent(room: room, id: published.id, peers: published.peers, from: me, nick: nick, text: text), time)
        case .pong(let peer, let roundTrip): show(.pong(peer, roundTrip), time)
        case .joined(let room):
            if !rooms.contains(room) { rooms.append(room) }
            note("you are in \(room)")
        case .left(let room):
            rooms.removeAll { $0 == room }
            audience[room] = nil
            note("you left \(room)")
        case .peers(let topics):
            for topic in topics { for peer in topic.peers { show(.peer(peer, room: topic.name, joined: true), time) } }
        case .connections(let connections): for info in connections { show(.connection(info), time) }
        case .state(let snapshot):
            shownAddresses = snapshot.addresses
            show(.addresses(snapshot.addresses), time)
            shownConnections = [:]
            for info in snapshot.connections { changed(info, time) }
            for topic in snapshot.topics {
                audience[topic.name] = Set(topic.peers)
                for peer in topic.peers { show(.peer(peer, room: topic.name, joined: true), time) }
                if !topic.peers.isEmpty { release(topic.name) }
            }
        case .settled: finish(unheard == 0 ? .success : .failure)
        }
    }

    /// Somebody is in the room: what waited for that goes out, in order.
    private mutating func release(_ room: String) {
        let texts = held.filter { $0.room == room }
        held.removeAll { $0.room == room }
        for text in texts { publish(text) }
    }

    // MARK: The end

    private mutating func timedOut(_ now: NIODeadline, _ time: WallClock) {
        guard now >= deadline else { return }
        deadline = .distantFuture
        for text in held {
            unheard += 1
            refuse(text.input, "nobody came to \(text.room) to take it", time)
        }
        held.removeAll()
    }

    private mutating func endWhenDone(_ now: NIODeadline) {
        guard phase == .ending, pending == 0, held.isEmpty else { return }
        guard exitsAtEnd else { return finish(.success) }
        phase = .settling
        ask(.settle, "")
    }

    private mutating func finish(_ status: ProcessStatus) {
        phase = .finished
        deadline = .distantFuture
        outputs.append(.finish(status))
    }

    private mutating func show(_ event: BotEvent, _ time: WallClock) {
        outputs.append(.print(usesJSON ? [event.json(at: time)] : event.plain(at: time).map(\.printableLine)))
    }

    private mutating func refuse(_ input: String, _ message: String, _ time: WallClock) {
        show(.error(input: input, message: message), time)
    }

    /// Something only people want to know.
    private mutating func note(_ text: String) {
        if !usesJSON { outputs.append(.print(["-- " + text.printableLine])) }
    }

    // MARK: Reading

    private static func echo(_ bytes: [UInt8]) -> String {
        String(decoding: bytes.prefix(Limits.inputEcho), as: UTF8.self)
    }

    private static func address(_ text: String) throws(BotRequest.Refused) -> Multiaddr {
        do { return try Multiaddr(text) } catch { throw BotRequest.Refused(reason: "not a multiaddr (\(error))") }
    }

    private static func peer(_ text: String) throws(BotRequest.Refused) -> PeerID {
        do { return try PeerID(text: text) } catch { throw BotRequest.Refused(reason: "not a peer id") }
    }

    private static func room(_ text: String) throws(BotRequest.Refused) -> String {
        do { return try Environment.Given(name: "room", value: text).room() } catch {
            throw BotRequest.Refused(reason: error.message)
        }
    }
}
