import NIOCore
public import Wire

/// What a peer says about itself (libp2p/specs identify). Texts are the peer's own: at most 256 bytes each, of any
/// characters; make them safe before a person sees them.
public struct IdentifyInfo: Sendable, Equatable {
    /// The authenticated peer that says so.
    public let peer: PeerID
    /// What it calls its software: `universal-connectivity/go-peer`; nil when it does not say.
    public internal(set) var agentVersion: String?
    /// The network it belongs to: `ipfs/0.1.0`; nil when it does not say.
    public internal(set) var protocolVersion: String?
    /// The protocols it accepts, in its order, each once.
    public internal(set) var protocols: [String] = []
    /// Where it listens: the addresses of its signed record when that is genuine, else those it lists. Without
    /// `/p2p/<its id>` at the end.
    public internal(set) var listenAddresses: [Multiaddr] = []
    /// Our own address as it sees it. One peer's word: not to be announced on that alone.
    public internal(set) var observedAddress: Multiaddr?
    /// Whether ``listenAddresses`` are signed by the peer.
    public internal(set) var hasSignedRecord = false

    /// Nothing is known yet.
    package init(peer: PeerID) { self.peer = peer }
}

extension IdentifyInfo {
    /// Takes in what an identify or a push says.
    ///
    /// Fields that are there replace what was known, fields that are not change nothing. A push of go is a full
    /// snapshot, one of js a part, and one of rust without protocols means that they stay: this rule is right for
    /// each. Addresses that cannot be read are skipped, and so is a record that is not genuine.
    ///
    /// - Throws: ``IdentifyError/keyMismatch`` when the message carries another peer's key, or none that can be read;
    ///   nothing is taken in then.
    package mutating func merge(_ message: IdentifyMessage) throws(IdentifyError) {
        if let key = message.publicKey {
            guard let key = try? PublicKey(protobuf: key), key.peerID == peer else { throw .keyMismatch }
        }
        if let text = message.agentVersion { agentVersion = text }
        if let text = message.protocolVersion { protocolVersion = text }
        if !message.protocols.isEmpty {
            var seen: Set<String> = []
            protocols = message.protocols.filter { seen.insert($0).inserted }
        }
        if let bytes = message.observedAddress, let address = try? Multiaddr(bytes: bytes) { observedAddress = address }
        if let record = message.signedPeerRecord.flatMap(signedAddresses) {
            listenAddresses = unique(record)
            hasSignedRecord = true
        } else if !message.listenAddresses.isEmpty {
            listenAddresses = unique(message.listenAddresses.compactMap { try? Multiaddr(bytes: $0) })
            hasSignedRecord = false
        }
    }

    /// The addresses of a record that this peer signed about itself, in either of the two forms in use.
    private func signedAddresses(_ envelope: ByteBuffer) -> [Multiaddr]? {
        guard let record = try? PeerRecord(opening: envelope), record.peerID == peer else { return nil }
        return record.addresses
    }

    private func unique(_ addresses: [Multiaddr]) -> [Multiaddr] {
        var seen: Set<Multiaddr> = []
        return addresses.prefix(Limits.identifyAddresses).compactMap { address in
            let bare = address.peerID == peer ? address.withoutPeerID : address
            guard let bare, seen.insert(bare).inserted else { return nil }
            return bare
        }
    }
}
