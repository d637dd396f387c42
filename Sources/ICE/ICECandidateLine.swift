import Wire

/// What a candidate is reached over.
package enum ICETransport: Hashable, Sendable {
    case udp
    /// RFC 6544; we have none.
    case tcp
}

/// Why a candidate line gives no candidate.
package enum CandidateError: Error, Hashable, Sendable {
    /// Not a candidate line at all.
    case malformed
    /// Longer than `Limits.iceCandidateLine`.
    case tooLong
    /// A candidate, and nothing wrong with it, but not one for us.
    case unusable(Reason)

    /// What makes a candidate one that others may use and we do not.
    package enum Reason: Hashable, Sendable {
        /// A name instead of an address, such as the `.local` ones of RFC 8828; who can resolve it may come back.
        case name(String)
        case tcp
        /// Only component 1 exists.
        case component(UInt16)
        /// A transport or a type that nobody knows.
        case unknown(String)
        /// Nothing can be sent there: port 0, an unspecified or a multicast address.
        case address
    }
}

/// A candidate line in its parts (RFC 8839 §5.1), before anybody asked whether the candidate is of use:
///
///     candidate:<foundation> <component> <transport> <priority> <address> <port> typ <type>
///         [raddr <address>] [rport <port>] [tcptype <type>] *(<name> <value>)
///
/// Transport and type in any case; pairs nobody knows (generation, ufrag, network-cost, …) are passed over.
package struct ICECandidateLine: Hashable, Sendable {
    package let foundation: String
    package let component: UInt16
    /// As written.
    package let transport: String
    package let priority: UInt32
    /// An address or a name.
    package let host: String
    package let port: UInt16
    /// As written.
    package let type: String
    package private(set) var relatedAddress: String?
    package private(set) var relatedPort: UInt16?
    package private(set) var tcpType: String?

    package init(parsing line: some StringProtocol) throws(CandidateError) {
        guard line.utf8.count <= Limits.iceCandidateLine else { throw .tooLong }
        var words = line.split(whereSeparator: { $0 == " " || $0 == "\t" || $0.isNewline })[...]
        guard words.count >= 8, let head = words.popFirst() else { throw .malformed }
        guard let colon = head.firstIndex(of: ":"), ["candidate", "a=candidate"].contains(head[..<colon]) else {
            throw .malformed
        }
        let name = head[head.index(after: colon)...]
        guard (1...Limits.iceFoundation).contains(name.utf8.count),
            name.utf8.allSatisfy(ICECredentials.isICECharacter),
            let component = UInt16(words[words.startIndex]), (1...256).contains(component),
            let priority = UInt32(words[words.startIndex + 2]),
            let port = UInt16(words[words.startIndex + 4]), words[words.startIndex + 5].lowercased() == "typ"
        else { throw .malformed }
        foundation = String(name)
        self.component = component
        transport = String(words[words.startIndex + 1])
        self.priority = priority
        host = String(words[words.startIndex + 3])
        self.port = port
        type = String(words[words.startIndex + 6])

        words = words.dropFirst(7)
        while let key = words.popFirst(), let value = words.popFirst() {
            switch key.lowercased() {
            case "raddr": relatedAddress = String(value)
            case "rport": relatedPort = UInt16(value)
            case "tcptype": tcpType = String(value)
            default: break
            }
        }
    }

    /// The candidate, if it is one for us.
    package func candidate() throws(CandidateError) -> ICECandidate {
        switch transport.lowercased() {
        case "udp": break
        case "tcp", "ssltcp": throw .unusable(.tcp)
        default: throw .unusable(.unknown(transport))
        }
        guard component == ICECandidate.component else { throw .unusable(.component(component)) }
        guard let type = ICECandidateType(name: type) else { throw .unusable(.unknown(self.type)) }
        guard let ip = IPAddress(host) else { throw .unusable(.name(host)) }
        guard port > 0, !ip.isUnspecified, !ip.isMulticast else { throw .unusable(.address) }
        var related: TransportAddress?
        if let text = relatedAddress, let ip = IPAddress(text), let port = relatedPort {
            related = TransportAddress(ip, port: port)
        }
        return ICECandidate(
            foundation: foundation, priority: priority, address: TransportAddress(ip, port: port), type: type,
            related: related)
    }
}
