import ICE
import NIOCore
import OrderedCollections
import Wire

/// Servers of STUN and TURN: their names, and what comes of them.
extension NodeCore {
    /// Whether a search for a direct path had better wait a moment: without servers a peer behind a NAT does not know
    /// how it looks from outside, or has nobody to relay.
    var awaitsServers: Bool {
        pathServers.stun.isEmpty && !configuration.stunServers.isEmpty || pathServers.awaitsTURN
    }

    /// Looks the servers' names up; those that are numbers need none.
    ///
    /// TURN servers are the user's own and asked for at the start, so that nothing waits for a name that leads nowhere;
    /// STUN servers are strangers, who need not know of a peer that has nothing to ask them.
    func resolveServers(turnOnly: Bool = false, now: NIODeadline) {
        guard engines != nil, configuration.seeksDirectPaths else { return }
        for (index, account) in configuration.turnServers.prefix(Limits.turnServers).enumerated()
        where pathServers.looksUp(index) {
            if let ip = IPAddress(account.server.host) {
                pathServers.found(index, at: [account.server(at: ip)])
            } else if let address = Multiaddr(server: account.server) {
                resolver.handle(.resolve(address, .turn(index)), now: now)
            } else {
                pathServers.found(index, at: [])
            }
        }
        guard !turnOnly, pathServers.stun.isEmpty else { return }
        for server in configuration.stunServers.prefix(Limits.iceServers) {
            if let ip = IPAddress(server.host) {
                pathServers.add(stun: TransportAddress(ip, port: server.port))
            } else if let address = Multiaddr(server: server) {
                resolver.handle(.resolve(address, .stun), now: now)
            }
        }
    }

    func stunResolved(_ addresses: [Multiaddr], now: NIODeadline) {
        for address in addresses {
            guard let ip = address.ip, let port = address.components.last?.port else { continue }
            pathServers.add(stun: TransportAddress(ip, port: port))
        }
        serversChanged(now: now)
    }

    func turnResolved(_ index: Int, _ addresses: [Multiaddr], reason: String, now: NIODeadline) {
        guard configuration.turnServers.indices.contains(index) else { return }
        let account = configuration.turnServers[index]
        let ips = addresses.compactMap(\.ip)
        let first = ips.first
        let chosen = [first, ips.first { ip in first.map { !$0.isSameVersion(as: ip) } ?? false }]
        pathServers.found(index, at: chosen.compactMap(\.self).map(account.server(at:)))
        if ips.isEmpty { complain("the TURN server \(account.server.host) was not found: \(reason)") }
        serversChanged(now: now)
    }

    /// Who waited for the names need not wait any longer.
    private func serversChanged(now: NIODeadline) {
        guard !awaitsServers else { return }
        for connection in connections.values where connection.direction == .outbound && connection.upgradeTries == 0 {
            if case .waiting = connection.upgrade { upgradeIsDue(connection, now: now) }
        }
    }

    /// A TURN server gives a connection no address. Others may, and most connections need none: that is no failure, but
    /// the user may want to know.
    func relayFailed(_ server: TURNServer, _ error: TURNError) {
        let place = "\(server.address) over \(server.transport == .tcp ? "TCP" : "UDP")"
        complain("the TURN server at \(place) \(error.words)")
    }

    /// Once for each thing there is to say.
    private func complain(_ words: String) {
        if pathServers.isNews(words) { log(.warning, words) }
    }

    /// What happened to a TCP connection to a TURN server.
    func relayPipe(_ pipe: TURNPipe.ID, of id: ConnectionID, _ event: TURNPipe.Event, now: NIODeadline) {
        guard let direct = connections[id], case .direct(let machine)? = direct.machine else { return }
        machine.handle(.relayPipe(pipe, event), now: now)
        touch(direct)
    }
}

extension Multiaddr {
    /// A server as something whose name can be looked up; nil when that is no name.
    fileprivate init?(server: ServerAddress) {
        guard let name = try? Multiaddr.Component(.dns, server.host),
            let address = try? Multiaddr([name, .udp(server.port)])
        else { return nil }
        self = address
    }
}
