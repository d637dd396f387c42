import Channels
import DequeModule
import GossipSub
import NIOCore
import OrderedCollections
import Wire

/// Ping, perf and identify: driving their machines.
extension NodeCore {
    /// Lets a stream's machine take what is in its inbox and write what it has room for.
    func advance(_ stream: NodeStream, of connection: NodeConnection, now: NIODeadline) {
        if case .relaying(let id, _) = stream.role { return moveBridge(id, now: now) }
        let before = stream.inbox.readableBytes
        switch stream.role {
        case .identify, .pushed: advanceIdentify(stream, of: connection, now: now)
        case .ping: advancePing(stream, of: connection, now: now)
        case .pingResponder: advancePingResponder(stream, of: connection, now: now)
        case .perf: advancePerf(stream, of: connection, now: now)
        case .perfServer: advancePerfServer(stream, of: connection, now: now)
        case .kademlia: advanceKademlia(stream, of: connection, now: now)
        case .autoNATClient: advanceAutoNATClient(stream, of: connection, now: now)
        case .autoNATServer: advanceAutoNATServer(stream, of: connection, now: now)
        case .dialBackCall: advanceDialBackCall(stream, of: connection, now: now)
        case .dialBackListener: advanceDialBackListener(stream, of: connection, now: now)
        case .punchInitiator, .punchResponder: advancePunch(stream, of: connection, now: now)
        case .signalling, .signallingResponder: advanceSignalling(stream, of: connection, now: now)
        case .reserve: advanceReserve(stream, of: connection, now: now)
        case .circuitRequest: advanceCircuitRequest(stream, of: connection, now: now)
        case .stopResponder: advanceStop(stream, of: connection, now: now)
        case .circuit(let id): flow(stream, into: id, now: now)
        case .hop: advanceHop(stream, of: connection, now: now)
        case .stopRequest: advanceStopRequest(stream, of: connection, now: now)
        case .finished, .closing: stream.inbox.clear()
        case .relaying, .gossipOutbound, .gossipInbound, .opening, .application: break
        }
        let taken = before - stream.inbox.readableBytes
        guard taken > 0, connection.streams[stream.id] != nil else { return }
        connection.machine?.consumed(taken, of: stream.id, now: now)
        touch(connection)
    }

    /// A stream is over, in good order or not; its role hears it, and whoever waits for the role.
    func streamEnded(_ stream: NodeStream, of connection: NodeConnection, reset: Bool, now: NIODeadline) {
        switch stream.role {
        case .identify(var machine): identifyEnded(machine.closed(), isPush: false, on: connection, now: now)
        case .ping(var machine):
            if connection.pingStream == stream.id { connection.pingStream = nil }
            if case .failed(let error) = machine.closed() { pingFailed(error, on: connection, of: stream) }
        case .perf(var machine, let request):
            if case .finish(let result) = machine.closed() { finishPerf(result, request: request) }
        case .kademlia(var machine, let peer, let search):
            queryEnded(machine.closed(), of: peer, search: search, on: connection, now: now)
        case .autoNATClient(var machine): autoNATClientEnded(machine.closed(), now: now)
        case .autoNATServer: autoNATServerEnded(stream, of: connection, now: now)
        case .dialBackCall(var machine):
            if case .finished(let status) = machine.closed() { endDialBack(connection, status, now: now) }
        case .gossipOutbound, .gossipInbound: gossipEnded(stream, on: connection, now: now)
        case .opening(let request): fail(request, .closed, "the connection ended")
        case .application: outputs.append(.stream(connection.key(of: stream), .closed(reset: reset)))
        case .signalling, .signallingResponder: signallingEnded(stream, now: now)
        case .reserve(var machine):
            reserveEnded(machine.closed(isRefused: stream.isRefused), on: connection, now: now)
        case .circuitRequest(var machine, let id):
            let action = machine.closed(isRefused: stream.isRefused)
            circuitAnswered(action, stream, of: connection, for: id, now: now)
        case .circuit(let id): circuitEnded(id, now: now)
        case .stopRequest(_, let id): relayServer?.handle(.refused(id), now: now)
        case .relaying(let id, let side): bridgeLost(id, side, reset: reset, now: now)
        case .punchInitiator: punchStreamFailed(.closed, on: connection, now: now)
        case .dialBackListener, .punchResponder, .finished, .closing, .pushed, .pingResponder, .perfServer, .hop,
            .stopResponder:
            break
        }
        closeIfDrained(connection, now: now)
    }

