package import ICE
package import Wire

/// Which agreement on ICE credentials two ends of webrtc-direct use.
package enum DirectVersion: Int, Hashable, Sendable, CaseIterable {
    case one = 1
    case two = 2

    /// What the listener's user name begins with.
    package var prefix: String { "libp2p+webrtc+v\(rawValue)/" }
    /// `v1`, `v2`.
    package var name: String { "v\(rawValue)" }
}

/// The ICE credentials of both ends of a webrtc-direct connection, which need no signalling: the dialer makes them, and
/// the listener reads them off the USERNAME of its first check, `listener's ufrag:dialer's ufrag` (libp2p/specs
/// webrtc/webrtc-direct.md; pull 715 for version 2; section 4.2 of the wire reference).
///
/// Version 1: one string is ufrag and password of both. Version 2: the listener's ufrag and password are a prefix and
/// the dialer's password; the dialer's own are what its browser made.
///
/// Limits: parts of `Limits.iceUfrag` letters, digits, `+` and `/`; a dialer's password of `Limits.icePassword`.
package struct DirectCredentials: Hashable, Sendable {
    package let version: DirectVersion
    package let listener: ICECredentials
    package let dialer: ICECredentials

    /// What a dialer makes.
    package static func random(_ version: DirectVersion, using entropy: inout Entropy) -> DirectCredentials {
        let letters = randomText(32, from: &entropy)
        let name = version.prefix + letters
        let listener = ICECredentials(ufrag: name, password: name)
        switch version {
        case .one: return DirectCredentials(version: version, listener: listener, dialer: listener)
        case .two:
            let own = ICECredentials(ufrag: randomText(8, from: &entropy), password: letters)
            return DirectCredentials(version: version, listener: listener, dialer: own)
        }
    }

    private init(version: DirectVersion, listener: ICECredentials, dialer: ICECredentials) {
        (self.version, self.listener, self.dialer) = (version, listener, dialer)
    }

    /// What a listener reads; nil when it is not for us: another form, or a version we do not know, never guessed at.
    package init?(username: String) {
        guard username.utf8.count <= 2 * Limits.iceUfrag.upperBound + 1 else { return nil }
        let parts = username.utf8.split(separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ Self.isUfrag($0) }) else { return nil }
        let name = String(Substring(parts[0]))
        let client = String(Substring(parts[1]))
        guard let version = DirectVersion.allCases.first(where: { name.hasPrefix($0.prefix) }) else { return nil }
        let password: String
        switch version {
        case .one: password = client
        case .two: password = String(name.dropFirst(version.prefix.count))
        }
        guard Limits.icePassword.contains(password.utf8.count) else { return nil }
        self.init(
            version: version, listener: ICECredentials(ufrag: name, password: name),
            dialer: ICECredentials(ufrag: client, password: password))
    }

    private static func isUfrag(_ text: Substring.UTF8View) -> Bool {
        Limits.iceUfrag.contains(text.count)
            && text.allSatisfy { letter in
                switch letter {
                case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"):
                    true
                default: false
                }
            }
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")

    private static func randomText(_ count: Int, from entropy: inout Entropy) -> String {
        String((0..<count).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &entropy)] })
    }
}
