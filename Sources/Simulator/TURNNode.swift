import ICE
package import NIOCore
package import Wire

/// A STUN and TURN server for simulations (RFC 8489, RFC 8656): Binding, Allocate, Refresh, CreatePermission,
/// ChannelBind, indications and ChannelData, long-term credentials, nonces that go stale.
///
///     unknown client ──Allocate, 401──▶ challenged ──Allocate, signed──▶ allocated ──Refresh 0, or time──▶ unknown
///
/// A datagram goes in, those that follow from it come out; what is over by time is over when somebody asks for it, so
/// there is no deadline. It is not for the real world: every client is believed to mean well, `Limits` bound nothing
/// but `Limits.turnPermissions` and ports.
package struct TURNNode {
    /// A datagram to be sent.
    package struct Sending {
        package let bytes: ByteBuffer
        /// The server's own address, or a relayed one.
        package let source: TransportAddress
        package let target: TransportAddress
    }

    private struct Allocation {
        let client: TransportAddress
        let relayed: TransportAddress
        var until: NIODeadline
        var permissions: [IPAddress: NIODeadline] = [:]
        var channels: [UInt16: TransportAddress] = [:]
    }

    /// Where it is asked.
    package let address: TransportAddress
    /// Who may allocate, with passwords; nobody: only STUN.
    package var accounts: [String: String]
    /// What a client may ask for at most, seconds.
    package var longestLifetime: UInt32 = 600
    /// Instead of allocating, answers with this error.
    package var refusal: UInt16?
    /// Datagrams that were relayed, both ways.
    package private(set) var relayedDatagrams = 0

    private static let realm = "simulated"
    private var nonce = "nonce 1"
    private var nonces = 1
    private var byClient: [TransportAddress: Allocation] = [:]
    private var clients: [TransportAddress: TransportAddress] = [:]
    private var lastPort: UInt16 = 49_151

    package init(at address: TransportAddress, accounts: [String: String] = [:]) {
        (self.address, self.accounts) = (address, accounts)
    }

    /// How many allocations there are at a time.
    package func allocations(now: NIODeadline) -> Int { byClient.values.count { now < $0.until } }

    /// Nonces given out so far are no longer taken.
    package mutating func renewNonce() {
        nonces += 1
        nonce = "nonce \(nonces)"
    }

    /// Forgets all allocations, as a server does that was restarted.
    package mutating func restart() { (byClient, clients) = ([:], [:]) }

    /// Whether datagrams for `address` are for this server.
    package func isAt(_ address: TransportAddress) -> Bool { self.address == address || clients[address] != nil }

    /// A datagram came to the server's address or to a relayed one.
    package mutating func received(
        _ datagram: ByteBuffer, from source: TransportAddress, at target: TransportAddress, now: NIODeadline
    ) -> [Sending] {
        guard target == address else { return relay(datagram, from: source, at: target, now: now) }
        if let data = ChannelData(parsing: datagram) { return sent(data, by: source, now: now) }
        guard let message = try? STUNMessage(parsing: datagram) else { return [] }
        switch (message.method, message.messageClass) {
        case (.binding, .request): return answer(message, to: source, .success, [.xorMappedAddress(source)])
        case (.send, .indication): return indicated(message, by: source, now: now)
        case (_, .request): return requested(message, by: source, now: now)
        default: return []
        }
    }

    // MARK: Requests

    private func answer(
        _ message: STUNMessage, to source: TransportAddress, _ messageClass: STUNMessage.Class,
        _ attributes: [STUNAttribute], key: STUNKey? = nil
    ) -> [Sending] {
        let bytes = STUNMessage(
            messageClass, message.method, transaction: message.transaction, attributes: attributes
        ).encoded(key: key)
        return [Sending(bytes: bytes, source: address, target: source)]
    }

    private mutating func requested(
        _ message: STUNMessage, by source: TransportAddress, now: NIODeadline
    ) -> [Sending] {
        let challenge: [STUNAttribute] = [.realm(Self.realm), .nonce(nonce)]
        func refuse(_ number: UInt16, key: STUNKey? = nil) -> [Sending] {
            let extra = number == 401 || number == 438 ? challenge : []
            return answer(message, to: source, .error, [.errorCode(STUNErrorCode(number, "refused"))] + extra, key: key)
        }
        guard let user = message.username, let password = accounts[user], message.realm == Self.realm else {
            return refuse(401)
        }
        let key = STUNKey(username: user, realm: Self.realm, password: password)
        guard message.isAuthentic(by: key) else { return refuse(401) }
        guard message.nonce == nonce else { return refuse(438) }
        if byClient[source].map({ now >= $0.until }) ?? false { release(source) }
        switch message.method {
        case .allocate:
            if let refusal { return refuse(refusal, key: key) }
            return allocate(message, for: source, key: key, now: now)
        case .refresh:
            guard byClient[source] != nil else { return refuse(437, key: key) }
            let lifetime = min(message.lifetime ?? longestLifetime, longestLifetime)
            byClient[source]?.until = now + .seconds(Int64(lifetime))
            if lifetime == 0 { release(source) }
            return answer(message, to: source, .success, [.lifetime(lifetime)], key: key)
        case .createPermission:
            guard byClient[source] != nil, let peer = message.xorPeerAddress else { return refuse(437, key: key) }
            byClient[source]?.permissions[peer.ip] = now + .seconds(300)
            return answer(message, to: source, .success, [], key: key)
        case .channelBind:
            guard byClient[source] != nil, let peer = message.xorPeerAddress, let number = message.channelNumber else {
                return refuse(400, key: key)
            }
            if let bound = byClient[source]?.channels[number], bound != peer { return refuse(400, key: key) }
            byClient[source]?.channels[number] = peer
            byClient[source]?.permissions[peer.ip] = now + .seconds(300)
            return answer(message, to: source, .success, [], key: key)
        default: return refuse(400, key: key)
        }
    }

    private mutating func allocate(
        _ message: STUNMessage, for source: TransportAddress, key: STUNKey, now: NIODeadline
    ) -> [Sending] {
        let lifetime = min(message.lifetime ?? longestLifetime, longestLifetime)
        if byClient[source] == nil {
            lastPort = lastPort == .max ? 49_152 : lastPort + 1
            let relayed = TransportAddress(address.ip, port: lastPort)
            byClient[source] = Allocation(client: source, relayed: relayed, until: now + .seconds(Int64(lifetime)))
            clients[relayed] = source
        }
        guard let allocation = byClient[source] else { return [] }
        let attributes: [STUNAttribute] = [
            .xorRelayedAddress(allocation.relayed), .lifetime(lifetime), .xorMappedAddress(source),
        ]
        return answer(message, to: source, .success, attributes, key: key)
    }

    private mutating func release(_ client: TransportAddress) {
        guard let allocation = byClient.removeValue(forKey: client) else { return }
        clients[allocation.relayed] = nil
    }

    // MARK: Data

    private func mayExchange(_ allocation: Allocation, with ip: IPAddress, now: NIODeadline) -> Bool {
        now < allocation.until && (allocation.permissions[ip].map { now < $0 } ?? false)
    }

    private mutating func sent(_ data: ChannelData, by client: TransportAddress, now: NIODeadline) -> [Sending] {
        guard let allocation = byClient[client], let peer = allocation.channels[data.number] else { return [] }
        return send(data.bytes, to: peer, for: allocation, now: now)
    }

    private mutating func indicated(
        _ message: STUNMessage, by client: TransportAddress, now: NIODeadline
    ) -> [Sending] {
        guard let allocation = byClient[client], let peer = message.xorPeerAddress, let data = message.data else {
            return []
        }
        return send(data, to: peer, for: allocation, now: now)
    }

    private mutating func send(
        _ bytes: ByteBuffer, to peer: TransportAddress, for allocation: Allocation, now: NIODeadline
    ) -> [Sending] {
        guard mayExchange(allocation, with: peer.ip, now: now) else { return [] }
        relayedDatagrams += 1
        // Another client of the same server is reached without leaving it.
        if clients[peer] != nil { return relay(bytes, from: allocation.relayed, at: peer, now: now) }
        return [Sending(bytes: bytes, source: allocation.relayed, target: peer)]
    }

    private mutating func relay(
        _ bytes: ByteBuffer, from peer: TransportAddress, at relayed: TransportAddress, now: NIODeadline
    ) -> [Sending] {
        guard let allocation = clients[relayed].flatMap({ byClient[$0] }),
            mayExchange(allocation, with: peer.ip, now: now)
        else { return [] }
        relayedDatagrams += 1
        let channel = allocation.channels.keys.sorted().first { allocation.channels[$0] == peer }
        let wrapped: ByteBuffer
        if let channel {
            wrapped = ChannelData(number: channel, bytes: bytes).encoded(padded: false)
        } else {
            wrapped = STUNMessage(
                .indication, .data, transaction: STUNTransactionID(high: 0, low: UInt64(relayedDatagrams)),
                attributes: [.xorPeerAddress(peer), .data(bytes)]
            ).encoded(fingerprint: false)
        }
        return [Sending(bytes: wrapped, source: address, target: allocation.client)]
    }
}