    func streamsTimedOut(on connection: NodeConnection, now: NIODeadline) {
        if connection.gossipRetry <= now {
            connection.gossipRetry = .distantFuture
            openGossip(on: connection, spoken: connection.identified?.protocols, now: now)
        }
        if connection.gossipHold <= now { giveUpOldGossip(before: connection, now: now) }
        for stream in connection.streams.values where stream.role.deadline <= now {
            switch stream.role {
            case .signalling, .signallingResponder: signallingTimedOut(stream, now: now)
            case .ping(var machine):
                if case .failed(let error) = machine.timedOut(now: now) {
                    pingFailed(error, on: connection, of: stream)
                }
            case .perf(var machine, let request):
                if case .finish(let result) = machine.timedOut(now: now) { finishPerf(result, request: request) }
            case .identify(var machine):
                identifyEnded(machine.timedOut(now: now), isPush: false, on: connection, now: now)
            case .kademlia(var machine, let peer, let search):
                queryEnded(machine.timedOut(now: now), of: peer, search: search, on: connection, now: now)
            case .autoNATClient(var machine): autoNATClientEnded(machine.timedOut(now: now), now: now)
            case .autoNATServer:
                autoNATServerTimedOut(stream, of: connection, now: now)
                continue
            case .punchInitiator, .punchResponder:
                punchTimedOut(stream, of: connection, now: now)
                continue
            case .dialBackCall(var machine):
                if case .finished(let status) = machine.timedOut(now: now) {
                    endDialBack(connection, status, now: now)
                }
            case .reserve(var machine): reserveEnded(machine.timedOut(now: now), on: connection, now: now)
            case .circuitRequest(var machine, let id):
                let action = machine.timedOut(now: now)
                circuitAnswered(action, stream, of: connection, for: id, now: now)
            case .stopRequest(_, let id): relayServer?.handle(.refused(id), now: now)
            default: break
            }
            stream.role = .finished
            reset(stream, of: connection, now: now)
        }
    }

    // MARK: Ping

    func ping(_ peer: PeerID, request id: RequestID, now: NIODeadline) {
        guard let connection = openConnections(to: peer).first else {
            return fail(id, .notConnected, "there is no connection to \(peer)")
        }
        if connection.pingStream == nil {
            let stream = open([Ping.protocolID], on: connection, as: .ping(Ping()), now: now)
            connection.pingStream = stream?.id
        }
        guard let name = connection.pingStream, let stream = connection.streams[name],
            case .ping(var machine) = stream.role
        else { return fail(id, .limit, "no further stream can be opened") }
        connection.pingRequests.append(id)
        if case .write(let bytes) = machine.asked(now: now, entropy: &entropy) {
            write(bytes, to: stream, of: connection, now: now)
        }
        stream.role = .ping(machine)
    }

    private func advancePing(_ stream: NodeStream, of connection: NodeConnection, now: NIODeadline) {
        while case .ping(var machine) = stream.role {
            let action =
                stream.isEnded && stream.inbox.readableBytes == 0
                ? machine.closed() : machine.received(&stream.inbox, now: now)
            stream.role = .ping(machine)
            switch action {
            case .none: return
            case .write(let bytes): write(bytes, to: stream, of: connection, now: now)
            case .pong(let time):
                connection.roundTrip = time
                for id in connection.pingRequests { complete(id, .success(.pong(.nanoseconds(time.nanoseconds)))) }
                connection.pingRequests = []
                guard let peer = connection.peer else { return }
                outputs.append(.event(.pong(peer, .nanoseconds(time.nanoseconds))))
                tell(connection, now: now)
            case .failed(let error):
                pingFailed(error, on: connection, of: stream)
                stream.role = .finished
                return reset(stream, of: connection, now: now)
            case .close:
                connection.pingStream = nil
                stream.role = .finished
                return closeWrite(stream, of: connection, now: now)
            }
        }
    }

