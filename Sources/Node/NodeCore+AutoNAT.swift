import Channels
import DequeModule
import NIOCore
import OrderedCollections
import Wire

/// AutoNAT v2: asking others which of our addresses they reach, and reaching out for others.
extension NodeCore {
    /// What the node knows about being reachable, and what it does for others who want to know.
    struct ReachabilityState {
        var probing: AutoNATProbing
        var limits = AutoNATGuard()
        var observed = ObservedHosts()
        /// Our TCP address as each of the newest few peers sees it, which is worth a try when a hole is punched.
        var observedTCP: OrderedDictionary<PeerID, Multiaddr> = [:]
    }

    /// A connection made only to prove that an address leads to its peer, and whose request that was.
    struct DialBack {
        let connection: ConnectionID
        let stream: StreamID
        let nonce: UInt64
        var isReported = false
    }

    /// Whether strangers can reach this node, as servers of AutoNAT found out.
    package var reachability: Reachability { reachable.probing.overall }

    /// Whether reservations with relays are worth having: nobody reaches this node, as far as it knows.
    package var wantsReservations: Bool {
        switch reachability {
        case .public: false
        case .private: true
        case .unknown:
            reachable.probing.isDoubtful || !worthwhileAddresses.contains { $0.ip?.isPublic == true }
        }
    }

    /// Own addresses that are worth telling: what servers could not reach is left out, what they reached behind a
    /// mapped port is added; what the owner gave stays.
    var worthwhileAddresses: [Multiaddr] {
        var addresses = listenAddresses.filter { reachable.probing.status(of: $0) != .private }
        for address in configuration.externalAddresses.compactMap(\.withoutPeerID) + reachable.probing.reachable
        where !addresses.contains(address) {
            addresses.append(address)
        }
        return addresses
    }

    // MARK: Asking

    /// What may be asked about has changed: where we listen, or where others see us.
    func updateProbing(now: NIODeadline) {
        var addresses = configuration.externalAddresses.compactMap(\.withoutPeerID)
        addresses += listenAddresses + mappedAddresses
        var seen: Set<Multiaddr> = []
        let worth = addresses.filter { mayProbe($0) && seen.insert($0).inserted }
        reachable.probing.handle(.addresses(worth), now: now)
    }

    /// Our ports at the IP addresses that others see: what a forwarded port of a router would make of us.
    var mappedAddresses: [Multiaddr] {
        let ips = reachable.observed.agreed(by: configuration.probesPrivateAddresses ? 1 : Limits.observersNeeded)
        return ips.flatMap { ip in
            listenAddresses.compactMap { address in
                guard case .tcp(.ip(let own), let port) = address.dialTarget, own.isSameVersion(as: ip),
                    !own.isLoopback
                else { return nil }
                return Multiaddr(ip, tcp: port)
            }
        }
    }

    func mayProbe(_ address: Multiaddr) -> Bool {
        guard let ip = address.ip, !address.isCircuit, address.dialTarget != .unsupported else { return false }
        return ip.isPublic || (configuration.probesPrivateAddresses && !ip.isUnspecified && !ip.isMulticast)
    }

    /// Identify brought something: whether the peer serves, and where it sees us.
    func identifiedForReachability(_ info: IdentifyInfo, on connection: NodeConnection, now: NIODeadline) {
        guard connection.circuit == nil else { return }
        if info.protocols.contains(AutoNAT.requestProtocol) { reachable.probing.handle(.server(info.peer), now: now) }
        guard let observed = info.observedAddress, !observed.isCircuit, let ip = observed.ip?.unmapped,
            mayProbe(Multiaddr(ip, tcp: 1))
        else { return }
        if case .tcp = observed.dialTarget, connection.direction == .outbound, let bare = observed.withoutPeerID {
            reachable.observedTCP[info.peer] = nil
            if reachable.observedTCP.count >= Limits.observedAddresses { reachable.observedTCP.removeFirst() }
            reachable.observedTCP[info.peer] = bare
        }
        guard !listenAddresses.contains(where: { $0.ip == ip })
        else { return }
        reachable.observed.saw(ip, by: info.peer)
        updateProbing(now: now)
    }

    func perform(_ output: AutoNATProbing.Output, now: NIODeadline) {
        switch output {
        case .probe(let server, let addresses, let nonce):
            let client = AutoNATClient(addresses: addresses, nonce: nonce, now: now)
            guard let connection = directConnections(to: server).first,
                let stream = open([AutoNAT.requestProtocol], on: connection, as: .autoNATClient(client), now: now)
            else { return reachable.probing.handle(.failed, now: now) }
            write(client.question, to: stream, of: connection, now: now)
        case .changed(let address, let status):
            outputs.append(.event(.reachability(address, status)))
            addressesChanged(now: now)
        }
    }

