/// Why a key, a peer id or a signature was refused.
public enum KeyError: Error, Hashable, Sendable {
    /// The protobuf around a key is malformed, or not in the one form everybody writes: both fields, in order, once,
    /// with the shortest varints and nothing else.
    case malformed
    /// A key type no peer of this network has.
    case unknownType(UInt64)
    /// The key's bytes are not a key of its type, or one this program refuses: RSA below 2048 or above 8192 bits,
    /// ECDSA on another curve than P-256.
    case invalidKey
    /// Reading such a key is supported, signing with it is not.
    case cannotSign
    /// The peer id is no multihash a peer id can be.
    case invalidPeerID
}
