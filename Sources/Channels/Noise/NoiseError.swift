package import Wire

/// Why a Noise handshake or record failed. The remote is never told which.
package enum NoiseError: Error, Equatable {
    /// A message shorter than its pattern demands, or of length 0.
    case truncatedMessage
    /// A message that does not decrypt: wrong key, replayed, reordered or altered.
    case authenticationFailed
    /// A Diffie-Hellman result of all zeros: a degenerate public key.
    case degenerateKey
    /// The payload is not a `NoiseHandshakePayload` with a key and a signature.
    case malformedPayload
    /// The identity key cannot be read.
    case invalidIdentityKey
    /// The identity key did not sign the static key.
    case invalidSignature
    /// Another peer than the one dialed.
    case unexpectedPeer(PeerID)
    /// 2^64 - 1 records were exchanged in one direction.
    case nonceExhausted
}
