package import Wire

/// Why the rest of a peer's inbound stream cannot be used: the node resets that stream, not the connection.
package enum GossipError: Error, Equatable, Sendable {
    /// The length prefix is no varint, or announces more than `Limits.gossipReceived`.
    case framing(FramingError)
    /// The RPC is no protobuf, or holds more entries than its limit.
    case rpc(ProtobufError)
    /// There are `Limits.gossipPeers` peers already.
    case tooManyPeers
    /// All peers together began more frames than `Limits.gossipUnfinished`, and this one's is the longest.
    case tooMuchUnfinished
}

/// Why a message of ours was not published.
package enum PublishError: Error, Equatable, Sendable {
    /// More bytes of data than the limit.
    case tooLong(Int, limit: Int)
    /// The topic is empty or longer than `Limits.gossipTopic`.
    case invalidTopic
}

/// Why a received message was neither delivered nor forwarded (StrictSign, libp2p/specs pubsub).
package enum MessageRejection: Error, Equatable, Sendable {
    case missingTopic
    /// Empty, too long, or not UTF-8.
    case invalidTopic
    case missingFrom
    /// `from` is no peer id.
    case invalidFrom
    case missingSequenceNumber
    /// Not eight bytes.
    case invalidSequenceNumber
    case missingSignature
    case invalidSignature
    /// `from` is only a hash of the key, and the message does not carry the key.
    case missingKey
    case invalidKey(KeyError)
    /// The key belongs to another peer.
    case keyMismatch
    /// So many invalid messages came from this peer since the last heartbeat that no more are checked.
    case unchecked
}
