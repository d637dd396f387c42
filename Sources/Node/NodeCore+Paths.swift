import Channels
import DequeModule
import GossipSub
import NIOCore
import OrderedCollections
import Wire

/// Make before break: traffic moves from one connection to a better one to the same peer, whoever made it: from a relay
/// to WebRTC or TCP, and from WebRTC to TCP where both came to be (``NodeConnection/rank``).
///
/// New streams use the better one as soon as it is open. GossipSub, whose order counts, moves a heartbeat after the
/// better one was seen to work both ways: our stream on the old connection ends behind what is queued there, the one on
/// the new connection begins with the hello and our own messages of late, and a receiver reads the new one behind the
/// end of the old. So it gets every message in order even when the old connection breaks in the middle. The old
/// connection ends when another heartbeat has passed and no stream is left on it that matters.
///
/// Where nothing can be handed over, because the connection in use died, `NodeCore+Comebacks` has the rest.
extension NodeCore {
    /// A connection works both ways: worse ones to the same peer hand over to it, or it to a better one.
    func takeOver(_ connection: NodeConnection, now: NIODeadline) {
        guard let peer = connection.peer, connection.state == .open, !connection.isDoubtful else { return }
        let ways = openConnections(to: peer).filter { $0 !== connection && !$0.isDoubtful }
        for old in ways where old.rank < connection.rank { begin(old, handingOverTo: connection, now: now) }
        if let better = ways.filter({ $0.isProved && $0.rank > connection.rank }).max(by: { $0.rank < $1.rank }) {
            begin(connection, handingOverTo: better, now: now)
        }
        // One connection by TCP is enough: the other, if it is still being made, would hand over to it at once.
        if connection.rank > 1, let making = upgrade(to: peer) {
            close(making, reason: "another direct connection stands", now: now)
        }
    }

    private func begin(_ old: NodeConnection, handingOverTo connection: NodeConnection, now: NIODeadline) {
        switch old.succession {
        case .none: break
        // Nothing has moved yet: then straight to the best.
        case .proving(let id, _): guard connections[id].map({ $0.rank < connection.rank }) ?? true else { return }
        case .draining: return
        }
        if old.isRelayed { old.upgrade = .settled }
        connection.machine?.setKeepAlive(Limits.pathKeepAlive, now: now)
        old.succession = .proving(connection.id, until: now + Limits.pathProof)
        touch(old)
    }

    func successionIsDue(_ old: NodeConnection, now: NIODeadline) {
        guard let id = old.succession.successor, let new = connections[id], new.state == .open, !new.isDoubtful,
            let peer = old.peer
        else {
            old.succession = .none
            return
        }
        switch old.succession {
        case .none: break
        case .proving:
            guard moveGossip(from: old, to: new, of: peer, now: now) else {
                old.succession = .proving(id, until: now + Limits.pathProof)
                return
            }
            // Two ends that dialled each other at the same moment have two relayed connections: one change of path.
            if !isSuccessor(new, of: peer) {
                outputs.append(.event(.path(peer, from: old.transport, to: new.transport)))
            }
            old.hasHandedOver = true
            old.succession = .draining(id, check: now + Limits.pathProof, until: now + Limits.pathDrain)
        case .draining(_, _, let end):
            if now >= end {
                // What an application does there is not cut; anything else has had its time.
                guard isInUse(old) else { return retire(old, of: peer, now: now) }
                old.succession = .draining(id, check: .distantFuture, until: now + Limits.pathDrain)
            } else {
                old.succession = .draining(id, check: .distantFuture, until: end)
            }
            closeIfDrained(old, now: now)
        }
    }

    /// Whether an old connection to the peer has handed over to this one already.
    private func isSuccessor(_ new: NodeConnection, of peer: PeerID) -> Bool {
        openConnections(to: peer).contains { old in
            if case .draining(new.id, _, _) = old.succession { true } else { false }
        }
    }

    /// Our half of GossipSub goes over to a better connection. False: it cannot now.
    private func moveGossip(
        from old: NodeConnection, to new: NodeConnection, of peer: PeerID, now: NIODeadline
    ) -> Bool {
        guard let id = old.gossipOutbound, new.gossipOutbound == nil else { return true }
        let spoken = new.identified?.protocols ?? old.identified?.protocols
        guard openGossipStream(on: new, spoken: spoken, now: now) != nil else { return false }
        old.gossipOutbound = nil
        if let stream = old.streams[id] { closeWrite(stream, of: old, now: now) }
        router.handle(.peerMoved(peer, isNewStream: true), now: now)
        return true
    }

