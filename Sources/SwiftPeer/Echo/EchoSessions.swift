import DequeModule
import ICE
import NIOCore
import Node
import OrderedCollections
import WebRTC
import Wire

/// Echoes every message of every data channel that anybody opens over WebRTC-direct, as reliably as it was sent.
///
///     datagram ──DirectListener──▶ session ──channel opened, message──▶ the same message, on the same channel
///                             └──▶ offer: a new session, which has to prove itself in the listener's time
///
/// A browser's page, or any end of WebRTC, dials by a webrtc-direct address, version 1 or 2, and opens channels of its
/// own; nothing of libp2p is spoken on them. What cannot be echoed is answered by a text on the same channel,
/// `{"error":"too-large-for-datagram","limit":…,"bytes":…,"head":"…"}`, where `head` is the message's first bytes in
/// hexadecimal: a channel that never retransmits carries what fits one datagram and no more.
///
/// Limits: those of ``DirectListener`` and ``PeerConnection``; `Limits.echoConnections`, `Limits.echoChannels`. A
/// reliable channel whose reader is too slow is closed, because a message must not be lost in silence.
struct EchoSessions: Machine {
    /// Something that happened.
    enum Input {
        case datagrams(Datagrams, on: ICEPath)
        case tick
        /// Closes every session.
        case close
    }

    /// Something to do, or to tell.
    enum Output {
        case send(Datagrams, on: ICEPath)
        case event(Event)
    }

    /// What somebody who watches may want to know.
    enum Event: Equatable, Sendable {
        case connected(TransportAddress, version: String)
        case opened(TransportAddress, label: String)
        case disconnected(TransportAddress, echoed: UInt64, refused: UInt64)
    }

    private struct Session {
        let connection: PeerConnection
        let remote: TransportAddress
        let version: String
        var echoed: UInt64 = 0
        var refused: UInt64 = 0
        var isConnected = false
    }

    private let engines: any WebRTCEngines
    private var entropy: Entropy
    private var listener = DirectListener()
    private var sessions: OrderedDictionary<ConnectionID, Session> = [:]
    private var lastID: ConnectionID = 0
    private var outputs: Deque<Output> = []

    /// Nobody is connected yet.
    init(engines: any WebRTCEngines, entropy: Entropy) {
        self.engines = engines
        self.entropy = entropy
    }

    /// Sessions, proved or not.
    var count: Int { sessions.count }

    var deadline: NIODeadline {
        sessions.values.reduce(.distantFuture) { min($0, $1.connection.deadline) }
    }

    mutating func poll() -> Output? { outputs.popFirst() }

    mutating func handle(_ input: consuming Input, now: NIODeadline) {
        switch input {
        case .datagrams(let datagrams, let path):
            switch listener.received(datagrams, on: path, now: now) {
            case .session(let id): give(.datagrams(datagrams, on: path), to: id, now: now)
            case .offer(let offer): accept(offer, with: datagrams, now: now)
            case .dropped: break
            }
        case .tick:
            for (id, session) in sessions where session.connection.deadline <= now { give(.tick, to: id, now: now) }
        case .close:
            for id in sessions.keys { give(.close, to: id, now: now) }
        }
    }

    // MARK: Sessions

    private mutating func accept(_ offer: DirectOffer, with datagrams: Datagrams, now: NIODeadline) {
        guard sessions.count < Limits.echoConnections else { return }
        var configuration = PeerConnectionConfiguration(.lite, localAddresses: [offer.path.local], dtlsRole: .server)
        configuration.credentials = offer.credentials.listener
        configuration.channels = Limits.echoChannels
        let connection = PeerConnection(
            configuration: configuration, engines: engines, entropy: entropy.split(), now: now)
        lastID += 1
        sessions[lastID] = Session(
            connection: connection, remote: offer.path.remote, version: offer.credentials.version.name)
        listener.register(lastID, for: offer)
        // Nobody tells us what the other end takes; browsers take at least as much as we do.
        let remote = PeerConnectionParameters(
            credentials: offer.credentials.dialer, largestMessage: Limits.sctpMessage)
        connection.start(remote: remote, now: now)
        give(.datagrams(datagrams, on: offer.path), to: lastID, now: now)
    }

    private mutating func give(_ input: PeerConnection.Input, to id: ConnectionID, now: NIODeadline) {
        guard let connection = sessions[id]?.connection else { return }
        connection.handle(input, now: now)
        while let output = connection.poll() { perform(output, id, connection, now: now) }
    }

    private mutating func perform(
        _ output: PeerConnection.Output, _ id: ConnectionID, _ connection: PeerConnection, now: NIODeadline
    ) {
        switch output {
        case .send(let datagrams, let path): outputs.append(.send(datagrams, on: path))
        case .connected:
            listener.established(id)
            sessions[id]?.isConnected = true
            tell(id) { .connected($0.remote, version: $0.version) }
        case .channelOpened(_, let info): tell(id) { .opened($0.remote, label: info.options.label) }
        case .received(let channel, let message): echo(message, on: channel, of: id, connection, now: now)
        case .closed:
            tell(id) { .disconnected($0.remote, echoed: $0.echoed, refused: $0.refused) }
            sessions[id] = nil
            listener.closed(id, now: now)
        case .candidate, .relayPipe, .relayFailed, .phase, .state, .path, .bufferedAmountLow, .channelClosed: break
        }
    }

    /// Only of sessions that stood: what never came to be is nobody's news.
    private mutating func tell(_ id: ConnectionID, _ event: (Session) -> Event) {
        guard let session = sessions[id], session.isConnected else { return }
        outputs.append(.event(event(session)))
    }

    // MARK: Messages

    private mutating func echo(
        _ message: DataChannelMessage, on channel: DataChannelID, of id: ConnectionID, _ connection: PeerConnection,
        now: NIODeadline
    ) {
        do throws(DataChannelError) {
            try connection.send(message, on: channel, now: now)
            sessions[id]?.echoed += 1
        } catch {
            sessions[id]?.refused += 1
            if case .bufferFull = error { return connection.close(channel, now: now) }
            guard let text = Self.refusal(of: message, error) else { return }
            // When even this does not get through, the channel has bigger problems.
            try? connection.send(.text(ByteBuffer(string: text)), on: channel, now: now)
        }
    }

    /// What the sender of a message that cannot be echoed is told; nil when nobody is there to be told.
    static func refusal(of message: DataChannelMessage, _ error: DataChannelError) -> String? {
        var object = JSONObject()
        switch error {
        case .tooLarge(let limit):
            object.add("error", "too-large")
            object.add("limit", limit)
        case .tooLargeForDatagram(let limit):
            object.add("error", "too-large-for-datagram")
            object.add("limit", limit)
        case .closed, .bufferFull, .tooManyChannels, .invalidOptions: return nil
        }
        object.add("bytes", message.bytes.readableBytes)
        let head = message.bytes.readableBytesView.prefix(Limits.echoedHead)
        object.add("head", head.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())
        return object.line
    }
}
