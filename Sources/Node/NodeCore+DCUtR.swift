import Channels
import NIOCore
import OrderedCollections
import Wire

/// DCUtR: from a connection through a relay to a direct one, by dialling each other over TCP at the same moment.
///
///     initiator: plain dial ──▶ asking ─▶ dialing ─▶ asking … three times ──▶ given up
///     responder:                          dialing ──▶ given up
///     both:      a direct connection ──▶ settled, and the relayed one hands over (see `NodeCore+Paths`)
///
/// The side that was dialled through the relay begins, once identify told that the other takes part. Dials go out
/// from the port that we listen on, because that is the port that routers have a mapping for.
extension NodeCore {
    /// What goes on with one peer.
    struct Punch {
        enum Stage {
            /// Plain dials of addresses that anybody can dial.
            case direct(until: NIODeadline)
            case asking
            case dialing(until: NIODeadline)
            /// A direct connection stands.
            case settled
            case givenUp
        }
        let relayed: ConnectionID
        let isInitiator: Bool
        var stage: Stage
        var tries = 0
        /// Connections being made.
        var dials: [ConnectionID] = []
        /// Where the other side dials from.
        var addresses: [Multiaddr] = []

        var deadline: NIODeadline {
            switch stage {
            case .direct(let until), .dialing(let until): until
            case .asking, .settled, .givenUp: .distantFuture
            }
        }
    }

    var punchDeadline: NIODeadline { punches.values.reduce(.distantFuture) { min($0, $1.deadline) } }

    /// Where the other side is to dial: TCP addresses of ours that others see or reached.
    private var punchAddresses: [Multiaddr] {
        var seen: Set<Multiaddr> = []
        let all = reachable.probing.reachable + Array(reachable.observedTCP.values.reversed()) + mappedAddresses
        return Array(
            (all + listenAddresses).filter { isPunchable($0) && seen.insert($0).inserted }
                .prefix(Limits.holePunchAddresses))
    }

    func isPunchable(_ address: Multiaddr) -> Bool {
        guard case .tcp(.ip, let port) = address.dialTarget, port > 0 else { return false }
        return mayProbe(address)
    }

    /// Of what the other side says, what we dial: never private addresses, never our own.
    private func dialable(_ addresses: [Multiaddr]) -> [Multiaddr] {
        let own = OwnAddresses(listenAddresses)
        var seen: Set<Multiaddr> = []
        return Array(
            addresses.compactMap(\.withoutPeerID).filter {
                isPunchable($0) && !own.contain($0) && seen.insert($0).inserted
            }.prefix(Limits.holePunchAddresses))
    }

    // MARK: Beginning

    /// Identify answered on a relayed connection: begin, if it is our turn.
    func punch(_ connection: NodeConnection, _ info: IdentifyInfo, now: NIODeadline) {
        guard connection.circuit != nil, connection.direction == .inbound, punches[info.peer] == nil,
            info.protocols.contains(HolePunchInitiator.protocolID), punches.count < Limits.holePunches,
            directConnections(to: info.peer).isEmpty, configuration.punchesHoles
        else { return }
        let addresses = dialable(info.listenAddresses)
        guard !addresses.isEmpty || !punchAddresses.isEmpty else { return }
        punches[info.peer] = Punch(
            relayed: connection.id, isInitiator: true, stage: .direct(until: now + Limits.holePunchDirect))
        dial(addresses, of: info.peer, as: .dialer, now: now)
        if addresses.isEmpty { askForPunch(info.peer, now: now) }
    }

    private func askForPunch(_ peer: PeerID, now: NIODeadline) {
        guard var punch = punches[peer] else { return }
        let own = punchAddresses
        let role = HolePunchInitiator(addresses: own, now: now)
        guard punch.tries < Limits.holePunchTries, !own.isEmpty, let connection = connections[punch.relayed],
            let stream = open(
                [HolePunchInitiator.protocolID], on: connection, as: .punchInitiator(role), now: now)
        else { return giveUpPunch(peer, now: now) }
        punch.tries += 1
        punch.stage = .asking
        punches[peer] = punch
        write(role.opening, to: stream, of: connection, now: now)
    }