    func advanceAutoNATClient(_ stream: NodeStream, of connection: NodeConnection, now: NIODeadline) {
        while case .autoNATClient(var machine) = stream.role {
            var action = machine.received(&stream.inbox)
            if action == .none, stream.isEnded { action = machine.closed() }
            stream.role = .autoNATClient(machine)
            switch action {
            case .none: return
            case .write(let bytes): write(bytes, to: stream, of: connection, now: now)
            case .dialed, .refused:
                stream.role = .finished
                autoNATClientEnded(action, now: now)
                return closeWrite(stream, of: connection, now: now)
            case .failed:
                stream.role = .finished
                autoNATClientEnded(action, now: now)
                return reset(stream, of: connection, now: now)
            }
        }
    }

    func autoNATClientEnded(_ action: AutoNATClient.Action, now: NIODeadline) {
        switch action {
        case .none, .write: break
        case .dialed(let index, let status): reachable.probing.handle(.verdict(index: index, status), now: now)
        case .refused(let status):
            log(.debug, "AutoNAT: not tried: \(status)")
            reachable.probing.handle(.failed, now: now)
        case .failed(let error):
            log(.debug, "AutoNAT: no answer: \(error)")
            reachable.probing.handle(.failed, now: now)
        }
    }

    func advanceDialBackListener(_ stream: NodeStream, of connection: NodeConnection, now: NIODeadline) {
        guard case .dialBackListener(var machine) = stream.role else { return }
        var action = machine.received(&stream.inbox)
        if action == .none, stream.isEnded { action = machine.closed() }
        stream.role = .dialBackListener(machine)
        switch action {
        case .none: return
        case .heard(let nonce):
            stream.role = .finished
            guard connection.direction == .inbound, connection.circuit == nil, let time = connection.openedAt,
                reachable.probing.dialedBack(nonce: nonce, onConnectionOf: time)
            else { return reset(stream, of: connection, now: now) }
            write(DialBackMessage.response, to: stream, of: connection, now: now)
            closeWrite(stream, of: connection, now: now)
        case .failed:
            stream.role = .finished
            reset(stream, of: connection, now: now)
        }
    }

    // MARK: Serving

    func advanceAutoNATServer(_ stream: NodeStream, of connection: NodeConnection, now: NIODeadline) {
        while case .autoNATServer(var machine, let isCounted) = stream.role {
            var action = machine.received(&stream.inbox, now: now)
            if action == .none, stream.isEnded { action = machine.closed() }
            stream.role = .autoNATServer(machine, isCounted: isCounted)
            if case .requested(let addresses, _) = action {
                let decision = decide(addresses, stream, of: connection, now: now)
                guard case .autoNATServer(_, let isCounted) = stream.role else { return }
                action = machine.decide(decision, now: now)
                stream.role = .autoNATServer(machine, isCounted: isCounted)
            }
            guard perform(action, stream, of: connection, now: now) else { return }
        }
    }

    /// - Returns: whether the machine wants to be asked for more.
    private func perform(
        _ action: AutoNATServer.Action, _ stream: NodeStream, of connection: NodeConnection, now: NIODeadline
    ) -> Bool {
        switch action {
        case .none, .requested: return false
        case .write(let bytes):
            write(bytes, to: stream, of: connection, now: now)
            return true
        case .dial(let address, let nonce):
            dialBack(to: address, nonce: nonce, for: stream, of: connection, now: now)
            return true
        case .finish(let bytes):
            autoNATServerEnded(stream, of: connection, now: now)
            stream.role = .finished
            write(bytes, to: stream, of: connection, now: now)
            closeWrite(stream, of: connection, now: now)
            return false
        case .failed:
            autoNATServerEnded(stream, of: connection, now: now)
            stream.role = .finished
            reset(stream, of: connection, now: now)
            return false
        }
    }

