import Channels
import GossipSub
import NIOCore
import OrderedCollections
import Wire

/// What is done when the way to a peer breaks: another is sought at once, and nothing that was said is lost.
///
///     direct ──8 s of silence──▶ in doubt ──relayed connection stands──▶ GossipSub starts anew there, the search for
///        ▲                         │ └─ something comes ─▶ direct         a direct one begins again
///        └── it takes over again ──┘ └─ 30 s of silence ─▶ closed
///     last connection lost ──▶ its relay is dialled again, with growing waits (``Comebacks``)
///
/// RFC 7675 gives a path thirty seconds. Nobody has to wait for them: a healthy path is silent for six seconds at most,
/// since consent is asked for every five and every second once an answer is missing. After eight, a spare connection
/// through the relay costs little, a false alarm changes nothing but the way, and the path keeps its thirty seconds.
/// Whatever was written to it in the meantime the router says again on the new stream: see ``RecentLines``.
extension NodeCore {
    /// A connection has said nothing for some seconds although it was asked, or says something again.
    func wentSilent(_ connection: NodeConnection, _ isSilent: Bool, now: NIODeadline) {
        guard connection.isSilent != isSilent, let peer = connection.peer, connection.state == .open else { return }
        connection.isSilent = isSilent
        log(.info, "the \(connection.transport) connection to \(peer.suffix()) \(isSilent ? "is silent" : "is back")")
        guard isSilent else {
            return isBack(connection, of: peer, now: now)
        }
        successorIsGone(connection, of: peer, now: now)
        if let other = openConnections(to: peer).first, !other.isDoubtful {
            let spoken = other.identified?.protocols ?? connection.identified?.protocols
            openGossip(on: other, spoken: spoken, now: now)
            if other.isRelayed { seekAnew(other, now: now) }
        } else {
            missed(peer, now: now)
        }
    }

    /// A direct connection is enough: who offered the one in its place says which of two stays, lest each end another.
    private func isBack(_ connection: NodeConnection, of peer: PeerID, now: NIODeadline) {
        // Its remote answers again: it works both ways, whatever the peer thought of it.
        connection.isAbandoned = false
        comebacks.found(peer, now: now)
        if let making = upgrade(to: peer), making.direction == .outbound {
            close(making, reason: "the connection before is back", now: now)
        }
        let others = openConnections(to: peer).filter { $0 !== connection && !$0.isDoubtful && !$0.isRelayed }
        if let other = others.first(where: \.isProved) {
            if other.direction == .outbound {
                close(connection, reason: "another direct connection is in its place", now: now)
            }
        } else {
            takeOver(connection, now: now)
        }
    }

    /// A relayed connection is all there is again.
    private func seekAnew(_ connection: NodeConnection, now: NIODeadline) {
        guard case .settled = connection.upgrade else { return }
        connection.upgrade = .none
        considerUpgrade(of: connection, now: now)
    }

    /// The way to a peer is lost: it is dialled again if it shares a room with us.
    func missed(_ peer: PeerID, now: NIODeadline) {
        guard phase == .running, openConnections(to: peer).allSatisfy(\.isDoubtful) else { return }
        let rooms = router.joined.filter { $0 != Self.discoveryTopic }
        guard rooms.contains(where: { router.isSubscribed(peer, to: $0) }) else { return }
        comebacks.missed(peer, now: now, entropy: &entropy)
    }

    func dialLost(now: NIODeadline) {
        for (peer, addresses) in comebacks.takeDue(now: now, entropy: &entropy) {
            if openConnections(to: peer).isEmpty {
                dialer.handle(.dial(peer, addresses, request: nil, isForced: true), now: now)
            } else if let address = addresses.first {
                dialSpare(address, to: peer, now: now)
            }
        }
    }

    /// Beside a connection that is in doubt; the dialer would take that one for good.
    private func dialSpare(_ address: Multiaddr, to peer: PeerID, now: NIODeadline) {
        let isUnderWay = connections.values.contains { $0.expected == peer && $0.circuit != nil && $0.state != .open }
        guard !isUnderWay, connections.count < Limits.connections,
            case .circuit(let relay, webRTC: false) = address.dialTarget, let name = relay.peerID
        else { return }
        let connection = addConnection(
            direction: .outbound, transport: "relay", address: address, attempt: nil, expected: peer)
        connection.circuit = CircuitPipe(relay: name, now: now)
        tell(connection, now: now)
        dialCircuit(connection, now: now)
    }
}
