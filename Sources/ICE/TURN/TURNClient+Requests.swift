import NIOCore
import OrderedCollections
import Wire

/// Asking the server, and what it answers (RFC 8656 §7 to §12, RFC 8489 §9.2.5).
extension TURNClient {
    private static let udp: UInt8 = 17

    mutating func request(_ purpose: TURNTransaction.Purpose, stale: Int = 0, now: NIODeadline) {
        guard transactions.count < Limits.turnRequests else { return }
        let id = STUNTransactionID(from: &entropy)
        let request = message(purpose, id: id)
        transactions.append(
            TURNTransaction(
                id: id, purpose: purpose, request: request, isSigned: credentials != nil, stale: stale,
                transport: server.transport, now: now))
        outputs.append(.send(request))
    }

    /// A request with what belongs to it, signed as soon as the server said how.
    func message(_ purpose: TURNTransaction.Purpose, id: STUNTransactionID) -> ByteBuffer {
        var attributes: [STUNAttribute]
        switch purpose {
        case .allocate:
            attributes = [.requestedTransport(Self.udp)]
            // The relayed address is of the version that the server is reached by; 4 need not be said.
            if case .v6 = server.address.ip { attributes.append(.requestedAddressFamily(2)) }
        case .refresh: attributes = []
        case .clear: attributes = [.lifetime(0)]
        case .permit(let ip): attributes = [.xorPeerAddress(TransportAddress(ip, port: 0))]
        case .bind(let peer):
            attributes = [.channelNumber(channels[peer]?.number ?? 0), .xorPeerAddress(peer)]
        }
        if let credentials {
            attributes += [.username(server.username), .realm(credentials.realm), .nonce(credentials.nonce)]
        }
        return STUNMessage(.request, purpose.method, transaction: id, attributes: attributes)
            .encoded(key: credentials?.key)
    }

    // MARK: Answers

    mutating func answered(_ message: STUNMessage, now: NIODeadline) {
        let found = transactions.firstIndex {
            $0.id == message.transaction && $0.purpose.method == message.method
        }
        guard let found, isBelieved(message, answering: transactions[found]) else { return }
        let transaction = transactions.remove(at: found)
        if message.messageClass == .success, message.unknownRequired.isEmpty {
            succeeded(transaction, message, now: now)
        } else {
            refused(transaction, message, now: now)
        }
    }

    /// What a signed request is answered with is signed, but the two errors about the credentials themselves.
    private func isBelieved(_ message: STUNMessage, answering transaction: TURNTransaction) -> Bool {
        guard transaction.isSigned, let key = credentials?.key else { return true }
        let number = message.errorCode?.number
        if message.messageClass == .error, number == 401 || number == 438 { return true }
        return message.isAuthentic(by: key)
    }

    private mutating func succeeded(_ transaction: TURNTransaction, _ message: STUNMessage, now: NIODeadline) {
        switch transaction.purpose {
        case .allocate: allocated(message, now: now)
        case .refresh:
            guard case .allocated(let relayed, _) = state else { return }
            guard let refreshAt = Self.refreshTime(message, now: now) else { return end(.lost) }
            state = .allocated(relayed: relayed, refreshAt: refreshAt)
        case .clear: allocateAgain(now: now)
        case .permit(let ip): granted(permission: ip, now: now)
        case .bind(let peer): granted(channel: peer, now: now)
        }
    }

    private mutating func allocated(_ message: STUNMessage, now: NIODeadline) {
        guard let relayed = message.xorRelayedAddress, relayed.port > 0, !relayed.ip.isUnspecified,
            !relayed.ip.isMulticast, let refreshAt = Self.refreshTime(message, now: now)
        else { return end(.malformed) }
        state = .allocated(relayed: relayed, refreshAt: refreshAt)
        outputs.append(.allocated(relayed: relayed, mapped: message.xorMappedAddress))
    }

    /// A minute before the end, or half way when that is short; nil when there is no time at all.
    private static func refreshTime(_ message: STUNMessage, now: NIODeadline) -> NIODeadline? {
        guard let lifetime = message.lifetime, lifetime > 0 else { return nil }
        let seconds = Int64(min(lifetime, Limits.turnLifetime))
        return now + .milliseconds(max(seconds - 60, seconds / 2) * 1000 + (seconds < 2 ? 500 : 0))
    }

    private mutating func refused(_ transaction: TURNTransaction, _ message: STUNMessage, now: NIODeadline) {
        let error = message.errorCode ?? STUNErrorCode(500, "an answer that means nothing")
        if error.number == 401, !transaction.isSigned { return challenged(transaction, message, now: now) }
        if error.number == 438, transaction.isSigned, transaction.stale < Limits.turnStaleNonces,
            renewNonce(message)
        {
            return request(transaction.purpose, stale: transaction.stale + 1, now: now)
        }
        let failure: TURNError = error.number == 401 ? .unauthorized : .refused(error)
        switch transaction.purpose {
        case .allocate:
            // Somebody before us had the same port at this server, and our credentials: let go of what is left.
            if error.number == 437, credentials != nil, state == .allocating(hasCleared: false) {
                state = .allocating(hasCleared: true)
                request(.clear, now: now)
            } else {
                end(failure)
            }
        case .clear: allocateAgain(now: now)
        case .refresh: end(error.number == 437 ? .lost : failure)
        case .permit(let ip): refused(permission: ip, now: now)
        case .bind(let peer): refused(channel: peer, now: now)
        }
    }

    private mutating func allocateAgain(now: NIODeadline) {
        if case .allocating = state { request(.allocate, now: now) }
    }

    /// The server wants to know who we are, and says for which realm.
    private mutating func challenged(_ transaction: TURNTransaction, _ message: STUNMessage, now: NIODeadline) {
        guard let realm = message.realm, let nonce = message.nonce else { return end(.malformed) }
        credentials = credentials(realm: realm, nonce: nonce)
        request(transaction.purpose, now: now)
    }

    private func credentials(realm: String, nonce: String) -> Credentials {
        let key = STUNKey(username: server.username, realm: realm, password: server.password)
        return Credentials(realm: realm, nonce: nonce, key: key)
    }

    /// False when the server names none.
    private mutating func renewNonce(_ message: STUNMessage) -> Bool {
        guard let nonce = message.nonce, let known = credentials else { return false }
        let realm = message.realm ?? known.realm
        credentials = realm == known.realm ? known : credentials(realm: realm, nonce: nonce)
        credentials?.nonce = nonce
        return true
    }

    /// No answer in all that time.
    mutating func gaveUp(_ transaction: TURNTransaction, now: NIODeadline) {
        switch transaction.purpose {
        case .allocate, .refresh, .clear: end(.timeout)
        case .permit(let ip): if permissions[ip]?.standing == .requested { refused(permission: ip, now: now) }
        case .bind(let peer): if channels[peer]?.grant.standing == .requested { refused(channel: peer, now: now) }
        }
    }
}

extension TURNTransaction.Purpose {
    var method: STUNMessage.Method {
        switch self {
        case .allocate: .allocate
        case .refresh, .clear: .refresh
        case .permit: .createPermission
        case .bind: .channelBind
        }
    }
}
