/// The protocols a multiaddr can name, with their codes (multiformats/multiaddr protocols.csv).
package enum MultiaddrProtocol: UInt64, CaseIterable, Sendable {
    case ip4 = 4
    case tcp = 6
    case dccp = 33
    case ip6 = 41
    case ip6zone = 42
    case ipcidr = 43
    case dns = 53
    case dns4 = 54
    case dns6 = 55
    case dnsaddr = 56
    case sctp = 132
    case udp = 273
    /// Retired, like the two after it and ``webSocketStar``: parsed, never dialled.
    case webRTCStar = 275
    case webRTCDirectStar = 276
    case stardust = 277
    case webRTCDirect = 280
    case webRTC = 281
    case p2pCircuit = 290
    case unix = 400
    case p2p = 421
    case https = 443
    case onion = 444
    case onion3 = 445
    case garlic64 = 446
    case garlic32 = 447
    case tls = 448
    case sni = 449
    case noise = 454
    case quic = 460
    case quicV1 = 461
    case webTransport = 465
    case certhash = 466
    case ws = 477
    case wss = 478
    case webSocketStar = 479
    case http = 480
    case httpPath = 481
    case memory = 777
    /// rust-libp2p's WebSocket with a path, in no table: parsed, never dialled; so is the next.
    case parityWS = 4770
    case parityWSS = 4780

    /// What stands in text.
    package var name: String {
        switch self {
        case .webRTCStar: "p2p-webrtc-star"
        case .webRTCDirectStar: "p2p-webrtc-direct"
        case .stardust: "p2p-stardust"
        case .webRTCDirect: "webrtc-direct"
        case .webRTC: "webrtc"
        case .p2pCircuit: "p2p-circuit"
        case .quicV1: "quic-v1"
        case .webTransport: "webtransport"
        case .webSocketStar: "p2p-websocket-star"
        case .httpPath: "http-path"
        case .parityWS: "x-parity-ws"
        case .parityWSS: "x-parity-wss"
        default: "\(self)"
        }
    }

    private static let byName: [String: MultiaddrProtocol] = {
        var table: [String: MultiaddrProtocol] = ["ipfs": .p2p]
        for known in allCases { table[known.name] = known }
        return table
    }()

    /// The protocol of a name in text; `ipfs` is an old name of `p2p`.
    package init?(name: some StringProtocol) {
        guard let known = Self.byName[String(name)] else { return nil }
        self = known
    }

    /// The forms values have.
    enum Form {
        case none
        case ip4
        case ip6
        /// A big-endian number of so many bytes, decimal in text.
        case number(bytes: Int)
        /// UTF-8 without `/`.
        case name
        /// An absolute path, which takes the rest of the text.
        case path
        /// UTF-8, %-escaped in text.
        case escaped
        case multihash
        case peerID
        /// So many bytes in base 32, then a port.
        case onion(bytes: Int)
        case garlic64
        case garlic32
    }

    var form: Form {
        switch self {
        case .ip4: .ip4
        case .ip6: .ip6
        case .tcp, .udp, .dccp, .sctp: .number(bytes: 2)
        case .ipcidr: .number(bytes: 1)
        case .memory: .number(bytes: 8)
        case .ip6zone, .dns, .dns4, .dns6, .dnsaddr, .sni: .name
        case .unix: .path
        case .httpPath, .parityWS, .parityWSS: .escaped
        case .certhash: .multihash
        case .p2p: .peerID
        case .onion: .onion(bytes: 10)
        case .onion3: .onion(bytes: 35)
        case .garlic64: .garlic64
        case .garlic32: .garlic32
        case .webRTCStar, .webRTCDirectStar, .stardust, .webRTCDirect, .webRTC, .p2pCircuit, .https, .tls, .noise,
            .quic, .quicV1, .webTransport, .ws, .wss, .webSocketStar, .http:
            .none
        }
    }

    /// How many bytes the value takes when that is always the same; nil when a length stands before it.
    var fixedLength: Int? {
        switch form {
        case .none: 0
        case .ip4: 4
        case .ip6: 16
        case .number(let bytes): bytes
        case .onion(let bytes): bytes + 2
        case .name, .path, .escaped, .multihash, .peerID, .garlic64, .garlic32: nil
        }
    }
}
