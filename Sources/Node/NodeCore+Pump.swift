import Channels
import DequeModule
import GossipSub
package import NIOCore
import OrderedCollections
import Wire

/// Moving what the machines say to where it belongs, until nobody has anything more to say.
extension NodeCore {
    package var deadline: NIODeadline {
        guard phase != .left else { return .distantFuture }
        var earliest = min(dialer.deadline, router.deadline, resolver.deadline, searches.deadline)
        earliest = min(earliest, reachable.probing.deadline, punchDeadline, comebacks.deadline)
        if let mdns { earliest = min(earliest, mdns.deadline) }
        earliest = min(earliest, discovery?.deadline ?? .distantFuture, bootstrap?.deadline ?? .distantFuture)
        earliest = min(earliest, relayClient.deadline, relayServer?.deadline ?? .distantFuture)
        if case .leaving(_, let end) = phase { earliest = min(earliest, end) }
        for time in deferredDials.values { earliest = min(earliest, time) }
        return min(earliest, connectionDeadline)
    }

    func tick(now: NIODeadline) {
        if dialer.deadline <= now { dialer.handle(.tick, now: now) }
        if router.deadline <= now { router.handle(.tick, now: now) }
        if resolver.deadline <= now { resolver.handle(.tick, now: now) }
        if searches.deadline <= now { searches.tick(now: now) }
        if punchDeadline <= now { punchesTimedOut(now: now) }
        if comebacks.deadline <= now { dialLost(now: now) }
        if reachable.probing.deadline <= now { reachable.probing.handle(.tick, now: now) }
        if let deadline = mdns?.deadline, deadline <= now { mdns?.handle(.tick, now: now) }
        if let deadline = discovery?.deadline, deadline <= now { discovery?.handle(.tick, now: now) }
        if let deadline = bootstrap?.deadline, deadline <= now { bootstrap?.handle(.tick, now: now) }
        if relayClient.deadline <= now { relayClient.handle(.tick, now: now) }
        if let deadline = relayServer?.deadline, deadline <= now { relayServer?.handle(.tick, now: now) }
        for (peer, time) in deferredDials where time <= now {
            deferredDials[peer] = nil
            dialKnown(peer, now: now)
        }
        if connectionDeadline <= now { connectionsAreDue(now: now) }
        if case .leaving(_, let end) = phase, end <= now { leave(now: now) }
    }

    private func connectionsAreDue(now: NIODeadline) {
        connectionDeadline = .distantFuture
        for connection in connections.values {
            guard connection.deadline <= now else {
                connectionDeadline = min(connectionDeadline, connection.deadline)
                continue
            }
            if let machine = connection.machine, machine.deadline <= now { machine.tick(now: now) }
            if connection.fallback <= now { tryVersionTwo(connection, now: now) }
            if connection.circuit != nil { warn(of: connection.id, now: now) }
            streamsTimedOut(on: connection, now: now)
            if connection.upgrade.deadline <= now { upgradeIsDue(connection, now: now) }
            if connection.succession.deadline <= now { successionIsDue(connection, now: now) }
            touch(connection)
        }
    }

    /// Local work before remote work: each pass empties every machine, and ends when a pass found nothing.
    func pump(now: NIODeadline) {
        var isBusy = true
        while isBusy {
            isBusy = false
            while let connection = touched.popFirst() {
                isBusy = true
                connection.isTouched = false
                drain(connection, now: now)
                connection.refreshDeadline()
                connectionDeadline = min(connectionDeadline, connection.deadline)
            }
            while let output = router.poll() {
                isBusy = true
                perform(output, now: now)
            }
            while let output = dialer.poll() {
                isBusy = true
                perform(output, now: now)
            }
            while let output = resolver.poll() {
                isBusy = true
                perform(output, now: now)
            }
            while let output = relayClient.poll() {
                isBusy = true
                perform(output, now: now)
            }
            while let output = relayServer?.poll() {
                isBusy = true
                perform(output, now: now)
            }
            while let output = reachable.probing.poll() {
                isBusy = true
                perform(output, now: now)
            }
            while let (search, output) = searches.poll() {
                isBusy = true
                perform(output, of: search, now: now)
            }
            while let output = mdns?.poll() {
                isBusy = true
                perform(output, now: now)
            }
            while let output = discovery?.poll() {
                isBusy = true
                perform(output, now: now)
            }
            while let output = bootstrap?.poll() {
                isBusy = true
                perform(output, now: now)
            }
        }
        leaveWhenDone(now: now)
    }

    /// The machine may be replaced, or end, in the middle.
    private func drain(_ connection: NodeConnection, now: NIODeadline) {
        while let machine = connection.machine {
            switch machine {
            case .pipe(let machine):
                guard let output = machine.poll() else { return }
                perform(output, of: connection, now: now)
            case .direct(let machine):
                guard let output = machine.poll() else { return }
                perform(output, of: connection, now: now)
            }
        }
    }

    func perform(_ output: Connection.Output, of connection: NodeConnection, now: NIODeadline) {
        switch output {
        case .send(let bytes):
            if let circuit = connection.circuit {
                send(bytes, through: circuit, of: connection, now: now)
            } else {
                outputs.append(.send(connection.id, bytes))
            }
        case .established(let peer): established(connection, peer, now: now)
        case .streamOpened(let id, let name): streamOpened(id, name, on: connection, now: now)
        case .streamRefused(let id, let refusal): streamRefused(id, refusal, on: connection, now: now)
        case .streamAccepted(let id, let name): streamAccepted(id, name, on: connection, now: now)
        case .received(let id, let bytes): streamReceived(id, bytes, on: connection, now: now)
        case .endOfStream(let id): streamReachedEnd(id, on: connection, now: now)
        case .streamClosed(let id, let end):
            guard let stream = connection.streams.removeValue(forKey: id) else { return }
            streamEnded(stream, of: connection, reset: end != .finished, now: now)
        case .writable(let id): streamWritable(id, on: connection, now: now)
        case .roundTrip(let time):
            connection.roundTrip = time
            tell(connection, now: now)
        case .closed(let error): finish(connection, reason: error.map(reason(of:)), now: now)
        }
    }
}
