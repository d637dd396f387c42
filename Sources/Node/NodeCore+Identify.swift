import Channels
import DequeModule
import GossipSub
import NIOCore
import OrderedCollections
import Wire

/// Identify and its push: who the other is, and who we are.
extension NodeCore {
    /// Asks the peer of a fresh connection who it is: everything else starts with the answer.
    func startIdentify(_ connection: NodeConnection, now: NIODeadline) {
        guard let peer = connection.peer, connection.identifyStream == nil else { return }
        let role = StreamRole.identify(IdentifyRequest(from: peer, now: now))
        guard let stream = open([Identify.protocolID], on: connection, as: role, now: now) else { return }
        connection.identifyStream = stream.id
    }

    /// Somebody wants to know now: one stream at a time, js allows no second one.
    func identify(_ peer: PeerID, request id: RequestID, now: NIODeadline) {
        guard let connection = openConnections(to: peer).first else {
            return fail(id, .notConnected, "there is no connection to \(peer)")
        }
        connection.identifyRequests.append(id)
        startIdentify(connection, now: now)
    }

    func advanceIdentify(_ stream: NodeStream, of connection: NodeConnection, now: NIODeadline) {
        var action: IdentifyRequest.Action
        let isPush: Bool
        switch stream.role {
        case .identify(var machine):
            action = machine.received(&stream.inbox)
            if action == .none, stream.isEnded { action = machine.closed() }
            (stream.role, isPush) = (.identify(machine), false)
        case .pushed(var machine):
            action = machine.received(&stream.inbox)
            if action == .none, stream.isEnded { action = machine.closed() }
            (stream.role, isPush) = (.pushed(machine), true)
        default: return
        }
        guard action != .none else { return }
        stream.role = .finished
        closeWrite(stream, of: connection, now: now)
        identifyEnded(action, isPush: isPush, on: connection, now: now)
        if case .failed = action { reset(stream, of: connection, now: now) }
    }

    /// An identify stream, or a push, has brought what it will.
    func identifyEnded(
        _ action: IdentifyRequest.Action, isPush: Bool, on connection: NodeConnection, now: NIODeadline
    ) {
        if !isPush { connection.identifyStream = nil }
        guard let peer = connection.peer else { return }
        switch action {
        case .none: break
        case .identified(let message):
            var info = connection.identified ?? IdentifyInfo(peer: peer)
            do { try info.merge(message) } catch {
                return identifyFailed(error, isPush: isPush, on: connection, now: now)
            }
            identified(info, on: connection, now: now)
        case .failed(let error): identifyFailed(error, isPush: isPush, on: connection, now: now)
        }
    }

    private func identified(_ info: IdentifyInfo, on connection: NodeConnection, now: NIODeadline) {
        let isNews = connection.identified != info
        connection.identified = info
        connection.machine?.learned(agent: info.agentVersion ?? "")
        peers.learned(info.listenAddresses, of: info.peer, now: now)
        for id in connection.identifyRequests { complete(id, .success(.identified(info))) }
        connection.identifyRequests = []
        if isNews {
            outputs.append(.event(.identified(info)))
            tell(connection, now: now)
            router.handle(.peerAgent(info.peer, agent: info.agentVersion ?? ""), now: now)
        }
        identifiedForReachability(info, on: connection, now: now)
        considerRelay(info, on: connection, now: now)
        punch(connection, info, now: now)
        openGossip(on: connection, spoken: info.protocols, now: now)
        considerUpgrade(of: connection, now: now)
        connection.isProved = true
        takeOver(connection, now: now)
    }

    private func identifyFailed(
        _ error: IdentifyError, isPush: Bool, on connection: NodeConnection, now: NIODeadline
    ) {
        log(.debug, "\(connection.peer?.suffix() ?? "?"): identify failed: \(error)")
        guard !isPush else { return }
        for id in connection.identifyRequests { fail(id, .unsupported, "the peer did not identify itself") }
        connection.identifyRequests = []
        // A peer without identify may speak GossipSub all the same.
        guard connection.identified == nil else { return }
        openGossip(on: connection, spoken: nil, now: now)
        guard error != .timedOut else { return }
        connection.isProved = true
        takeOver(connection, now: now)
    }

    // MARK: The other way

    func answerIdentify(_ stream: NodeStream, on connection: NodeConnection, now: NIODeadline) {
        stream.role = .finished
        write(identifyMessage(for: connection), to: stream, of: connection, now: now)
        closeWrite(stream, of: connection, now: now)
    }

    /// Tells every peer that understands it what changed.
    func pushIdentify(now: NIODeadline) {
        for connection in connections.values where connection.state == .open {
            guard connection.identified?.protocols.contains(IdentifyPush.protocolID) == true,
                let stream = open([IdentifyPush.protocolID], on: connection, as: .finished, now: now)
            else { continue }
            write(identifyMessage(for: connection), to: stream, of: connection, now: now)
            closeWrite(stream, of: connection, now: now)
        }
    }

    private func identifyMessage(for connection: NodeConnection) -> ByteBuffer {
        Identify.answer(
            identity, agentVersion: configuration.agentVersion, protocols: inboundProtocols,
            addresses: announcedAddresses, observed: connection.address.withoutPeerID,
            signedPeerRecord: signedPeerRecord)
    }
}
