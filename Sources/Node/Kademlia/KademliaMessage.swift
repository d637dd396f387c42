package import NIOCore
package import Wire

/// `Message` of `/ipfs/kad/1.0.0`, as far as a client needs it: FIND_NODE and its answer (libp2p/specs kad-dht).
///
///     Message { type = 1 enum; key = 2 bytes; closerPeers = 8 repeated Peer }   Peer { id = 1; addrs = 2 repeated }
///
/// Reading is lenient in what costs nothing: unknown fields, a peer whose id is none, an address that cannot be
/// read. Limits: ``Limits/kademliaCloserPeers``, ``Limits/kademliaAddressesRead``. Records and providers are not
/// looked at.
package struct KademliaMessage: Equatable {
    /// What a message is; the numbers of the wire.
    package enum Kind: UInt64 {
        case putValue = 0, getValue, addProvider, getProviders, findNode, ping
    }

    /// A peer that somebody knows of.
    package struct Peer: Equatable {
        package let id: PeerID
        /// Its addresses as they were given, with or without `/p2p` at the end.
        package let addresses: [Multiaddr]

        package init(id: PeerID, addresses: [Multiaddr]) {
            (self.id, self.addresses) = (id, addresses)
        }
    }

    /// Absent is ``Kind/putValue``; nil is a number nobody knows.
    package var kind: Kind?
    /// FIND_NODE: the bytes of the id that is looked for.
    package var key: ByteBuffer?
    /// The peers closest to the key that the answerer knows.
    package var closerPeers: [Peer] = []

    /// Asks for the peers closest to `target`.
    package init(finding target: PeerID) {
        kind = .findNode
        key = ByteBuffer(bytes: target.bytes)
    }

    /// An answer: a peer of the simulator, or of a test, is the one that gives some.
    package init(answering key: ByteBuffer?, with peers: [Peer]) {
        kind = .findNode
        self.key = key
        closerPeers = peers
    }

    /// Reads a message, without its length.
    package init(protobuf message: ByteBuffer) throws(ProtobufError) {
        kind = .putValue
        var reader = ProtobufReader(message)
        var peers = 0
        while let field = try reader.next() {
            switch field.number {
            case 1: kind = Kind(rawValue: try field.varint)
            case 2: key = try field.bytes
            case 8:
                peers += 1
                guard peers <= Limits.kademliaCloserPeers else {
                    throw .tooMany(field: 8, limit: Limits.kademliaCloserPeers)
                }
                if let peer = try Self.peer(try field.bytes) { closerPeers.append(peer) }
            default: break
            }
        }
    }

    private static func peer(_ message: ByteBuffer) throws(ProtobufError) -> Peer? {
        var reader = ProtobufReader(message)
        var id: PeerID?
        var addresses: [Multiaddr] = []
        var read = 0
        while let field = try reader.next() {
            switch field.number {
            case 1: id = try? PeerID(bytes: try field.bytes.readableBytesView)
            case 2:
                let bytes = try field.bytes
                read += 1
                guard read <= Limits.kademliaAddressesRead, let address = try? Multiaddr(bytes: bytes) else { break }
                addresses.append(address)
            default: break
            }
        }
        return id.map { Peer(id: $0, addresses: addresses) }
    }

    /// The message without its length, fields in order of their numbers.
    package var protobuf: ByteBuffer {
        var buffer = ByteBuffer()
        if let kind, kind != .putValue { buffer.writeProtobuf(field: 1, varint: kind.rawValue) }
        if let key { buffer.writeProtobuf(field: 2, bytes: key) }
        for peer in closerPeers {
            var inner = ByteBuffer()
            inner.writeProtobuf(field: 1, bytes: peer.id.bytes)
            for address in peer.addresses { inner.writeProtobuf(field: 2, bytes: address.bytes) }
            buffer.writeProtobuf(field: 8, bytes: inner)
        }
        return buffer
    }

    /// The message with its length.
    package func frame() -> ByteBuffer {
        var frame = ByteBuffer()
        frame.writeFrame(protobuf)
        return frame
    }
}
