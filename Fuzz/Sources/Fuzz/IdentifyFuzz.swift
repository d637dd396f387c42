import NIOCore
import Node
import Wire

/// Who a peer says it is: identify, and the signed envelopes and peer records in it.
enum IdentifyFuzz {
    static func run(_ input: UnsafeBufferPointer<UInt8>) {
        let bytes = ByteBuffer(bytes: input)
        _ = try? PeerRecord(opening: bytes)
        _ = try? PublicKey(protobuf: bytes)
        _ = try? PeerID(bytes: Array(input))
        guard let message = try? IdentifyMessage(protobuf: bytes) else { return }
        precondition(message.listenAddresses.count <= Limits.identifyAddresses, "more addresses than allowed")
        if let record = message.signedPeerRecord { _ = try? PeerRecord(opening: record) }
    }
}
