import Channels
import DequeModule
import GossipSub
import NIOCore
import OrderedCollections
import Wire

/// Streams: who opened them, what for, and what their bytes mean.
extension NodeCore {
    /// What inbound streams may negotiate.
    var inboundProtocols: [String] {
        var protocols = [Identify.protocolID, IdentifyPush.protocolID, Ping.protocolID]
        protocols.append(StopMessage.protocolID)
        if relayServer != nil { protocols.append(HopMessage.protocolID) }
        protocols.append(AutoNAT.dialBackProtocol)
        if configuration.punchesHoles { protocols.append(HolePunchInitiator.protocolID) }
        if configuration.servesAutoNAT { protocols.append(AutoNAT.requestProtocol) }
        if configuration.servesPerf { protocols.append(PerfClient.protocolID) }
        if seeksDirectPaths { protocols.append(SignallingInitiator.protocolID) }
        protocols += GossipVersion.supported.map(\.protocolID)
        return protocols + configuration.protocols
    }

    /// What inbound streams of a connection may negotiate.
    func inboundProtocols(on connection: NodeConnection) -> [String] {
        guard connection.dialBack == nil else { return [] }
        guard connection.circuit?.limit != nil else { return inboundProtocols }
        return inboundProtocols.filter(isForLimitedConnections)
    }

    /// Whether a connection that a relay will end after some bytes or seconds may carry a protocol.
    ///
    /// Go and js leave pubsub out too. Ours goes there: peers that do not want it open no stream for it.
    private func isForLimitedConnections(_ name: String) -> Bool {
        switch name {
        case PerfClient.protocolID, HopMessage.protocolID, StopMessage.protocolID: false
        case AutoNAT.requestProtocol, AutoNAT.dialBackProtocol: false
        default:
            !configuration.protocols.contains(name) || configuration.protocolsOnLimitedConnections.contains(name)
        }
    }

    /// Whether all of these protocols may be proposed on a connection.
    func mayCarry(_ protocols: [String], on connection: NodeConnection) -> Bool {
        guard connection.circuit?.limit != nil else { return true }
        return protocols.allSatisfy {
            $0 != PerfClient.protocolID && configuration.protocolsOnLimitedConnections.contains($0)
        }
    }

    static let isLimited = "the connection goes through a relay that limits it, and may not carry that"

    /// Opens a stream with a role; nil when the connection takes no more.
    func open(
        _ protocols: [String], on connection: NodeConnection, as role: StreamRole, now: NIODeadline
    ) -> NodeStream? {
        guard let id = try? connection.machine?.open(protocols, now: now) else { return nil }
        let stream = NodeStream(id: id, role: role)
        connection.streams[id] = stream
        touch(connection)
        return stream
    }

    func streamOpened(_ id: StreamID, _ name: String, on connection: NodeConnection, now: NIODeadline) {
        guard let stream = connection.streams[id] else { return }
        switch stream.role {
        case .opening(let request):
            stream.role = .application
            complete(request, .success(.stream(connection.key(of: stream), protocol: name)))
        case .gossipOutbound: connection.gossipAttempts = 0
        default: break
        }
    }

    func streamRefused(_ id: StreamID, _ refusal: StreamRefusal, on connection: NodeConnection, now: NIODeadline) {
        guard let stream = connection.streams.removeValue(forKey: id) else { return }
        if case .opening(let request) = stream.role {
            fail(request, .unsupported, "the peer does not speak that protocol")
        }
        stream.isRefused = true
        streamEnded(stream, of: connection, reset: true, now: now)
    }

    func streamAccepted(_ id: StreamID, _ name: String, on connection: NodeConnection, now: NIODeadline) {
        guard let peer = connection.peer else { return }
        let stream = NodeStream(id: id, role: .application)
        connection.streams[id] = stream
        switch name {
        case Identify.protocolID: answerIdentify(stream, on: connection, now: now)
        case IdentifyPush.protocolID: stream.role = .pushed(IdentifyRequest(from: peer, now: now))
        case Ping.protocolID: stream.role = .pingResponder(PingResponder(now: now))
        case StopMessage.protocolID: stream.role = .stopResponder(StopResponder(now: now))
        case HopMessage.protocolID where relayServer != nil: hopAccepted(stream, on: connection, now: now)
        case HolePunchInitiator.protocolID where configuration.punchesHoles:
            punchAccepted(stream, on: connection, now: now)
        case AutoNAT.dialBackProtocol: stream.role = .dialBackListener(DialBackListener(now: now))
        case AutoNAT.requestProtocol where configuration.servesAutoNAT:
            stream.role = .autoNATServer(AutoNATServer(now: now), isCounted: false)
        case SignallingInitiator.protocolID where seeksDirectPaths:
            signallingAccepted(stream, on: connection, now: now)
        case PerfClient.protocolID where configuration.servesPerf: stream.role = .perfServer(PerfServer(now: now))
        default:
            if let version = GossipVersion(protocolID: name) {
                gossipAccepted(stream, version, on: connection, peer, now: now)
            } else {
                outputs.append(.stream(connection.key(of: stream), .accepted(peer, protocol: name)))
            }
        }
    }

