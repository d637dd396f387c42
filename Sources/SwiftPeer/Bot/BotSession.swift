import Chat
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
    /// How it speaks.
    private enum Face {
        case json
        case plain(PlainFace)
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
    private var face: Face
    private let exitsAtEnd: Bool
    private let showsLog: Bool
    /// What is said in its rooms passes through it and is nobody's here.
    private let isRelay: Bool
    private let nick: String
    private var rooms: [String]
    private var phase = Phase.starting
    private var pending = 0
    private var held: Deque<NodeRequest> = []
    private var audience: [String: Set<PeerID>] = [:]
    private var unheard = 0
    private var shownAddresses: [Multiaddr] = []
    private var shownConnections: [UInt64: ConnectionInfo.State] = [:]
    private var outputs: Deque<Output> = []
    /// When ``Input/tick`` is due; `.distantFuture` when nothing is waited for.
    private(set) var deadline = NIODeadline.distantFuture

    /// A session that waits for its peer to start.
    init(
        me: PeerID, nick: String, rooms: [String], json: Bool, exitsAtEnd: Bool, showsLog: Bool, isRelay: Bool = false
    ) {
        self.me = me
        self.nick = nick
        self.rooms = rooms
        face = json ? .json : .plain(PlainFace(me: me, nick: nick, rooms: rooms))
        self.exitsAtEnd = exitsAtEnd
        self.showsLog = showsLog
        self.isRelay = isRelay
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
        guard case .json = face else { return chat(.submit(text, time: time.milliseconds)) }
        do { try carryOut(try BotRequest(line: bytes), input: Self.echo(bytes)) } catch {
            refuse(Self.echo(bytes), error.reason, time)
        }
    }

    /// Lets the chat have an action: prints what comes of it and asks for what it wants.
    private mutating func chat(_ action: ChatAction?) {
        guard let action, case .plain(var plain) = face else { return }
        face = .json  // gives the state's only reference to `plain`
        let (effects, lines) = plain.apply(action)
        face = .plain(plain)
        if !lines.isEmpty { outputs.append(.print(lines)) }
        for effect in effects {
            guard let request = ChatBridge.request(effect) else {
                phase = .ending
                continue
            }
            enqueue(request)
        }
    }

    private mutating func carryOut(_ request: BotRequest, input: String) throws(BotRequest.Refused) {
        switch request {
        case .say(let text, let room): try say(text, room, input)
        case .connect(let address): ask(.connect(try Self.addressOrPeer(address)), input)
        case .disconnect(let peer): ask(.disconnect(try Self.peer(peer)), input)
        case .ping(let target):
            ask(target.hasPrefix("/") ? .pingAddress(try Self.address(target)) : .ping(try Self.peer(target)), input)
        case .join(let room): ask(.join(try Self.room(room)), input)
        case .leave(let room):
            guard rooms.contains(room) else { throw BotRequest.Refused(reason: "not in the room \(room)") }
            ask(.leave(room), input)
        case .peers: ask(.listPeers, input)
        case .connections: ask(.listConnections, input)
        case .later(let name): throw BotRequest.Refused(reason: "\(name) is not available in this version")
        case .quit: phase = .ending
        }
    }

    private mutating func say(_ text: String, _ room: String?, _ input: String) throws(BotRequest.Refused) {
        guard let room = room ?? rooms.first else { throw BotRequest.Refused(reason: "not in any room") }
        guard rooms.contains(room) else { throw BotRequest.Refused(reason: "not in the room \(room)") }
        guard !text.isEmpty else { throw BotRequest.Refused(reason: "nothing to say") }
        ask(.publish(text, room: room), input)
    }

    private mutating func ask(_ action: NodeRequest.Action, _ input: String) {
        enqueue(NodeRequest(action: action, input: input))
    }

    /// Asks now, or when somebody is in the room to hear it.
    private mutating func enqueue(_ request: NodeRequest) {
        if case .publish(_, let room) = request.action, exitsAtEnd, deadline != .distantFuture,
            (audience[room] ?? []).isEmpty || held.contains(where: { $0.room == room })
        {
            return held.append(request)
        }
        send(request)
    }

    private mutating func send(_ request: NodeRequest) {
        pending += 1
        outputs.append(.request(request))
    }

    // MARK: Events out

    private mutating func happened(_ event: PeerEvent, _ time: WallClock) {
        switch event {
        case .log(let level, let text):
            outputs.append(.log(level, text))
            if case .json = face, showsLog { show(.log(level, text), time) }
            return
        case .identified(let info):
            outputs.append(.log(.debug, "\(info.peer.suffix()) runs \(info.agentVersion ?? "an unknown agent")"))
            return
        case .discovered(let peer, _):
            outputs.append(.log(.debug, "\(peer.suffix()) announced itself"))
            return
        case .reachability(let address, let status):
            outputs.append(.log(.info, status.words(of: address)))
            if case .json = face { show(.reachability(address, status), time) }
            return
        case .relay(let event):
            outputs.append(.log(event.level, event.words))
            if case .json = face { show(.relay(event), time) }
            return
        case .message where isRelay: return
        case .pong: return  // measured all the time; those asked for come as answers
        case .addresses(let addresses):
            guard addresses != shownAddresses else { return }
            shownAddresses = addresses
            show(.addresses(addresses), time)
        case .connection(let info): if case .json = face { changed(info, time) }
        case .path(let peer, let old, let new): if case .json = face { show(.path(peer, from: old, to: new), time) }
        case .topicPeer(let peer, let room, let joined):
            if joined { audience[room, default: []].insert(peer) } else { audience[room]?.remove(peer) }
            if case .json = face { show(.peer(peer, room: room, joined: joined), time) }
        case .message(let message):
            let text = String(decoding: message.data, as: UTF8.self)
            guard case .json = face, message.author != me else { break }
            let from = message.author
            show(.message(room: message.topic, id: message.id, from: from, nick: from.suffix(), text: text), time)
        case .resync:
            if case .json = face { show(.resync, time) }
            ask(.resync, "")
        }
        chat(ChatBridge.action(event, at: time))
        if case .topicPeer(_, let room, true) = event { release(room) }
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
        case .joined(let room): if !rooms.contains(room) { rooms.append(room) }
        case .left(let room):
            rooms.removeAll { $0 == room }
            audience[room] = nil
        case .published(let published, _, _): if published.peers == 0 && exitsAtEnd { unheard += 1 }
        case .state(let snapshot): for topic in snapshot.topics { audience[topic.name] = Set(topic.peers) }
        case .settled: return finish(unheard == 0 ? .success : .failure)
        case .done, .failed, .pong, .peers, .connections: break
        }
        switch face {
        case .json: tell(answer, time)
        case .plain:
            if answer.token != nil, case .failed(let message) = answer.outcome { note("not sent: \(message)") }
            chat(ChatBridge.action(answer, at: time))
        }
        if case .state(let snapshot) = answer.outcome {
            for topic in snapshot.topics where !topic.peers.isEmpty { release(topic.name) }
        }
    }

    /// An answer for a script.
    private mutating func tell(_ answer: NodeAnswer, _ time: WallClock) {
        switch answer.outcome {
        case .done, .joined, .left, .settled: break
        case .failed(let message): refuse(answer.input, message, time)
        case .published(let published, _, let room):
            show(.sent(room: room, id: published.id, peers: published.peers), time)
        case .pong(let peer, let roundTrip): show(.pong(peer, roundTrip), time)
        case .peers(let topics): for topic in topics { tell(topic, time) }
        case .connections(let connections): for info in connections { show(.connection(info), time) }
        case .state(let snapshot):
            shownAddresses = snapshot.addresses
            show(.addresses(snapshot.addresses), time)
            shownConnections = [:]
            for info in snapshot.connections { changed(info, time) }
            for topic in snapshot.topics { tell(topic, time) }
        }
    }

    private mutating func tell(_ topic: PeerSnapshot.Topic, _ time: WallClock) {
        for peer in topic.peers { show(.peer(peer, room: topic.name, joined: true), time) }
    }

    /// Somebody is in the room: what waited for that goes out, in order.
    private mutating func release(_ room: String) {
        let requests = held.filter { $0.room == room }
        held.removeAll { $0.room == room }
        for request in requests { send(request) }
    }

    // MARK: The end

    private mutating func timedOut(_ now: NIODeadline, _ time: WallClock) {
        guard now >= deadline else { return }
        deadline = .distantFuture
        for request in held {
            unheard += 1
            let message = "nobody came to \(request.room ?? "the room") to take it"
            answered(
                NodeAnswer(
                    input: request.input, token: request.token, outcome: .failed(message), endsRequest: false), time)
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
        switch face {
        case .json: outputs.append(.print([event.json(at: time)]))
        case .plain: outputs.append(.print(event.plain.map { "-- " + $0.printableLine }))
        }
    }

    private mutating func refuse(_ input: String, _ message: String, _ time: WallClock) {
        show(.error(input: input, message: message), time)
    }

    /// Something only people want to know.
    private mutating func note(_ text: String) { outputs.append(.print(["-- " + text.printableLine])) }

    // MARK: Reading

    private static func echo(_ bytes: [UInt8]) -> String {
        String(decoding: bytes.prefix(Limits.inputEcho), as: UTF8.self)
    }

    private static func address(_ text: String) throws(BotRequest.Refused) -> Multiaddr {
        do { return try Multiaddr(text) } catch { throw BotRequest.Refused(reason: "not a multiaddr (\(error))") }
    }

    private static func addressOrPeer(_ text: String) throws(BotRequest.Refused) -> Multiaddr {
        do { return try Multiaddr(addressOrPeer: text) } catch {
            throw BotRequest.Refused(reason: "not a multiaddr (\(error)) and not a peer id")
        }
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

extension NodeRequest {
    /// Where a text goes.
    fileprivate var room: String? { if case .publish(_, let room) = action { room } else { nil } }
}
