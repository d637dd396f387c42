import NIOCore
import Wire

/// Responses to our checks (RFC 8445 §7.2.5).
extension ICEAgent {
    func answered(_ message: STUNMessage, on path: ICEPath, now: NIODeadline) {
        guard let index = transactions.firstIndex(where: { $0.id == message.transaction && $0.path == path }) else {
            // Not a check's: perhaps a server's. From another source than it was sent to, it is nobody's.
            if let candidate = queries.received(message, on: path, now: now) {
                add(reflexive: candidate)
            } else {
                figures.dropped += 1
            }
            return
        }
        guard let remote, message.isAuthentic(by: remote.key) else {
            // Anybody could have said that. The transaction goes on.
            figures.dropped += 1
            return
        }
        if message.messageClass == .success {
            guard let seen = message.xorMappedAddress, message.unknownRequired.isEmpty else {
                figures.dropped += 1
                return
            }
            figures.responsesReceived += 1
            succeeded(transactions.remove(at: index), seen: seen, now: now)
        } else {
            figures.responsesReceived += 1
            refused(transactions.remove(at: index), message.errorCode, now: now)
        }
    }

    private func succeeded(_ transaction: CheckTransaction, seen: TransportAddress, now: NIODeadline) {
        guard let pair = list[transaction.pair] else { return }
        proved(pair.path)
        let sample = transaction.roundTrip(now: now)
        list.update(pair.id) {
            $0.mapped = seen == pair.local.address ? nil : seen
            $0.state = .succeeded
            if let sample { $0.measured(sample) }
        }
        if pair.state != .succeeded { list.thaw(like: pair) }
        firstValid = firstValid ?? now

        let isSelected = pair.id == selected?.pair
        if isSelected { consented(now: now) }
        heard(pair.path, isTraffic: false, now: now)
        if isSelected, pair.id == selected?.pair, let roundTrip = list[pair.id]?.roundTrip, sample != nil {
            outputs.append(.roundTrip(roundTrip))
        }

        if pair.id == nominating, transaction.purpose == .nomination, role == .controlling {
            nominating = nil
            select(pair.id, now: now)
        } else if pair.isNominated, role == .controlled {
            list.update(pair.id) { $0.isNominated = false }
            nominated(pair, now: now)
        }
    }

    /// An authentic error: a role conflict is settled, anything else is the end of this check.
    private func refused(_ transaction: CheckTransaction, _ error: STUNErrorCode?, now: NIODeadline) {
        guard error?.number == STUNErrorCode.roleConflict.number else {
            if transaction.purpose != .consent { failed(transaction.pair) }
            return
        }
        // Several checks may have been out with the same role: the first answer settles it.
        if transaction.role == role {
            tieBreaker = entropy.next()
            change(to: role == .controlling ? .controlled : .controlling, now: now)
        }
        guard let pair = list[transaction.pair], pair.state != .succeeded else { return }
        list.trigger(pair.id)
    }
}