    func streamReceived(_ id: StreamID, _ bytes: ByteBuffer, on connection: NodeConnection, now: NIODeadline) {
        guard let stream = connection.streams[id] else { return }
        switch stream.role {
        case .application:
            outputs.append(.stream(connection.key(of: stream), .received(bytes)))
        case .gossipInbound:
            guard let peer = connection.peer else { return }
            guard !holdsGossip(bytes, on: stream, of: connection, now: now) else { return }
            connection.machine?.consumed(bytes.readableBytes, of: id, now: now)
            touch(connection)
            router.handle(.received(bytes, from: peer), now: now)
        case .relaying(let id, _):
            stream.backlog.append(bytes)
            moveBridge(id, now: now)
        default:
            stream.append(bytes)
            advance(stream, of: connection, now: now)
        }
    }

    func streamReachedEnd(_ id: StreamID, on connection: NodeConnection, now: NIODeadline) {
        guard let stream = connection.streams[id] else { return }
        stream.isEnded = true
        switch stream.role {
        case .application: outputs.append(.stream(connection.key(of: stream), .endOfStream))
        case .opening, .finished: break
        // A peer that ends the stream we write to has left GossipSub; one that ends its own may come back.
        case .gossipOutbound, .gossipInbound:
            releaseGossip(on: connection, now: now)
            reset(stream, of: connection, now: now)
        case .circuit(let id): circuitEnded(id, now: now)
        default: advance(stream, of: connection, now: now)
        }
    }

    func streamWritable(_ id: StreamID, on connection: NodeConnection, now: NIODeadline) {
        guard let stream = connection.streams[id] else { return }
        if case .application = stream.role {
            outputs.append(.stream(connection.key(of: stream), .writable))
        } else if case .circuit(let id) = stream.role {
            circuitWritable(id, now: now)
        } else {
            advance(stream, of: connection, now: now)
        }
    }

    /// Writes to a stream.
    func write(_ bytes: ByteBuffer, to stream: NodeStream, of connection: NodeConnection, now: NIODeadline) {
        connection.machine?.write(bytes, to: stream.id, now: now)
        touch(connection)
    }

    func closeWrite(_ stream: NodeStream, of connection: NodeConnection, now: NIODeadline) {
        connection.machine?.closeWrite(stream.id, now: now)
        touch(connection)
    }

    /// Gives a stream up, and ends its role.
    func reset(_ stream: NodeStream, of connection: NodeConnection, now: NIODeadline) {
        guard connection.streams.removeValue(forKey: stream.id) != nil else { return }
        connection.machine?.reset(stream.id, now: now)
        touch(connection)
        streamEnded(stream, of: connection, reset: true, now: now)
    }

    // MARK: The application's own streams

    func openStream(to peer: PeerID, _ protocols: [String], request id: RequestID, now: NIODeadline) {
        guard let connection = openConnections(to: peer).first else {
            return fail(id, .notConnected, "there is no connection to \(peer)")
        }
        guard mayCarry(protocols, on: connection) else { return fail(id, .limit, Self.isLimited) }
        guard !protocols.isEmpty, open(protocols, on: connection, as: .opening(id), now: now) != nil else {
            return fail(id, .limit, "no further stream can be opened")
        }
    }

    func handle(_ command: StreamCommand, on key: StreamKey, now: NIODeadline) {
        guard let connection = connections[key.connection], let stream = connection.streams[StreamID(key.stream)]
        else { return }
        switch command {
        case .write(let bytes): write(bytes, to: stream, of: connection, now: now)
        case .closeWrite: closeWrite(stream, of: connection, now: now)
        case .reset: reset(stream, of: connection, now: now)
        case .consumed(let count):
            connection.machine?.consumed(count, of: stream.id, now: now)
            touch(connection)
        }
    }

    /// Bytes on their way on a stream of the application.
    package func bufferedAmount(of key: StreamKey) -> Int {
        connections[key.connection]?.machine?.bufferedAmount(of: StreamID(key.stream)) ?? 0
    }
}
