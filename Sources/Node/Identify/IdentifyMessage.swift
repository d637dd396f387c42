package import NIOCore
package import Wire

/// One `Identify` message as it stands on the wire (libp2p/specs identify), or several merged into one.
///
/// Reading is lenient where peers of this network differ: unknown fields, repeated singular fields (the last counts)
/// and texts that are no UTF-8 are no error. Lists are bounded by ``Limits/identifyAddresses`` and
/// ``Limits/identifyProtocols``: what is beyond is dropped. Addresses stay bytes here: a bad one must not cost the
/// message.
package struct IdentifyMessage: Equatable {
    /// The sender's public key, as protobuf.
    package var publicKey: ByteBuffer?
    package var listenAddresses: [ByteBuffer] = []
    package var protocols: [String] = []
    /// The receiver's address as the sender sees it.
    package var observedAddress: ByteBuffer?
    package var protocolVersion: String?
    package var agentVersion: String?
    /// A signed envelope around a peer record.
    package var signedPeerRecord: ByteBuffer?

    package init() {}

    /// Reads a message, without its length.
    package init(protobuf message: ByteBuffer) throws(ProtobufError) {
        try merge(protobuf: message)
    }

    /// Reads a further message into this one: singular fields are replaced, lists grow.
    package mutating func merge(protobuf message: ByteBuffer) throws(ProtobufError) {
        var reader = ProtobufReader(message)
        while let field = try reader.next() {
            switch field.number {
            case 1: publicKey = try field.bytes
            case 2:
                let address = try field.bytes
                guard address.readableBytes > 0, listenAddresses.count < Limits.identifyAddresses else { break }
                listenAddresses.append(address)
            case 3: append(protocolID: try field.bytes)
            case 4:
                let address = try field.bytes
                observedAddress = address.readableBytes > 0 ? address : nil
            case 5: protocolVersion = Self.text(try field.bytes)
            case 6: agentVersion = Self.text(try field.bytes)
            case 8: signedPeerRecord = try field.bytes
            default: break
            }
        }
    }

    private mutating func append(protocolID bytes: ByteBuffer) {
        guard protocols.count < Limits.identifyProtocols, bytes.readableBytes > 0,
            bytes.readableBytes <= Limits.identifyProtocolID,
            let name = String(validating: bytes.readableBytesView, as: UTF8.self)
        else { return }
        protocols.append(name)
    }

    /// A remote's text of at most ``Limits/identifyText`` bytes, cut between characters.
    private static func text(_ bytes: ByteBuffer) -> String {
        let whole = String(decoding: bytes.readableBytesView.prefix(Limits.identifyText), as: UTF8.self)
        return identifyText(whole)
    }

    /// The message without its length, fields in order of their numbers.
    package var protobuf: ByteBuffer {
        var buffer = ByteBuffer()
        if let publicKey { buffer.writeProtobuf(field: 1, bytes: publicKey) }
        for address in listenAddresses { buffer.writeProtobuf(field: 2, bytes: address) }
        for name in protocols { buffer.writeProtobuf(field: 3, string: name) }
        if let observedAddress { buffer.writeProtobuf(field: 4, bytes: observedAddress) }
        if let protocolVersion { buffer.writeProtobuf(field: 5, string: protocolVersion) }
        if let agentVersion { buffer.writeProtobuf(field: 6, string: agentVersion) }
        if let signedPeerRecord { buffer.writeProtobuf(field: 8, bytes: signedPeerRecord) }
        return buffer
    }

    /// The message with its length, made to fit ``Limits/identifySent``, which is all that rust-libp2p reads.
    ///
    /// What can be missed goes first: the signed record, then addresses from the end of the list, then the observed
    /// address, then protocols from the end.
    package func frame() -> ByteBuffer {
        var message = self
        message.agentVersion = agentVersion.map(identifyText)
        message.protocolVersion = protocolVersion.map(identifyText)
        var body = message.protobuf
        while body.readableBytes > Limits.identifySent {
            if message.signedPeerRecord != nil {
                message.signedPeerRecord = nil
            } else if message.listenAddresses.popLast() == nil {
                if message.observedAddress != nil {
                    message.observedAddress = nil
                } else if message.protocols.popLast() == nil {
                    message.publicKey = nil
                }
            }
            body = message.protobuf
        }
        var frame = ByteBuffer()
        frame.writeFrame(body)
        return frame
    }
}

/// The longest beginning of `text` that fits ``Limits/identifyText`` bytes and ends between characters.
private func identifyText(_ text: String) -> String {
    guard text.utf8.count > Limits.identifyText else { return text }
    var result = ""
    for character in text {
        guard result.utf8.count + character.utf8.count <= Limits.identifyText else { break }
        result.append(character)
    }
    return result
}
