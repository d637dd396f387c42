package import NIOCore
package import Wire

/// Why an identify stream brought nothing; each ends the stream, none the connection.
package enum IdentifyError: Error, Equatable {
    /// No message was whole within ``Limits/identifyTimeout``.
    case timedOut
    /// The stream ended before a message was whole.
    case closed
    /// A length that is no varint, or above ``Limits/identifyMessage``: refused before any of it is there.
    case framing(FramingError)
    /// A message that is no protobuf.
    case malformed(ProtobufError)
    /// More than ``Limits/identifyMessages`` messages.
    case tooManyMessages
    /// The public key is not the one that the connection was authenticated with.
    case keyMismatch
}

/// `/ipfs/id/1.0.0`: who are you? Whoever accepts the stream tells and closes (libp2p/specs identify).
package enum Identify {
    /// The protocol's id.
    package static let protocolID = "/ipfs/id/1.0.0"

    /// What the accepting side of a stream writes before it closes its half: one message.
    ///
    /// Nothing follows it, so that there is no machine for it: write, close, and forget what still comes.
    ///
    /// - Parameters:
    ///   - identity: whose peer it is.
    ///   - agentVersion: what this software calls itself.
    ///   - protocols: what inbound streams of this connection may negotiate.
    ///   - addresses: where this peer listens; the most useful first, because the last are dropped when there is
    ///     too little room.
    ///   - observed: the remote's address as seen here.
    ///   - signedPeerRecord: the sealed envelope, when there is one.
    package static func answer(
        _ identity: KeyPair, agentVersion: String, protocols: [String], addresses: [Multiaddr], observed: Multiaddr?,
        signedPeerRecord: ByteBuffer?
    ) -> ByteBuffer {
        var message = IdentifyMessage()
        message.publicKey = identity.publicKey.protobuf
        message.listenAddresses = addresses.prefix(Limits.identifyAddresses).map(\.bytes)
        message.protocols = protocols
        message.observedAddress = observed?.bytes
        message.protocolVersion = "ipfs/0.1.0"
        message.agentVersion = agentVersion
        message.signedPeerRecord = signedPeerRecord
        return message.frame()
    }
}

/// `/ipfs/id/push/1.0.0`: something changed. Whoever opens the stream tells, with the bytes of ``Identify``,
/// and closes; whoever accepts it reads with an ``IdentifyRequest``.
package enum IdentifyPush {
    /// The protocol's id.
    package static let protocolID = "/ipfs/id/push/1.0.0"
}
