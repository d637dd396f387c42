import Logging
import Wire

/// What the texts of flags and variables mean; each refusal names flag, value and reason.
extension Environment.Given {
    /// Refuses the value.
    func refused(_ reason: String) -> Failure { .badValue(name, value, reason) }

    /// A TCP or UDP port.
    func port() throws(Failure) -> UInt16 {
        guard let port = UInt16(value), value.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw refused("not a port, a number from 0 to 65535")
        }
        return port
    }

    /// A count from `range`.
    func number(in range: ClosedRange<UInt64>) throws(Failure) -> UInt64 {
        guard value.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt64(value),
            range.contains(number)
        else { throw refused("not a number from \(range.lowerBound) to \(range.upperBound)") }
        return number
    }

    /// A multiaddr.
    func address() throws(Failure) -> Multiaddr {
        do { return try Multiaddr(value) } catch { throw refused("not a multiaddr (\(error))") }
    }

    /// A nickname: something to see, nothing that moves a cursor.
    func nick() throws(Failure) -> String {
        guard value.utf8.count <= Limits.ownNick else { throw refused("longer than \(Limits.ownNick) bytes") }
        guard value.isPlainText else { throw refused("holds control characters") }
        guard value.contains(where: { !$0.isWhitespace }) else { throw refused("empty") }
        return value
    }

    /// A room's topic.
    func room() throws(Failure) -> String {
        guard !value.isEmpty else { throw refused("a room needs a name") }
        guard value.utf8.count <= Limits.roomName else { throw refused("longer than \(Limits.roomName) bytes") }
        guard value.isPlainText else { throw refused("holds control characters") }
        return value
    }

    /// A file or directory.
    func path() throws(Failure) -> String {
        guard !value.isEmpty else { throw refused("a path is missing") }
        guard value.utf8.count < 4096, !value.utf8.contains(0) else { throw refused("not a path") }
        return value
    }

    /// A level of swift-log.
    func logLevel() throws(Failure) -> Logger.Level {
        guard let level = Logger.Level(rawValue: value.lowercased()) else {
            throw refused("not one of " + Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return level
    }

    /// `scheme:host:port`, or `scheme:user:password@host:port` where credentials are needed.
    func server(scheme: String, credentials: Bool) throws(Failure) {
        let form = credentials ? "\(scheme):user:password@host:port" : "\(scheme):host:port"
        guard value.hasPrefix(scheme + ":"), value.isPlainText, !value.contains(" ") else {
            throw refused("not of the form \(form)")
        }
        var rest = value.dropFirst(scheme.count + 1)
        if credentials {
            guard let at = rest.lastIndex(of: "@") else { throw refused("not of the form \(form)") }
            let parts = rest[..<at].split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { throw refused("not of the form \(form)") }
            rest = rest[rest.index(after: at)...]
        }
        guard let colon = rest.lastIndex(of: ":"), colon != rest.startIndex,
            let port = UInt16(rest[rest.index(after: colon)...]), port > 0
        else { throw refused("not of the form \(form)") }
    }
}

extension [Environment.Given] {
    /// All of them multiaddrs.
    func addresses() throws(Failure) -> [Multiaddr] {
        var result: [Multiaddr] = []
        for given in self { result.append(try given.address()) }
        return result
    }

    /// All of them rooms, the first mention of each; the default room when there is none.
    func rooms() throws(Failure) -> [String] {
        var result: [String] = []
        for given in self {
            let room = try given.room()
            if !result.contains(room) { result.append(room) }
        }
        return result.isEmpty ? ["universal-connectivity"] : result
    }
}

extension Multiaddr {
    /// Whether a later version could dial it: a transport that this one lacks.
    var isForLater: Bool {
        let later: Set = ["udp", "ws", "wss", "tls", "p2p-circuit", "webrtc", "memory"]
        return !isDialable && description.split(separator: "/").contains { later.contains(String($0)) }
    }

    /// Whether this version has the transport: TCP to a host, perhaps with a peer id behind it.
    var isDialable: Bool {
        // The text is enough to tell: `/ip4/…/tcp/N`, `/dns4/…/tcp/N`, `/dnsaddr/…`, each with `/p2p/…` or not.
        let parts = description.split(separator: "/").map(String.init)
        var rest = parts[...]
        if rest.first == "ip6zone" { rest = rest.dropFirst(2) }
        guard let host = rest.first else { return false }
        rest = rest.dropFirst(2)
        switch host {
        case "ip4", "ip6", "dns", "dns4", "dns6":
            guard rest.first == "tcp" else { return false }
            rest = rest.dropFirst(2)
        case "dnsaddr": break
        default: return false
        }
        return rest.isEmpty || ((rest.first == "p2p" || rest.first == "ipfs") && rest.count == 2)
    }
}

extension String {
    /// Free of control characters.
    fileprivate var isPlainText: Bool { self == printableLine }
}
