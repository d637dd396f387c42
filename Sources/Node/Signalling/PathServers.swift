import ICE
import Wire

/// The servers that help to find direct paths, as far as their names are resolved.
///
///     TURN account: named ──lookup──▶ awaited ──▶ resolved
///                                        └──▶ failed ──another relayed connection──▶ lookup, which nobody awaits
///
/// Limits: `Limits.iceServers` of STUN, `Limits.turnServers` of TURN, one address of each version of IP for a name.
struct PathServers {
    /// Asked how we look from outside.
    private(set) var stun: [TransportAddress] = []
    /// They relay for us, in the order in which they became known.
    private(set) var turn: [TURNServer] = []
    /// Accounts, by their place in the configuration, that are being looked up, for the first time or again.
    private var lookups: [Int: Bool] = [:]
    /// Accounts with an address.
    private var resolved: Set<Int> = []
    private var failed: Set<Int> = []
    /// What was said of TURN servers.
    private var said: Set<String> = []

    /// Whether a TURN server is being looked up that may be there, for all that is known.
    var awaitsTURN: Bool { lookups.values.contains(true) }

    /// - Returns: whether the server was new.
    mutating func add(stun server: TransportAddress) {
        guard !stun.contains(server), stun.count < Limits.iceServers else { return }
        stun.append(server)
    }

    /// - Returns: whether the account is to be looked up now.
    mutating func looksUp(_ account: Int) -> Bool {
        guard !resolved.contains(account), lookups[account] == nil else { return false }
        lookups[account] = !failed.contains(account)
        return true
    }

    /// A lookup of an account ended.
    mutating func found(_ account: Int, at servers: [TURNServer]) {
        lookups[account] = nil
        guard !servers.isEmpty else {
            failed.insert(account)
            return
        }
        resolved.insert(account)
        for server in servers where !turn.contains(server) && turn.count < Limits.turnServers { turn.append(server) }
    }

    /// Whether something is said of a server for the first time.
    mutating func isNews(_ words: String) -> Bool {
        said.count < Limits.turnComplaints && said.insert(words).inserted
    }
}

extension TURNError {
    /// What a person may do something about.
    var words: String {
        switch self {
        case .timeout: "does not answer"
        case .unauthorized: "does not take this user and password"
        case .refused(let code): "refuses to relay (\(code.number))"
        case .malformed: "answers what no TURN server would"
        case .lost: "forgot about us"
        case .disconnected: "cannot be reached over TCP, or hung up"
        }
    }
}
