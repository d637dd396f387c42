package import Wire

/// Why a text names no STUN or TURN server.
package enum ICEServerURLError: Error, Hashable, Sendable {
    /// Longer than `Limits.iceServerURL`.
    case tooLong
    /// Neither `stun:` nor `turn:`; those over TLS are none of ours.
    case scheme
    /// A TURN server without a user and a password, or a STUN server with them.
    case credentials
    case host
    case port
    /// A transport other than UDP and TCP, or TCP for STUN.
    case transport
}

/// `stun:host[:port]` (RFC 7064) or `turn:user:password@host[:port][?transport=udp|tcp]`: RFC 7065 with the
/// credentials in it, so that one text says everything.
///
/// The host is a name, an IPv4 address, or an IPv6 address in brackets. The user ends at the first colon, the
/// password at the last `@`; neither is percent-encoded.
package struct ICEServerURL: Hashable, Sendable {
    /// What the server does.
    package enum Kind: Hashable, Sendable {
        case stun
        case turn(username: String, password: String, TURNServer.Transport)
    }

    package let kind: Kind
    /// A name or an address, without brackets.
    package let host: String
    package let port: UInt16

    private static let defaultPort: UInt16 = 3478

    package init(parsing text: some StringProtocol) throws(ICEServerURLError) {
        guard text.utf8.count <= Limits.iceServerURL else { throw .tooLong }
        guard let colon = text.firstIndex(of: ":") else { throw .scheme }
        let scheme = text[..<colon].lowercased()
        var rest = text[text.index(after: colon)...]
        guard scheme == "stun" || scheme == "turn" else { throw .scheme }

        var transport = TURNServer.Transport.udp
        if let mark = rest.lastIndex(of: "?"), mark > (rest.lastIndex(of: "@") ?? rest.startIndex) {
            switch rest[rest.index(after: mark)...].lowercased() {
            case "transport=udp": break
            case "transport=tcp" where scheme == "turn": transport = .tcp
            default: throw .transport
            }
            rest = rest[..<mark]
        }
        var credentials: (user: String, password: String)?
        if let at = rest.lastIndex(of: "@") {
            guard let middle = rest[..<at].firstIndex(of: ":"), middle > rest.startIndex else { throw .credentials }
            credentials = (String(rest[..<middle]), String(rest[rest.index(after: middle)..<at]))
            rest = rest[rest.index(after: at)...]
        }
        (host, port) = try Self.authority(rest)
        switch (scheme, credentials) {
        case ("stun", nil): kind = .stun
        case ("turn", let credentials?):
            guard !credentials.password.isEmpty, credentials.user.utf8.count <= Limits.stunUsername else {
                throw .credentials
            }
            kind = .turn(username: credentials.user, password: credentials.password, transport)
        default: throw .credentials
        }
    }

    private static func authority(_ text: some StringProtocol) throws(ICEServerURLError) -> (String, UInt16) {
        var host = text[...]
        var portText: Substring?
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { throw .host }
            host = text[text.index(after: text.startIndex)..<end]
            guard case .v6? = IPAddress(host) else { throw .host }
            let tail = text[text.index(after: end)...]
            guard tail.isEmpty || tail.first == ":" else { throw .host }
            if !tail.isEmpty { portText = Substring(tail.dropFirst()) }
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            portText = Substring(text[text.index(after: colon)...])
        }
        let isName = host.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        guard !host.isEmpty, host.utf8.count <= 253, isName || text.first == "[" else { throw .host }
        guard let portText else { return (String(host), defaultPort) }
        guard let port = UInt16(portText), port > 0, portText.utf8.allSatisfy({ $0 != UInt8(ascii: "+") }) else {
            throw .port
        }
        return (String(host), port)
    }

    /// The server's address, when it is named by one; nil: the host is a name that somebody has to look up.
    package var address: TransportAddress? { IPAddress(host).map { TransportAddress($0, port: port) } }

    /// The TURN server, at an address that its name stands for or that it has itself; nil for one of STUN.
    package func turnServer(at address: TransportAddress) -> TURNServer? {
        guard case .turn(let username, let password, let transport) = kind else { return nil }
        return TURNServer(address: address, transport: transport, username: username, password: password)
    }
}
