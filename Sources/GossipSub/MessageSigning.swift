import NIOCore
import Wire

/// The author, sequence number and topic of a message whose form is right; its signature is not checked yet.
struct MessageHeader {
    let topic: Topic
    let from: PeerID
    let sequenceNumber: UInt64
    let id: MessageID
}

/// StrictSign (libp2p/specs pubsub, "Message Signing"): every message names its author and is signed by it.
extension WireMessage {
    /// Reads the fields everything else depends on. Cheap, so it comes before the caches and the signature.
    var header: MessageHeader {
        get throws(MessageRejection) {
            guard let topic else { throw .missingTopic }
            guard let topic = Topic(wire: topic) else { throw .invalidTopic }
            guard let from else { throw .missingFrom }
            guard let from = try? PeerID(bytes: from.readableBytesView) else { throw .invalidFrom }
            guard let sequenceNumber else { throw .missingSequenceNumber }
            guard sequenceNumber.readableBytes == 8,
                let number = sequenceNumber.getInteger(at: sequenceNumber.readerIndex, as: UInt64.self)
            else { throw .invalidSequenceNumber }
            return MessageHeader(
                topic: topic, from: from, sequenceNumber: number, id: MessageID(from: from, sequenceNumber: number))
        }
    }

    /// Checks the signature over the received fields, with the author's inlined key or with field `key`, which must
    /// belong to the author in either case.
    func verify(from: PeerID) throws(MessageRejection) {
        guard let signature else { throw .missingSignature }
        let key = try signingKey(of: from)
        guard key.isValid(signature: signature.readableBytesView, of: signedBytes.readableBytesView) else {
            throw .invalidSignature
        }
    }

    private func signingKey(of from: PeerID) throws(MessageRejection) -> PublicKey {
        guard let key else {
            guard let inlined = from.publicKey else { throw .missingKey }
            return inlined
        }
        let carried: PublicKey
        do { carried = try PublicKey(protobuf: key) } catch { throw .invalidKey(error) }
        guard carried.peerID == from else { throw .keyMismatch }
        return carried
    }
}
