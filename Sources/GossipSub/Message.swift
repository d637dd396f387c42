package import NIOCore
package import Wire

/// A published message that passed every check.
package struct GossipMessage: Sendable, Equatable {
    /// Author ‖ sequence number.
    package let id: MessageID
    package let topic: Topic
    /// The author; has signed.
    package let from: PeerID
    /// Unix nanoseconds or any other number; unique per author.
    package let sequenceNumber: UInt64
    /// What was published.
    package let data: ByteBuffer
    /// The neighbour that sent it to us, the author or somebody between.
    package let receivedFrom: PeerID
}

/// One `Message` of an RPC, its fields as slices of the bytes it came in, judged by nobody yet.
///
/// libp2p/specs pubsub, "The Message". Absent and empty fields differ, because signatures cover the difference.
struct WireMessage {
    /// The whole message as it stands on the wire.
    private(set) var bytes: ByteBuffer
    private(set) var from: ByteBuffer?
    private(set) var data: ByteBuffer?
    private(set) var sequenceNumber: ByteBuffer?
    private(set) var topic: ByteBuffer?
    private(set) var signature: ByteBuffer?
    private(set) var key: ByteBuffer?
    /// Whether `bytes` are what everybody would write for these fields, so that they can be forwarded as they are.
    private(set) var isCanonical = false

    init(_ bytes: ByteBuffer) throws(ProtobufError) {
        self.bytes = bytes
        var reader = ProtobufReader(bytes)
        var last = 0
        var isOrdered = true
        while let field = try reader.next() {
            if field.number <= last || field.number > 6 { isOrdered = false }
            last = field.number
            switch field.number {
            case 1: from = try field.bytes
            case 2: data = try field.bytes
            case 3: sequenceNumber = try field.bytes
            case 4: topic = try field.bytes
            case 5: signature = try field.bytes
            case 6: key = try field.bytes
            default: break
            }
        }
        isCanonical = isOrdered && encodedLength == bytes.readableBytes
    }

    /// A message of our own.
    init(from: PeerID, data: ByteBuffer, sequenceNumber: UInt64, topic: Topic, signedBy identity: KeyPair) {
        self.from = ByteBuffer(bytes: from.bytes)
        self.data = data
        self.sequenceNumber = ByteBuffer(integer: sequenceNumber)
        self.topic = ByteBuffer(string: topic.name)
        bytes = ByteBuffer()
        signature = ByteBuffer(bytes: identity.signature(of: signedBytes.readableBytesView))
        bytes = encoded
        isCanonical = true
    }

    private static let signaturePrefix = ByteBuffer(string: "libp2p-pubsub:")

    /// What the signature is of: a prefix and fields 1 to 4, written canonically.
    var signedBytes: ByteBuffer {
        var buffer = Self.signaturePrefix
        buffer.reserveCapacity(minimumWritableBytes: encodedLength)
        writeSignedFields(to: &buffer)
        return buffer
    }

    /// The fields in canonical form; unknown fields are gone.
    private var encoded: ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(encodedLength)
        writeSignedFields(to: &buffer)
        if let signature { buffer.writeProtobuf(field: 5, bytes: signature) }
        if let key { buffer.writeProtobuf(field: 6, bytes: key) }
        return buffer
    }

    private func writeSignedFields(to buffer: inout ByteBuffer) {
        if let from { buffer.writeProtobuf(field: 1, bytes: from) }
        if let data { buffer.writeProtobuf(field: 2, bytes: data) }
        if let sequenceNumber { buffer.writeProtobuf(field: 3, bytes: sequenceNumber) }
        if let topic { buffer.writeProtobuf(field: 4, bytes: topic) }
    }

    private var encodedLength: Int {
        func length(_ field: ByteBuffer?) -> Int {
            guard let count = field?.readableBytes else { return 0 }
            return 1 + uvarintLength(UInt64(count)) + count
        }
        return length(from) + length(data) + length(sequenceNumber) + length(topic) + length(signature) + length(key)
    }

    /// The bytes to forward and to keep, and the data among them: canonical, and in a buffer of their own when the
    /// one they came in is much larger, so that a small message does not keep a megabyte alive.
    func settled() -> (bytes: ByteBuffer, data: ByteBuffer) {
        let bytes: ByteBuffer
        if !isCanonical {
            bytes = encoded
        } else if self.bytes.storageCapacity > 2 * self.bytes.readableBytes + 1024 {
            bytes = ByteBuffer(bytes: self.bytes.readableBytesView)
        } else {
            return (self.bytes, data ?? ByteBuffer())
        }
        // `data` stands behind `from`, in front of which nothing else can be in canonical form.
        let fromLength = from.map { 1 + uvarintLength(UInt64($0.readableBytes)) + $0.readableBytes } ?? 0
        let length = data?.readableBytes ?? 0
        let start = bytes.readerIndex + fromLength + (data == nil ? 0 : 1 + uvarintLength(UInt64(length)))
        return (bytes, bytes.getSlice(at: start, length: length) ?? ByteBuffer())
    }
}
