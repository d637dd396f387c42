package import NIOCore
package import Wire

/// Why a voucher was refused.
package enum VoucherError: Error, Equatable, Sendable {
    /// No envelope for this purpose with a valid signature.
    case envelope(EnvelopeError)
    /// What is inside is no voucher.
    case malformed
    /// It is signed by, or names, another relay.
    case otherRelay
    /// It names another peer.
    case otherPeer
    /// It is over already.
    case expired

    var words: String {
        switch self {
        case .envelope: "its signature does not hold"
        case .malformed: "it cannot be read"
        case .otherRelay: "it is another relay's"
        case .otherPeer: "it is for another peer"
        case .expired: "it is over already"
        }
    }
}

/// A relay's signed word that a peer may be reached through it until a time (libp2p/specs circuit-v2).
///
/// Payload type and domain are those that every implementation uses; the specification's multicodec 0x0302 stands in
/// the envelope as the two bytes `03 02`.
package struct ReservationVoucher: Hashable, Sendable {
    private static let payloadType: [UInt8] = [0x03, 0x02]
    private static let domain = "libp2p-relay-rsvp"

    package let relay: PeerID
    package let peer: PeerID
    /// Seconds since 1970.
    package let expires: UInt64

    package init(relay: PeerID, peer: PeerID, expires: UInt64) {
        (self.relay, self.peer, self.expires) = (relay, peer, expires)
    }

    /// Opens an envelope and holds it to what it must say: signed by `relay`, about `relay` and `peer`, not over at
    /// `now` seconds since 1970.
    package init(opening message: ByteBuffer, from relay: PeerID, for peer: PeerID, now: UInt64) throws(VoucherError) {
        let envelope: SignedEnvelope
        do throws(EnvelopeError) {
            envelope = try SignedEnvelope(opening: message) { $0 == Self.payloadType ? Self.domain : nil }
        } catch { throw .envelope(error) }
        guard let voucher = try? Self(payload: envelope.payload) else { throw .malformed }
        guard envelope.publicKey.peerID == relay, voucher.relay == relay else { throw .otherRelay }
        guard voucher.peer == peer else { throw .otherPeer }
        guard voucher.expires > now else { throw .expired }
        self = voucher
    }

    private init(payload: ByteBuffer) throws {
        var relay: PeerID?
        var peer: PeerID?
        var expires: UInt64 = 0
        var reader = ProtobufReader(payload)
        while let field = try reader.next() {
            switch field.number {
            case 1: relay = try PeerID(bytes: try field.bytes.readableBytesView)
            case 2: peer = try PeerID(bytes: try field.bytes.readableBytesView)
            case 3: expires = try field.varint
            default: break
            }
        }
        guard let relay, let peer else { throw VoucherError.malformed }
        self.init(relay: relay, peer: peer, expires: expires)
    }

    /// The voucher in an envelope signed by `key`.
    package func sealed(by key: KeyPair) -> ByteBuffer {
        var payload = ByteBuffer()
        payload.writeProtobuf(field: 1, bytes: relay.bytes)
        payload.writeProtobuf(field: 2, bytes: peer.bytes)
        payload.writeProtobuf(field: 3, varint: expires)
        return SignedEnvelope.seal(payload, type: Self.payloadType, domain: Self.domain, by: key).protobuf
    }
}
