import DequeModule
package import ICE
package import NIOCore
package import Wire

/// Somebody asks for a new session, with credentials that were verified.
package struct DirectOffer: Hashable, Sendable {
    package let credentials: DirectCredentials
    /// Where the first check came from.
    package let path: ICEPath
    /// So many sessions are half open that this one must show that it receives what is sent to its address, before
    /// DTLS keeps anything of it: it costs a round trip.
    package var requiresCookie = false
}

/// Tells the sessions of one UDP socket apart (libp2p/specs webrtc/webrtc-direct.md; section 4.2 of the wire reference).
///
///     datagram ──STUN request──▶ its user name is known ──▶ session (a new address must prove that it has the key)
///                                └─ unknown ──▶ form, version, budgets, integrity ──▶ offer ──register──▶ half open
///              └─anything else──▶ its address is known ──▶ session                        established ──▶ open
///
/// A dialer checks from several addresses and one address may serve several sessions, one after the other: the user
/// name decides, and the last session that proved itself from an address has what comes from there. Sessions of a
/// dialer that uses the socket are registered likewise.
///
/// Nothing of a first contact is kept before its integrity is verified, but the count of its source. The name of a
/// session that ended is remembered for `Limits.endedSessionMemory`, so that a late packet does not bring it back.
///
/// Limits: ``FirstContacts``; `Limits.halfOpenSessions`, `Limits.halfOpenSessionsPerSource`,
/// `Limits.addressesPerSession`, `Limits.endedSessions`. It keeps no time: sessions end by themselves.
package struct DirectListener {
    /// Why datagrams were dropped.
    package enum Drop: Hashable, Sendable, CaseIterable {
        /// No session has that address.
        case unknownAddress
        /// A user name of another form, or of a version we do not know.
        case notForUs
        /// The session ended a moment ago.
        case ended
        /// A budget is used up.
        case tooOften
        /// Too many sessions are half open.
        case tooManyHalfOpen
        /// The session is reached from too many addresses.
        case tooManyAddresses
        /// The message's integrity is wrong.
        case notAuthentic
    }

    /// Whose datagrams they are.
    package enum Route: Hashable, Sendable {
        case session(ConnectionID)
        /// Nobody's yet: make a session, ``register(_:for:)`` it, and give it the same datagrams.
        case offer(DirectOffer)
        case dropped(Drop)
    }

    private struct Session {
        let ufrag: String
        let key: STUNKey
        var addresses: [TransportAddress] = []
        /// Nil once it is authenticated, and for our own dials.
        var halfOpenFor: FirstContacts.Source?
    }

    private var sessions: [ConnectionID: Session] = [:]
    private var byUfrag: [String: ConnectionID] = [:]
    private var byAddress: [TransportAddress: ConnectionID] = [:]
    private var contacts = FirstContacts()
    private var halfOpen: [FirstContacts.Source: Int] = [:]
    private var ended: [String: NIODeadline] = [:]
    /// In the order of their times.
    private var endedOrder: Deque<String> = []

    /// Sessions that are not authenticated.
    package private(set) var halfOpenCount = 0
    /// Verifications done: what a flood may cost.
    package private(set) var verifications: UInt64 = 0
    package private(set) var offers: UInt64 = 0
    private var drops: [Drop: UInt64] = [:]

    package init() {}

    package var sessionCount: Int { sessions.count }
    package var addressCount: Int { byAddress.count }
    package var sourceCount: Int { contacts.count }
    package var endedCount: Int { ended.count }
    package func dropped(_ reason: Drop) -> UInt64 { drops[reason] ?? 0 }

    // MARK: Datagrams

    /// Datagrams of one path arrived; the first decides for all.
    package mutating func received(_ datagrams: Datagrams, on path: ICEPath, now: NIODeadline) -> Route {
        var datagrams = datagrams
        let route: Route
        if let first = datagrams.popFirst(), let username = STUNMessage.username(of: first) {
            route = checked(first, username, on: path, now: now)
        } else {
            route = byAddress[path.remote].map { .session($0) } ?? .dropped(.unknownAddress)
        }
        switch route {
        case .session: break
        case .offer: offers += 1
        case .dropped(let reason): drops[reason, default: 0] += 1
        }
        return route
    }

    /// A Binding request.
    private mutating func checked(
        _ datagram: ByteBuffer, _ username: String, on path: ICEPath, now: NIODeadline
    ) -> Route {
        let ufrag = String(username.prefix { $0 != ":" })
        guard let id = byUfrag[ufrag] else { return contacted(datagram, username, ufrag, on: path, now: now) }
        guard byAddress[path.remote] != id, let session = sessions[id] else { return .session(id) }
        guard session.addresses.count < Limits.addressesPerSession else { return .dropped(.tooManyAddresses) }
        guard isAuthentic(datagram, session.key) else { return .dropped(.notAuthentic) }
        learn(path.remote, of: id)
        return .session(id)
    }

    private mutating func contacted(
        _ datagram: ByteBuffer, _ username: String, _ ufrag: String, on path: ICEPath, now: NIODeadline
    ) -> Route {
        guard let credentials = DirectCredentials(username: username) else { return .dropped(.notForUs) }
        if let until = ended[ufrag], now < until { return .dropped(.ended) }
        let source = FirstContacts.Source(path.remote.ip)
        guard halfOpenCount < Limits.halfOpenSessions,
            halfOpen[source, default: 0] < Limits.halfOpenSessionsPerSource
        else { return .dropped(.tooManyHalfOpen) }
        guard contacts.admit(source, now: now) else { return .dropped(.tooOften) }
        guard isAuthentic(datagram, STUNKey(password: credentials.listener.password)) else {
            return .dropped(.notAuthentic)
        }
        let offer = DirectOffer(
            credentials: credentials, path: path, requiresCookie: halfOpenCount >= Limits.halfOpenWithoutCookie)
        return .offer(offer)
    }

    private mutating func isAuthentic(_ datagram: ByteBuffer, _ key: STUNKey) -> Bool {
        verifications += 1
        guard let message = try? STUNMessage(parsing: datagram) else { return false }
        return message.isAuthentic(by: key)
    }

    private mutating func learn(_ address: TransportAddress, of id: ConnectionID) {
        if let before = byAddress.updateValue(id, forKey: address) {
            sessions[before]?.addresses.removeAll { $0 == address }
        }
        sessions[id]?.addresses.append(address)
    }

    // MARK: Sessions

    /// A session was made of an offer. It is half open until ``established(_:)``.
    package mutating func register(_ id: ConnectionID, for offer: DirectOffer) {
        let source = FirstContacts.Source(offer.path.remote.ip)
        add(id, offer.credentials.listener, at: offer.path.remote, halfOpenFor: source)
        guard sessions[id]?.halfOpenFor != nil else { return }
        halfOpenCount += 1
        halfOpen[source, default: 0] += 1
    }

    /// A session of our own, dialled over this socket, whose remote knows us by `local`.
    package mutating func register(_ id: ConnectionID, local: ICECredentials, remote: TransportAddress) {
        add(id, local, at: remote, halfOpenFor: nil)
    }

    private mutating func add(
        _ id: ConnectionID, _ credentials: ICECredentials, at address: TransportAddress,
        halfOpenFor source: FirstContacts.Source?
    ) {
        guard sessions[id] == nil, byUfrag[credentials.ufrag] == nil else { return }
        sessions[id] = Session(
            ufrag: credentials.ufrag, key: STUNKey(password: credentials.password), halfOpenFor: source)
        byUfrag[credentials.ufrag] = id
        learn(address, of: id)
    }

    /// The session is authenticated.
    package mutating func established(_ id: ConnectionID) {
        guard let source = sessions[id]?.halfOpenFor else { return }
        sessions[id]?.halfOpenFor = nil
        halfOpenCount -= 1
        let left = (halfOpen[source] ?? 1) - 1
        halfOpen[source] = left > 0 ? left : nil
    }

    /// The session is over.
    package mutating func closed(_ id: ConnectionID, now: NIODeadline) {
        established(id)
        guard let session = sessions.removeValue(forKey: id) else { return }
        byUfrag[session.ufrag] = nil
        for address in session.addresses where byAddress[address] == id { byAddress[address] = nil }
        while let first = endedOrder.first, endedOrder.count >= Limits.endedSessions || (ended[first] ?? now) <= now {
            endedOrder.removeFirst()
            ended[first] = nil
        }
        if ended.updateValue(now + Limits.endedSessionMemory, forKey: session.ufrag) == nil {
            endedOrder.append(session.ufrag)
        }
    }
}
