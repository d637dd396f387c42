import NIOCore
import Wire

/// STUN that arrives: the remote's checks are answered here (RFC 8445 §7.3), responses passed on.
extension ICEAgent {
    func received(_ datagram: ByteBuffer, on path: ICEPath, now: NIODeadline) {
        guard let message = try? STUNMessage(parsing: datagram), message.method == .binding else {
            figures.dropped += 1
            return
        }
        switch message.messageClass {
        case .request: requested(message, on: path, now: now)
        case .success, .error: answered(message, on: path, now: now)
        // A keep-alive (RFC 8445 §11). It proves nothing.
        case .indication: break
        }
    }

    private func requested(_ message: STUNMessage, on path: ICEPath, now: NIODeadline) {
        guard bases.contains(where: { $0.address == path.local }) else {
            figures.dropped += 1
            return
        }
        switch responder.received(message, on: path, remoteUfrag: remote?.ufrag) {
        case .dropped: figures.dropped += 1
        case .refused(let answer): outputs.append(.send(answer, on: path))
        case .genuine(let remoteUfrag):
            guard settleRoles(message, now: now) else {
                outputs.append(.send(responder.roleConflict(message), on: path))
                return
            }
            figures.checksAnswered += 1
            outputs.append(.send(responder.success(message, on: path), on: path))
            let nomination = message.usesCandidate ? message.transaction : nil
            guard remote == nil else {
                checked(on: path, priority: message.priority, nomination: nomination, now: now)
                return
            }
            keep(
                EarlyCheck(
                    path: path, remoteUfrag: remoteUfrag, priority: message.priority, nomination: nomination))
        }
    }

    /// Both controlling, or both controlled: the larger tie-breaker controls (RFC 8445 §7.3.1.1). False when the
    /// remote is the one to change, and to be told so.
    private func settleRoles(_ message: STUNMessage, now: NIODeadline) -> Bool {
        switch role {
        case .controlling:
            guard let theirs = message.iceControlling else { return true }
            if tieBreaker >= theirs { return false }
            change(to: .controlled, now: now)
        case .controlled:
            guard let theirs = message.iceControlled else { return true }
            guard tieBreaker >= theirs else { return false }
            change(to: .controlling, now: now)
        }
        return true
    }

    func change(to new: ICERole, now: NIODeadline) {
        role = new
        list.rank(role: new)
        // What we nominated, we had no right to.
        nominating = nil
        if selected == nil, new == .controlling, list.bestValid != nil { firstValid = firstValid ?? now }
    }

    /// A check before the remote's credentials: it was answered, the rest has to wait for them.
    private func keep(_ check: EarlyCheck) {
        if let index = early.firstIndex(where: { $0.path == check.path && $0.remoteUfrag == check.remoteUfrag }) {
            early[index].nomination = check.nomination ?? early[index].nomination
        } else if early.count < Limits.iceEarlyChecks {
            early.append(check)
            proved(check.path)
        }
    }

    /// The remote has shown its password here: once, say so.
    func proved(_ path: ICEPath) {
        guard usable.insert(path).inserted else { return }
        outputs.append(.usable(path))
    }

    /// A genuine check was answered: its pair is alive, is to be checked from here, and may be nominated by it.
    func checked(on path: ICEPath, priority: UInt32?, nomination: STUNTransactionID?, now: NIODeadline) {
        guard let id = pair(checkedOn: path, priority: priority), let pair = list[id] else { return }
        proved(path)
        if role == .controlled, let nomination, pair.nomination != nomination {
            list.update(id) { $0.nomination = nomination }
            if pair.state == .succeeded {
                nominated(pair, now: now)
            } else {
                list.update(id) { $0.isNominated = true }
            }
        }
        trigger(pair, now: now)
        heard(path, isTraffic: false, now: now)
    }
}