    /// Whether nothing but small talk is left on a connection that handed over, and it has had its time.
    func closeIfDrained(_ old: NodeConnection, now: NIODeadline) {
        guard case .draining(_, .distantFuture, _) = old.succession, old.state == .open, let peer = old.peer else {
            return
        }
        let isBusy = old.streams.values.contains { stream in
            switch stream.role {
            case .identify, .pushed, .ping, .pingResponder, .finished, .closing: false
            default: true
            }
        }
        if !isBusy { retire(old, of: peer, now: now) }
    }

    private func isInUse(_ connection: NodeConnection) -> Bool {
        connection.streams.values.contains { stream in
            switch stream.role {
            case .opening, .application, .perf, .perfServer: true
            default: false
            }
        }
    }

    private func retire(_ old: NodeConnection, of peer: PeerID, now: NIODeadline) {
        let successor = old.succession.successor.flatMap { connections[$0] }
        old.succession = .none
        close(old, reason: "\(successor?.transport ?? "a better connection") took over", now: now)
        // py-libp2p forgets what a peer subscribed to when any connection to it ends.
        if successor?.gossipOutbound != nil { router.handle(.peerMoved(peer), now: now) }
    }

    /// A better connection is over, or in doubt: what handed over to it is in use again, or hands over to another.
    func successorIsGone(_ connection: NodeConnection, of peer: PeerID, now: NIODeadline) {
        var isTold = false
        for old in openConnections(to: peer) where old.succession.successor == connection.id {
            if case .draining = old.succession, !isTold {
                isTold = true
                outputs.append(.event(.path(peer, from: connection.transport, to: old.transport)))
            }
            old.succession = .none
            old.hasHandedOver = false
            takeOver(old, now: now)
            touch(old)
        }
    }

    /// A relayed connection ended before its time: py-libp2p's do as soon as there is a better one.
    func handOverIsForced(from old: NodeConnection, of peer: PeerID) {
        guard old.isRelayed, !old.hasHandedOver, let new = openConnections(to: peer).first, !new.isRelayed,
            !new.isDoubtful, !isSuccessor(new, of: peer)
        else { return }
        outputs.append(.event(.path(peer, from: old.transport, to: new.transport)))
    }

    // MARK: Order

    /// Keeps bytes of a peer's new GossipSub stream while its old one may still bring something.
    func holdsGossip(
        _ bytes: ByteBuffer, on stream: NodeStream, of connection: NodeConnection, now: NIODeadline
    ) -> Bool {
        guard connection.gossipHold < .distantFuture, connection.gossipInbound == stream.id else { return false }
        stream.append(bytes)
        if stream.inbox.readableBytes > Limits.gossipHeld { giveUpOldGossip(before: connection, now: now) }
        return true
    }

    /// Worse connections on which a peer's former GossipSub stream has not ended.
    private func olderGossip(than connection: NodeConnection) -> [NodeConnection] {
        guard let peer = connection.peer else { return [] }
        return openConnections(to: peer).filter { $0.rank < connection.rank && $0.gossipInbound != nil }
    }

    /// The old stream ended, or was given up: what the new one brought counts now.
    func releaseGossip(of peer: PeerID, now: NIODeadline) {
        for connection in openConnections(to: peer) where olderGossip(than: connection).isEmpty {
            releaseGossip(on: connection, now: now)
        }
    }

    /// See ``releaseGossip(of:now:)``; on this connection.
    func releaseGossip(on connection: NodeConnection, now: NIODeadline) {
        guard connection.gossipHold < .distantFuture else { return }
        connection.gossipHold = .distantFuture
        guard let peer = connection.peer, let id = connection.gossipInbound, let stream = connection.streams[id] else {
            return
        }
        let held = stream.inbox
        stream.inbox = ByteBuffer()
        guard held.readableBytes > 0 else { return }
        connection.machine?.consumed(held.readableBytes, of: id, now: now)
        touch(connection)
        router.handle(.received(held, from: peer), now: now)
    }

    /// The old stream took too long.
    func giveUpOldGossip(before connection: NodeConnection, now: NIODeadline) {
        for old in olderGossip(than: connection) {
            guard let id = old.gossipInbound, let stream = old.streams[id] else { continue }
            reset(stream, of: old, now: now)
        }
        releaseGossip(on: connection, now: now)
    }
}
