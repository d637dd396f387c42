import Logging
import Node
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

    /// `host:port`, `[::1]:port`.
    func hostAndPort() throws(Failure) -> (host: String, port: UInt16) {
        guard let colon = value.lastIndex(of: ":") else { throw refused("not of the form host:port") }
        var host = value[..<colon]
        let digits = value[value.index(after: colon)...]
        guard let port = UInt16(digits), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw refused("not a port, a number from 0 to 65535")
        }
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw refused("an address of IPv6 needs brackets: [::1]:8080")
        }
        guard !host.isEmpty, value.isPlainText, !value.contains(" ") else { throw refused("not of the form host:port") }
        return (String(host), port)
    }

    /// A version of webrtc-direct.
    func webRTCDirectVersion() throws(Failure) -> WebRTCDirectVersion {
        guard let version = WebRTCDirectVersion(rawValue: value.lowercased()) else {
            throw refused("not one of " + WebRTCDirectVersion.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return version
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

    /// `stun:host:port`.
    func stunServer() throws(Failure) -> ServerAddress {
        let form = "not of the form stun:host:port"
        guard value.hasPrefix("stun:"), value.isPlainText, !value.contains(" ") else { throw refused(form) }
        let rest = value.dropFirst("stun:".count)
        guard let colon = rest.lastIndex(of: ":"), colon != rest.startIndex,
            let port = UInt16(rest[rest.index(after: colon)...]), port > 0
        else { throw refused(form) }
        var host = rest[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        return ServerAddress(host: String(host), port: port)
    }
}

extension [Environment.Given] {
    /// All of them multiaddrs.
    func addresses() throws(Failure) -> [Multiaddr] {
        var result: [Multiaddr] = []
        for given in self { result.append(try given.address()) }
        return result
    }

    /// All of them TURN servers with user and password.
    func turnAccounts() throws(Failure) -> [TURNAccount] {
        var result: [TURNAccount] = []
        for given in self {
            do { result.append(try TURNAccount(parsing: given.value)) } catch { throw given.refused(error.message) }
        }
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
    /// What this version can do with an address.
    enum Use: Equatable {
        case possible
        /// A later version may have the transport.
        case later
        /// Nobody can do anything with it, and why.
        case never(String)
    }

    /// Whether it can be dialled.
    var dialling: Use {
        switch dialTarget {
        case .tcp, .webSocket, .secureWebSocket, .dnsaddr: .possible
        case .webRTCDirect(_, _, let certhashes) where certhashes.isEmpty:
            .never("it lacks /certhash/…, by which the certificate of whoever answers is known")
        case .webRTCDirect(_, port: 0, _): .never("port 0 cannot be dialled")
        case .webRTCDirect: .possible
        case .circuit(let relay, _):
            peerID == nil ? .never("it lacks the /p2p/… of the peer behind the relay") : relay.relaying
        case .quic, .webTransport: .later
        case .unsupported: namesLaterTransport ? .later : .never("nothing that can be dialled")
        }
    }

    /// Whether it can be listened on.
    var listening: Use {
        switch dialTarget {
        case _ where isAnyRelay: .possible
        case .tcp, .webSocket, .secureWebSocket: .possible
        case .webRTCDirect(_, _, let certhashes):
            certhashes.isEmpty ? .possible : .never("the certhash is the listener's own and follows from its identity")
        case .circuit(let relay, _):
            // With `/webrtc` or without it: who is reached through a relay signals anyway.
            peerID == nil ? relay.relaying : .never("a /p2p/… behind the relay is the listener's own")
        case .quic, .webTransport: .later
        case .dnsaddr: .never("nothing that can be listened on")
        case .unsupported: namesLaterTransport ? .later : .never("nothing that can be listened on")
        }
    }

    /// Whether TCP, TLS and WebSocket are stacked there.
    var isSecureWebSocket: Bool { if case .secureWebSocket = dialTarget { true } else { false } }

    /// Whether the way to a relay can be dialled; nothing but its `/p2p` will do once it is connected.
    private var relaying: Use { withoutPeerID?.dialling ?? .possible }

    private var namesLaterTransport: Bool {
        let later: Set = ["udp", "memory", "ip6zone"]
        return description.split(separator: "/").contains { later.contains(String($0)) }
    }
}

extension String {
    /// Free of control characters.
    fileprivate var isPlainText: Bool { self == printableLine }
}