    private func giveUpPunch(_ peer: PeerID, now: NIODeadline) {
        guard punches[peer]?.isInitiator == true else {
            punches[peer] = nil
            return
        }
        punches[peer]?.stage = .givenUp
        log(.info, "no direct connection to \(peer.suffix()): it stays with the relay")
    }

    /// The other side begins.
    func punchAccepted(_ stream: NodeStream, on connection: NodeConnection, now: NIODeadline) {
        connection.punchesAnswered += 1
        guard connection.circuit != nil, connection.direction == .outbound, let peer = connection.peer,
            connection.punchesAnswered <= Limits.holePunchesAnswered, directConnections(to: peer).isEmpty,
            punches[peer] != nil || punches.count < Limits.holePunches
        else {
            stream.role = .finished
            return reset(stream, of: connection, now: now)
        }
        stream.role = .punchResponder(HolePunchResponder(addresses: punchAddresses, now: now))
    }

    // MARK: The streams

    func advancePunch(_ stream: NodeStream, of connection: NodeConnection, now: NIODeadline) {
        switch stream.role {
        case .punchInitiator(var machine):
            var action = machine.received(&stream.inbox, now: now)
            if action == .none, stream.isEnded { action = machine.closed() }
            stream.role = .punchInitiator(machine)
            perform(action, stream, of: connection, now: now)
        case .punchResponder(var machine):
            while true {
                var action = machine.received(&stream.inbox, now: now)
                if action == .none, stream.isEnded { action = machine.closed() }
                stream.role = .punchResponder(machine)
                guard perform(action, stream, of: connection, now: now) else { return }
            }
        default: break
        }
    }

    func punchTimedOut(_ stream: NodeStream, of connection: NodeConnection, now: NIODeadline) {
        switch stream.role {
        case .punchInitiator(var machine):
            let action = machine.timedOut(now: now)
            stream.role = .punchInitiator(machine)
            perform(action, stream, of: connection, now: now)
        case .punchResponder(var machine):
            let action = machine.timedOut(now: now)
            stream.role = .punchResponder(machine)
            perform(action, stream, of: connection, now: now)
        default: break
        }
    }

    private func perform(
        _ action: HolePunchInitiator.Action, _ stream: NodeStream, of connection: NodeConnection, now: NIODeadline
    ) {
        switch action {
        case .none: break
        case .write(let bytes): write(bytes, to: stream, of: connection, now: now)
        case .dial(let addresses):
            stream.role = .finished
            closeWrite(stream, of: connection, now: now)
            guard let peer = connection.peer, case .asking? = punches[peer]?.stage else { return }
            startPunching(peer, at: dialable(addresses), now: now)
        case .failed(let error):
            stream.role = .finished
            reset(stream, of: connection, now: now)
            punchStreamFailed(error, on: connection, now: now)
        }
    }

    @discardableResult
    private func perform(
        _ action: HolePunchResponder.Action, _ stream: NodeStream, of connection: NodeConnection, now: NIODeadline
    ) -> Bool {
        switch action {
        case .none: return false
        case .write(let bytes):
            write(bytes, to: stream, of: connection, now: now)
            return true
        case .dial(let addresses):
            stream.role = .finished
            closeWrite(stream, of: connection, now: now)
            guard let peer = connection.peer, directConnections(to: peer).isEmpty else { return false }
            if let old = punches[peer] { drop(old.dials, now: now) }
            punches[peer] = Punch(relayed: connection.id, isInitiator: false, stage: .asking)
            startPunching(peer, at: dialable(addresses), now: now)
            return false
        case .failed:
            stream.role = .finished
            reset(stream, of: connection, now: now)
            return false
        }
    }

