package import NIOCore
package import Wire

/// What a peer says of itself on the discovery topic: the protobuf `Peer { publicKey = 1, addrs = 2 }` without a
/// length before it (js-libp2p's `@libp2p/pubsub-peer-discovery`; rust-peer calls the second field `multiAddrs`).
///
/// An address that cannot be read is left out, as everywhere; js drops the whole message for it.
/// Limits: ``Limits/discoveryMessage`` bytes, ``Limits/discoveryListed`` addresses.
package struct DiscoveryMessage: Equatable {
    /// Whose addresses these are.
    package let publicKey: PublicKey
    /// As they were given.
    package let addresses: [Multiaddr]

    /// Why a message says nothing.
    package enum Failure: Error, Equatable, CustomStringConvertible {
        case tooLong
        case tooManyAddresses
        case malformed(ProtobufError)
        case noKey
        case invalidKey
        /// Nim's form: a peer id and nothing else. Harmless, and of no use to a dialer.
        case barePeerID(PeerID)

        package var description: String {
            switch self {
            case .tooLong: "the message is too long"
            case .tooManyAddresses: "it has too many addresses"
            case .malformed(let error): "it is no protobuf: \(error)"
            case .noKey: "it has no public key"
            case .invalidKey: "its public key is none"
            case .barePeerID: "it has no addresses"
            }
        }
    }

    /// A message of our own.
    package init(publicKey: PublicKey, addresses: [Multiaddr]) {
        self.publicKey = publicKey
        self.addresses = Array(addresses.prefix(Limits.discoveryAddresses))
    }

    /// Reads a message.
    package init(_ message: ByteBuffer) throws(Failure) {
        guard message.readableBytes <= Limits.discoveryMessage else { throw .tooLong }
        if let peer = Self.barePeerID(message) { throw .barePeerID(peer) }
        var key: ByteBuffer?
        var listed = 0
        var addresses: [Multiaddr] = []
        var reader = ProtobufReader(message)
        do throws(ProtobufError) {
            while let field = try reader.next() {
                switch field.number {
                case 1: key = try field.bytes
                case 2:
                    listed += 1
                    let bytes = try field.bytes
                    if listed <= Limits.discoveryListed, let address = try? Multiaddr(bytes: bytes) {
                        addresses.append(address)
                    }
                default: break
                }
            }
        } catch { throw .malformed(error) }
        guard listed <= Limits.discoveryListed else { throw .tooManyAddresses }
        guard let key else { throw .noKey }
        do { publicKey = try PublicKey(protobuf: key) } catch { throw .invalidKey }
        self.addresses = addresses
    }

    /// The message as it is published.
    package var encoded: ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeProtobuf(field: 1, bytes: publicKey.protobuf)
        for address in addresses { buffer.writeProtobuf(field: 2, bytes: address.bytes) }
        return buffer
    }

    /// A peer id in its binary form or in one of its texts: no protobuf begins like either.
    private static func barePeerID(_ message: ByteBuffer) -> PeerID? {
        guard (30...80).contains(message.readableBytes) else { return nil }
        if let peer = try? PeerID(bytes: message.readableBytesView) { return peer }
        guard let text = String(validating: message.readableBytesView, as: UTF8.self) else { return nil }
        return try? PeerID(text: text)
    }
}