    private func pingFailed(_ error: PingError, on connection: NodeConnection, of stream: NodeStream) {
        if connection.pingStream == stream.id { connection.pingStream = nil }
        let failure =
            switch error {
            case .timedOut: PeerError(.timedOut, "no answer to the ping")
            case .wrongEcho, .unsolicited: PeerError(.misbehaved, "the peer answered the ping with other bytes")
            case .closed where stream.isRefused: PeerError(.unsupported, "the peer does not answer pings")
            case .closed: PeerError(.closed, "the peer closed the ping stream")
            }
        for id in connection.pingRequests { complete(id, .failure(failure)) }
        connection.pingRequests = []
    }

    private func advancePingResponder(_ stream: NodeStream, of connection: NodeConnection, now: NIODeadline) {
        while case .pingResponder(var machine) = stream.role {
            let buffered = connection.machine?.bufferedAmount(of: stream.id) ?? 0
            var action = machine.received(&stream.inbox, buffered: buffered, now: now)
            if action == .none, stream.isEnded { action = machine.closed() }
            stream.role = .pingResponder(machine)
            switch action {
            case .none: return
            case .write(let bytes): write(bytes, to: stream, of: connection, now: now)
            case .close:
                stream.role = .finished
                stream.inbox.clear()
                return closeWrite(stream, of: connection, now: now)
            }
        }
    }

    // MARK: Perf

    func perf(_ peer: PeerID, upload: UInt64, download: UInt64, request id: RequestID, now: NIODeadline) {
        guard let connection = openConnections(to: peer).first else {
            return fail(id, .notConnected, "there is no connection to \(peer)")
        }
        guard mayCarry([PerfClient.protocolID], on: connection) else { return fail(id, .limit, Self.isLimited) }
        let role = StreamRole.perf(PerfClient(upload: upload, download: download, now: now), id)
        guard let stream = open([PerfClient.protocolID], on: connection, as: role, now: now) else {
            return fail(id, .limit, "no further stream can be opened")
        }
        advance(stream, of: connection, now: now)
    }

    /// Whether a stream has room for another block.
    private func hasRoom(_ stream: NodeStream, of connection: NodeConnection) -> Bool {
        (connection.machine?.bufferedAmount(of: stream.id) ?? 0) <= Limits.streamSendHighWater
    }

    private func advancePerf(_ stream: NodeStream, of connection: NodeConnection, now: NIODeadline) {
        while case .perf(var machine, let request) = stream.role {
            var action = machine.received(&stream.inbox, now: now)
            if action == .none, hasRoom(stream, of: connection) { action = machine.writable(now: now) }
            if action == .none, stream.isEnded { action = machine.ended(now: now) }
            stream.role = .perf(machine, request)
            switch action {
            case .none: return
            case .write(let bytes): write(bytes, to: stream, of: connection, now: now)
            case .closeWrite: closeWrite(stream, of: connection, now: now)
            case .finish(let result):
                finishPerf(result, request: request)
                stream.role = .finished
                if case .failure = result { return reset(stream, of: connection, now: now) }
                return
            }
        }
    }

    private func finishPerf(_ result: Result<PerfResult, PerfError>, request: RequestID) {
        complete(
            request,
            result.map { .perf($0) }.mapError { error in
                switch error {
                case .timedOut: PeerError(.timedOut, "the measurement stood still for too long")
                case .closed(let received):
                    PeerError(.closed, "the peer ended the measurement after \(received) bytes")
                case .tooMuch: PeerError(.misbehaved, "the peer sent more than was asked for")
                }
            })
    }

    private func advancePerfServer(_ stream: NodeStream, of connection: NodeConnection, now: NIODeadline) {
        while case .perfServer(var machine) = stream.role {
            var action = machine.received(&stream.inbox, now: now)
            if action == .none, stream.isEnded { action = machine.ended(now: now) }
            if action == .none, hasRoom(stream, of: connection) { action = machine.writable(now: now) }
            stream.role = .perfServer(machine)
            switch action {
            case .none: return
            case .write(let bytes): write(bytes, to: stream, of: connection, now: now)
            case .closeWrite:
                stream.role = .finished
                return closeWrite(stream, of: connection, now: now)
            case .reset: return reset(stream, of: connection, now: now)
            }
        }
    }
}
