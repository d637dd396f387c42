package import Wire

/// What kind of address a candidate is (RFC 8445 §5.1.1).
package enum ICECandidateType: Hashable, Sendable {
    /// Of an interface.
    case host
    /// What a STUN server saw.
    case serverReflexive
    /// What a check's peer saw.
    case peerReflexive
    /// Of a TURN server.
    case relayed

    /// RFC 8445 §5.1.2.2.
    package var preference: UInt32 {
        switch self {
        case .host: 126
        case .peerReflexive: 110
        case .serverReflexive: 100
        case .relayed: 0
        }
    }

    /// As `typ` has it.
    package var name: String {
        switch self {
        case .host: "host"
        case .serverReflexive: "srflx"
        case .peerReflexive: "prflx"
        case .relayed: "relay"
        }
    }

    init?(name: some StringProtocol) {
        switch name.lowercased() {
        case "host": self = .host
        case "srflx": self = .serverReflexive
        case "prflx": self = .peerReflexive
        case "relay": self = .relayed
        default: return nil
        }
    }
}

/// An address at which an agent may be reached, over UDP, for component 1, the only one there is (RFC 8445 §5.1).
package struct ICECandidate: Hashable, Sendable, CustomStringConvertible {
    /// Data channels have one component.
    package static let component = 1

    /// 1 to 32 `ice-char`s; the same for candidates whose checks succeed and fail together.
    package let foundation: String
    package let priority: UInt32
    package let address: TransportAddress
    package let type: ICECandidateType
    /// Of a reflexive candidate its base, of a relayed one what the server saw; nil when unknown.
    package let related: TransportAddress?

    package var transport: ICETransport { .udp }
    package var component: Int { Self.component }

    package init(
        foundation: String, priority: UInt32, address: TransportAddress, type: ICECandidateType,
        related: TransportAddress? = nil
    ) {
        (self.foundation, self.priority, self.address) = (foundation, priority, address)
        (self.type, self.related) = (type, related)
    }

    /// The address of one of our sockets. The highest local preference first; no two the same within an agent.
    package static func host(_ address: TransportAddress, localPreference: UInt16 = 65_535) -> ICECandidate {
        ICECandidate(
            foundation: foundation(.host, base: address.ip),
            priority: priority(.host, localPreference: localPreference), address: address, type: .host)
    }

    /// Reads `candidate:…` or `a=candidate:…` (RFC 8839 §5.1).
    ///
    /// - Throws: `CandidateError.unusable` for one that is well-formed and simply not for us: a name, TCP, another
    ///   component. It ends nothing.
    package init(parsing line: some StringProtocol) throws(CandidateError) {
        self = try ICECandidateLine(parsing: line).candidate()
    }

    /// `candidate:…`, as JSON has it; SDP puts `a=` before.
    package var description: String {
        var text = "candidate:\(foundation) \(Self.component) udp \(priority) \(address.ip) \(address.port)"
        text += " typ \(type.name)"
        if let related { text += " raddr \(related.ip) rport \(related.port)" }
        return text
    }

    /// RFC 8445 §5.1.2.1.
    package static func priority(_ type: ICECandidateType, localPreference: UInt16) -> UInt32 {
        type.preference << 24 | UInt32(localPreference) << 8 | UInt32(256 - component)
    }

    /// The middle of the formula above, read back.
    var localPreference: UInt16 { UInt16(truncatingIfNeeded: priority >> 8) }

    /// RFC 8445 §5.1.1.3: the same for the same type, base and server. A short hash (FNV-1a) that betrays nothing
    /// that the candidate does not say anyway.
    static func foundation(_ type: ICECandidateType, base: IPAddress, server: IPAddress? = nil) -> String {
        var hash: UInt32 = 0x811C_9DC5
        for byte in [UInt8(truncatingIfNeeded: type.preference)] + base.bytes + (server?.bytes ?? []) {
            hash = (hash ^ UInt32(byte)) &* 0x0100_0193
        }
        return String(hash)
    }
}