    func punchStreamFailed(_ error: HolePunchError, on connection: NodeConnection, now: NIODeadline) {
        guard let peer = connection.peer, let punch = punches[peer], punch.isInitiator, case .asking = punch.stage
        else { return }
        log(.debug, "\(peer.suffix()): no agreement on a direct connection: \(error)")
        giveUpPunch(peer, now: now)
    }

    // MARK: The dials

    private func startPunching(_ peer: PeerID, at addresses: [Multiaddr], now: NIODeadline) {
        guard let isInitiator = punches[peer]?.isInitiator else { return }
        punches[peer]?.stage = .dialing(until: now + Limits.holePunchDial)
        punches[peer]?.addresses = addresses
        // Who asked is the one that was dialled, to Noise and Yamux: the other side counts on it.
        dial(addresses, of: peer, as: isInitiator ? .listener : .dialer, now: now)
        if addresses.isEmpty { punchFailed(peer, now: now) }
    }

    private func dial(_ addresses: [Multiaddr], of peer: PeerID, as role: Role, now: NIODeadline) {
        for address in addresses where connections.count < mostConnections {
            let connection = addConnection(
                direction: .outbound, transport: "tcp", address: address, attempt: nil, expected: peer)
            connection.punchRole = role
            punches[peer]?.dials.append(connection.id)
            outputs.append(.connectFromListener(connection.id, to: address))
        }
    }

    /// As whom to greet a pipe that a listener accepted: its SYN may be the other half of our own dial.
    func roleOfPunch(from address: Multiaddr) -> (role: Role, peer: PeerID?) {
        for (peer, punch) in punches where !punch.isInitiator {
            if case .dialing = punch.stage, punch.addresses.contains(address) { return (.dialer, peer) }
        }
        return (.listener, nil)
    }

    /// A connection ended: a dial that failed, or the relayed one.
    func punchLost(_ connection: NodeConnection, now: NIODeadline) {
        for (peer, punch) in punches {
            if punch.relayed == connection.id {
                punches[peer] = nil
                if case .settled = punch.stage { return }
                return drop(punch.dials, now: now)
            }
            guard let index = punch.dials.firstIndex(of: connection.id) else { continue }
            punches[peer]?.dials.remove(at: index)
            if punches[peer]?.dials.isEmpty == true { punchFailed(peer, now: now) }
            return
        }
    }

    /// All dials of a try failed, or took too long.
    private func punchFailed(_ peer: PeerID, now: NIODeadline) {
        guard let punch = punches[peer] else { return }
        switch punch.stage {
        case .direct: askForPunch(peer, now: now)
        case .dialing where punch.isInitiator: askForPunch(peer, now: now)
        case .dialing: punches[peer] = nil
        case .asking, .settled, .givenUp: break
        }
    }

    private func drop(_ dials: [ConnectionID], now: NIODeadline) {
        for id in dials {
            guard let connection = connections[id], connection.state != .open else { continue }
            close(connection, reason: "another way was found", now: now)
        }
    }

    func punchesTimedOut(now: NIODeadline) {
        for (peer, punch) in punches where punch.deadline <= now {
            switch punch.stage {
            case .direct, .dialing:
                punches[peer]?.dials = []
                drop(punch.dials, now: now)
                punchFailed(peer, now: now)
            case .asking, .settled, .givenUp: break
            }
        }
    }

    // MARK: The end

    /// A direct connection stands, whoever's dial it was.
    func punchSucceeded(_ connection: NodeConnection, _ peer: PeerID, now: NIODeadline) {
        guard connection.circuit == nil, let punch = punches[peer] else { return }
        if case .settled = punch.stage { return }
        punches[peer]?.dials = []
        punches[peer]?.stage = .settled
        drop(punch.dials.filter { $0 != connection.id }, now: now)
        log(.info, "a direct connection to \(peer.suffix()) takes over from the relay")
    }
}
