import NIOCore
import OrderedCollections
import Wire

/// Whether UDP seems blocked where this node is, which explains dials in vain better than each of them does.
///
///     unsure ──too many hosts silent over UDP, none ever answered──▶ silent
///       │ └────the same, or one host, while TCP is answered────────▶ blocked ◀── silent, once TCP is answered
///       └──one answer over UDP──▶ fine, for good
///
/// What the world's hosts do and what those of this machine and its networks do says nothing of each other: each side
/// has such a state. Told once each, at most, for both. Remembers ``Limits/udpSilentHosts`` hosts. A firewall that comes
/// later is not noticed.
struct UDPSilence {
    /// What to tell the user.
    enum Verdict: String {
        case silent = "nobody answers over UDP: it is blocked here, or this machine is offline"
        case blocked = "UDP seems blocked: nobody answers over it, while TCP is answered"
    }

    /// Somebody answered over UDP: out in the world, near here.
    private var isFine = (world: false, home: false)
    private var told: Verdict?
    private var silent: [IPAddress] = []
    private var answeredOverTCP: [IPAddress] = []

    /// A host answered over UDP.
    mutating func answered(_ host: IPAddress) {
        if host.isPublic { isFine.world = true } else { isFine.home = true }
        silent = silent.filter { !isFine(for: $0) }
    }

    private func isFine(for host: IPAddress) -> Bool { host.isPublic ? isFine.world : isFine.home }

    /// A host answered over TCP.
    mutating func answeredOverTCP(_ host: IPAddress) -> Verdict? {
        Self.note(host, in: &answeredOverTCP)
        return judge()
    }

    /// A host said nothing over UDP for as long as one waits.
    mutating func stayedSilent(_ host: IPAddress) -> Verdict? {
        guard !isFine(for: host) else { return nil }
        Self.note(host, in: &silent)
        return judge()
    }

    private mutating func judge() -> Verdict? {
        guard told != .blocked else { return nil }
        // On each side: many hosts are silent, and somebody answers over TCP.
        let sides = [true, false].map { isWorld in
            let isWide = silent.count { $0.isPublic == isWorld } >= Limits.udpHostsSuspected
            return (isWide: isWide, isAlive: answeredOverTCP.contains { $0.isPublic == isWorld })
        }
        if silent.contains(where: answeredOverTCP.contains) || sides.contains(where: { $0.isWide && $0.isAlive }) {
            told = .blocked
        } else if sides.contains(where: \.isWide), told == nil {
            told = .silent
        } else {
            return nil
        }
        return told
    }

    private static func note(_ host: IPAddress, in hosts: inout [IPAddress]) {
        guard !hosts.contains(host) else { return }
        if hosts.count >= Limits.udpSilentHosts { hosts.removeFirst() }
        hosts.append(host)
    }
}

extension NodeCore {
    /// Tells what dials over UDP and TCP add up to.
    func tell(_ verdict: UDPSilence.Verdict?) {
        if let verdict { log(.notice, verdict.rawValue) }
    }

    /// The dialer does not wait for an attempt any longer: its time is over.
    func attemptTimedOut(_ attempt: Dialer.AttemptID, now: NIODeadline) {
        guard let id = attempts.removeValue(forKey: attempt), let connection = connections[id] else { return }
        let isSilent = connection.transport == "webrtc-direct" && connection.phases.isEmpty
        if isSilent { stayedSilent(connection) }
        let reason = isSilent ? DirectError.timeout(.stun).description : Dialer.Reason.timedOut.description
        close(connection, reason: reason, now: now)
    }

    /// A dial of webrtc-direct brought not one answer.
    func stayedSilent(_ connection: NodeConnection) {
        if let host = connection.address.ip?.unmapped { tell(udpSilence.stayedSilent(host)) }
    }
}