    /// Which address is dialled, if any, and what it costs the asker when it is not where the asker is.
    private func decide(
        _ addresses: [Multiaddr?], _ stream: NodeStream, of connection: NodeConnection, now: NIODeadline
    ) -> AutoNATServer.Decision {
        guard let peer = connection.peer, connection.circuit == nil, let observed = connection.address.ip,
            reachable.limits.mayAsk(peer, now: now)
        else { return .refuse(.rejected) }
        if case .autoNATServer(let machine, _) = stream.role { stream.role = .autoNATServer(machine, isCounted: true) }
        guard let index = addresses.firstIndex(where: { $0.map(mayDialBack) ?? false }), let address = addresses[index]
        else { return .refuse(.dialRefused) }
        guard address.ip?.unmapped != observed.unmapped else { return .dial(index: index) }
        guard reachable.limits.mayDemandData(now: now) else { return .refuse(.rejected) }
        let bytes = Int.random(in: Limits.autoNATDataLeast...Limits.autoNATDataMost, using: &entropy)
        return .demand(index: index, bytes: bytes)
    }

    /// Only TCP at a public address, whatever strangers ask for.
    private func mayDialBack(_ address: Multiaddr) -> Bool {
        guard case .tcp(.ip, let port) = address.dialTarget, port > 0 else { return false }
        return mayProbe(address) && !OwnAddresses(listenAddresses).contain(address)
    }

    private func dialBack(
        to address: Multiaddr, nonce: UInt64, for stream: NodeStream, of connection: NodeConnection, now: NIODeadline
    ) {
        guard connections.count < mostConnections, let peer = connection.peer, let bare = address.withoutPeerID
        else {
            return dialBackEnded(
                DialBack(connection: connection.id, stream: stream.id, nonce: nonce), .dialError, now: now)
        }
        let made = addConnection(
            direction: .outbound, transport: "tcp", address: bare, attempt: nil, expected: peer)
        made.dialBack = DialBack(connection: connection.id, stream: stream.id, nonce: nonce)
        outputs.append(.connect(made.id, to: bare))
    }

    /// The connection stands, from a key of its own: the address leads to the asker.
    func dialBackEstablished(_ connection: NodeConnection, now: NIODeadline) {
        guard let dialBack = connection.dialBack else { return }
        let role = StreamRole.dialBackCall(DialBackCall(now: now))
        guard let stream = open([AutoNAT.dialBackProtocol], on: connection, as: role, now: now) else {
            return endDialBack(connection, .dialBackError, now: now)
        }
        write(DialBackMessage.frame(nonce: dialBack.nonce), to: stream, of: connection, now: now)
        closeWrite(stream, of: connection, now: now)
    }

    func advanceDialBackCall(_ stream: NodeStream, of connection: NodeConnection, now: NIODeadline) {
        guard case .dialBackCall(var machine) = stream.role else { return }
        var action = machine.received(&stream.inbox)
        if action == .none, stream.isEnded { action = machine.closed() }
        stream.role = .dialBackCall(machine)
        guard case .finished(let status) = action else { return }
        stream.role = .finished
        endDialBack(connection, status, now: now)
    }

    /// The proof is made, or there is none; the connection has served.
    func endDialBack(_ connection: NodeConnection, _ status: AutoNATDialStatus, now: NIODeadline) {
        guard let dialBack = connection.dialBack, !dialBack.isReported else { return }
        connection.dialBack?.isReported = true
        dialBackEnded(dialBack, status, now: now)
        close(connection, reason: nil, now: now)
    }

    private func dialBackEnded(_ dialBack: DialBack, _ status: AutoNATDialStatus, now: NIODeadline) {
        guard let connection = connections[dialBack.connection], let stream = connection.streams[dialBack.stream],
            case .autoNATServer(var machine, let isCounted) = stream.role
        else { return }
        let action = machine.dialed(status)
        stream.role = .autoNATServer(machine, isCounted: isCounted)
        _ = perform(action, stream, of: connection, now: now)
    }

    /// A request is over, however: it is no longer counted, and nothing is dialled for it.
    func autoNATServerEnded(_ stream: NodeStream, of connection: NodeConnection, now: NIODeadline) {
        guard case .autoNATServer(_, true) = stream.role, let peer = connection.peer else { return }
        reachable.limits.ended(peer)
        for other in connections.values {
            guard let dialBack = other.dialBack, !dialBack.isReported, dialBack.connection == connection.id,
                dialBack.stream == stream.id
            else { continue }
            other.dialBack?.isReported = true
            close(other, reason: nil, now: now)
        }
    }

    /// A request took too long: the asker hears so, if a dial was what took the time.
    func autoNATServerTimedOut(_ stream: NodeStream, of connection: NodeConnection, now: NIODeadline) {
        guard case .autoNATServer(var machine, let isCounted) = stream.role else { return }
        let action = machine.timedOut(now: now)
        stream.role = .autoNATServer(machine, isCounted: isCounted)
        _ = perform(action, stream, of: connection, now: now)
    }
}
