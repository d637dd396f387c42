import Chat
import Node
import Wire

/// The words of the node in the words of the chat, and back.
enum ChatBridge {
    /// What an event of the peer is to the chat; nil for what the chat does not show.
    static func action(_ event: PeerEvent, at time: WallClock) -> ChatAction? {
        let now = time.milliseconds
        switch event {
        case .addresses(let addresses): return .addressesChanged(addresses.map(\.description))
        case .connection(let info): return .connection(ConnectionRow(info, at: time), time: now)
        case .topicPeer(let peer, let room, true): return .peerJoined(peer, room: room, time: now)
        case .topicPeer(let peer, let room, false): return .peerLeft(peer, room: room, time: now)
        case .message(let message):
            return .message(
                ChatMessage(
                    room: message.topic, from: message.author, data: message.data,
                    sequenceNumber: message.sequenceNumber, time: now))
        case .path(let peer, let old, let new):
            return .log(.info, "\(peer.suffix()): \(old) → \(new)", time: now)
        case .discovered(let peer, _): return .log(.debug, "\(peer.suffix()) announced itself", time: now)
        case .relay(let event): return .log(LogLine.Level(event.level), event.words, time: now)
        case .log(let level, let text): return .log(LogLine.Level(level), text, time: now)
        case .reachability(let address, let status):
            return .reachability(
                address: address.description, status == .unknown ? nil : status == .public,
                words: status.words(of: address), time: now)
        case .identified, .pong, .resync: return nil
        }
    }

    /// What an answer of the node is to the chat; nil when it has nothing to show.
    static func action(_ answer: NodeAnswer, at time: WallClock) -> ChatAction? {
        let now = time.milliseconds
        switch answer.outcome {
        case .done, .peers, .settled: return nil
        case .connections(let connections): return .connections(connections.map { ConnectionRow($0, at: time) })
        case .failed(let message):
            return answer.token.map { .notSent(token: $0, reason: message) } ?? .problem(message, time: now)
        case .published(let published, _, _): return answer.token.map { .sent(token: $0, peers: published.peers) }
        case .pong(let peer, let roundTrip):
            return .pong(peer, milliseconds: roundTrip.milliseconds, time: now)
        case .joined(let room): return .joined(room: room)
        case .left(let room): return .left(room: room)
        case .state(let snapshot):
            return .resync(
                ChatSnapshot(
                    addresses: snapshot.addresses.map(\.description),
                    connections: snapshot.connections.map { ConnectionRow($0, at: time) },
                    rooms: snapshot.topics.map { ($0.name, $0.peers) }), time: now)
        }
    }

    /// What the chat wants of the node; nil for leaving, which is the program's business.
    static func request(_ effect: ChatEffect) -> NodeRequest? {
        switch effect {
        case .publish(let room, let text, let token): NodeRequest(action: .publish(text, room: room), token: token)
        case .connect(let address): NodeRequest(action: .connect(address))
        case .disconnect(let peer): NodeRequest(action: .disconnect(peer))
        case .ping(let peer): NodeRequest(action: .ping(peer))
        case .pingAddress(let address): NodeRequest(action: .pingAddress(address))
        case .join(let room): NodeRequest(action: .join(room))
        case .leave(let room): NodeRequest(action: .leave(room))
        case .quit: nil
        }
    }
}

extension ConnectionRow {
    /// A connection of the node at a moment.
    init(_ info: ConnectionInfo, at time: WallClock) {
        let state: ConnectionRow.State =
            switch info.state {
            case .dialing: .dialing
            case .securing: .securing
            case .open: .open
            case .closed: .closed
            case .failed: .failed
            }
        self.init(
            id: info.id, peer: info.peer, direction: info.direction == .inbound ? .inbound : .outbound,
            transport: info.transport, address: info.address.description, state: state)
        detail = info.detail
        steps = info.phases.map { ConnectionRow.Step(name: $0.name, milliseconds: $0.duration.milliseconds) }
        path = info.path.map {
            ConnectionRow.Path(
                candidates: $0.candidates, roundTrip: $0.transportRoundTrip?.milliseconds, window: $0.congestionWindow,
                resent: $0.retransmissions)
        }
        relay = info.relay.map {
            ConnectionRow.Relay(
                name: $0.peer.suffix(), isLimited: $0.limit != nil, bytesLeft: $0.bytesLeft,
                secondsLeft: $0.timeLeft?.components.seconds, carriesChat: $0.carriesGossip)
        }
        agent = info.agent
        roundTrip = info.roundTrip?.milliseconds
        openSince = info.state == .open ? time.milliseconds - Int64(info.age.milliseconds) : nil
        bytesIn = info.bytesReceived
        bytesOut = info.bytesSent
        reason = info.reason
    }
}

extension LogLine.Level {
    /// The chat's level for one of the node's.
    init(_ level: LogLevel) {
        switch level {
        case .trace, .debug: self = .debug
        case .info: self = .info
        case .notice: self = .notice
        case .warning: self = .warning
        case .error: self = .error
        }
    }
}

extension WallClock {
    /// Unix milliseconds.
    var milliseconds: Int64 { nanoseconds / 1_000_000 }
}

extension Reachability {
    /// What became of an address of ours, for a person.
    func words(of address: Multiaddr) -> String {
        switch self {
        case .public: "others can reach this peer at \(address)"
        case .private: "nobody can reach this peer at \(address): it is not announced any longer"
        case .unknown: "whether others can reach this peer at \(address) is not known"
        }
    }
}
