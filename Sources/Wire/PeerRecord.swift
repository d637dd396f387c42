package import NIOCore

/// Where a peer says it can be reached, signed by itself, so that others may pass it on (libp2p RFC 0003).
///
/// Two forms are in use. Go, JavaScript, Python and Nim sign for the domain `libp2p-peer-record` with the payload
/// type `03 01`; the RFC's text and rust-libp2p for `libp2p-routing-state`. Both are understood, the first is made.
package struct PeerRecord: Hashable, Sendable {
    private static let payloadType: [UInt8] = [0x03, 0x01]
    private static let domain = "libp2p-peer-record"
    private static let legacyPayloadType = Array("/libp2p/routing-state-record".utf8)
    private static let legacyDomain = "libp2p-routing-state"

    package let peerID: PeerID
    /// Which of two records of a peer is the newer; never a time, whatever it looks like.
    package let sequence: UInt64
    /// At most ``Limits/peerRecordAddresses`` addresses, without a `/p2p` of the peer itself at the end.
    package let addresses: [Multiaddr]

    /// A record of our own; addresses lose their `/p2p/<self>`, and those over the limit are left out.
    package init(peerID: PeerID, sequence: UInt64, addresses: [Multiaddr]) {
        self.peerID = peerID
        self.sequence = sequence
        self.addresses = addresses.prefix(Limits.peerRecordAddresses).compactMap { address in
            address.peerID == peerID ? address.withoutPeerID : address
        }
    }

    /// Opens an envelope from the wire and reads the record in it. The signer must be the peer the record names.
    ///
    /// An address that cannot be read is left out; one too many refuses the record.
    package init(opening message: ByteBuffer) throws(EnvelopeError) {
        let envelope = try SignedEnvelope(opening: message) { payloadType in
            switch payloadType {
            case Self.payloadType: Self.domain
            case Self.legacyPayloadType: Self.legacyDomain
            default: nil
            }
        }
        var peer: ByteBuffer?
        var sequence: UInt64 = 0
        var addresses: [Multiaddr] = []
        var count = 0
        var reader = ProtobufReader(envelope.payload)
        do throws(ProtobufError) {
            while let field = try reader.next() {
                switch field.number {
                case 1: peer = try field.bytes
                case 2: sequence = try field.varint
                case 3:
                    count += 1
                    guard count <= Limits.peerRecordAddresses else {
                        throw .tooMany(field: 3, limit: Limits.peerRecordAddresses)
                    }
                    if let address = try Self.address(try field.bytes) { addresses.append(address) }
                default: break
                }
            }
        } catch { throw .protobuf(error) }
        guard let peer else { throw .protobuf(.missing(field: 1)) }
        let peerID: PeerID
        do { peerID = try PeerID(bytes: peer.readableBytesView) } catch { throw .invalidPeerID }
        guard peerID == envelope.publicKey.peerID else { throw .notTheSigner }
        self.init(peerID: peerID, sequence: sequence, addresses: addresses)
    }

    /// Reads an `AddressInfo`; nil when there is no address in it that this program knows.
    private static func address(_ message: ByteBuffer) throws(ProtobufError) -> Multiaddr? {
        var reader = ProtobufReader(message)
        var address: Multiaddr?
        while let field = try reader.next() {
            if field.number == 1 { address = try? Multiaddr(bytes: try field.bytes) }
        }
        return address
    }

    /// The protobuf `PeerRecord`.
    package var protobuf: ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeProtobuf(field: 1, bytes: peerID.bytes)
        if sequence != 0 { buffer.writeProtobuf(field: 2, varint: sequence) }
        for address in addresses {
            var info = ByteBuffer()
            info.writeProtobuf(field: 1, bytes: address.bytes)
            buffer.writeProtobuf(field: 3, bytes: info)
        }
        return buffer
    }

    /// The record in an envelope signed by `key`, in the form of go and js.
    package func sealed(by key: KeyPair) -> ByteBuffer {
        SignedEnvelope.seal(protobuf, type: Self.payloadType, domain: Self.domain, by: key).protobuf
    }
}
