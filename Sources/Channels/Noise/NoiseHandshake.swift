import Crypto
package import NIOCore
package import Wire

/// One side of `Noise_XX_25519_ChaChaPoly_SHA256` as libp2p runs it (libp2p/specs noise/README.md; The Noise
/// Protocol Framework, revision 34; section 2.2 of the wire reference).
///
///     initiator  idle ──opened: → e──▶ awaitingResponse ──← e, ee, s, es / → s, se──▶ done
///     responder  idle ──opened──▶ awaitingEphemeral ──← e / → e, ee, s, es──▶ awaitingFinal ──← s, se──▶ done
///
/// Each message travels behind its length in 16 bits. The remote's key and signature, and its peer id when one is
/// expected, are checked before anything more is sent; an error means: close, and tell the remote nothing.
///
/// Limits: messages of `Limits.noiseMessage`. It keeps no time, picks no muxer and protects no records: that is
/// ``NoiseTransport``, made here at the end. WebRTC runs it with a prologue and turned roles.
package struct NoiseHandshake {
    /// Who speaks first.
    package enum Side: Equatable { case initiator, responder }

    /// An authenticated channel.
    package struct Result {
        package let remoteKey: PublicKey
        /// The muxers the remote listed; empty when it listed none.
        package let muxers: [String]
        /// Noise's channel binding.
        package let hash: [UInt8]
        package let transport: NoiseTransport
    }

    package enum Action {
        /// More bytes are needed.
        case none
        case write(ByteBuffer)
        /// Done. The initiator has a last message to send; what is left in the inbox is records.
        case finished(ByteBuffer?, Result)
    }

    private enum State {
        case idle
        case awaitingEphemeral
        case awaitingResponse
        case awaitingFinal(theirEphemeral: Curve25519.KeyAgreement.PublicKey)
        case done
    }

    private var state = State.idle
    private var symmetric: NoiseSymmetricState
    private let side: Side
    private let keys: NoiseKeys
    private let payload: ByteBuffer
    private let expected: PeerID?

    /// `muxers` is what we list in our payload; `expected` is whom we dialed, when we know.
    package init(
        _ side: Side, identity: KeyPair, keys: NoiseKeys, expecting expected: PeerID?, muxers: [String],
        prologue: [UInt8] = []
    ) {
        self.side = side
        self.keys = keys
        self.expected = expected
        symmetric = NoiseSymmetricState(protocolName: "Noise_XX_25519_ChaChaPoly_SHA256", prologue: prologue)
        payload = NoisePayload.encoded(
            identity: identity, staticKey: Array(keys.staticKey.publicKey.rawRepresentation), muxers: muxers)
    }

    /// The pipe is there: the initiator's first message.
    package mutating func opened() -> Action {
        guard case .idle = state else { return .none }
        guard side == .initiator else {
            state = .awaitingEphemeral
            return .none
        }
        state = .awaitingResponse
        var message = ByteBuffer()
        writeEphemeral(into: &message)
        symmetric.encryptAndHash([], into: &message)
        return .write(framed(message))
    }

    /// Bytes arrived. Call again after a `.write`, as long as bytes are left.
    package mutating func received(_ inbox: inout ByteBuffer) throws(NoiseError) -> Action {
        switch state {
        case .idle, .done: return .none
        case .awaitingEphemeral, .awaitingResponse, .awaitingFinal: break
        }
        guard let length = inbox.getInteger(at: inbox.readerIndex, as: UInt16.self) else { return .none }
        // Shorter than any handshake message: refused before it is complete, like the empty frame.
        guard length >= 32 else { throw .truncatedMessage }
        guard var message = inbox.readLengthPrefixedSlice(as: UInt16.self) else { return .none }
        switch state {
        case .idle, .done: return .none
        case .awaitingEphemeral: return try receivedEphemeral(&message)
        case .awaitingResponse: return try receivedResponse(&message)
        case .awaitingFinal(let ephemeral): return try receivedFinal(&message, theirEphemeral: ephemeral)
        }
    }

    /// `← e`, then `→ e, ee, s, es`. A payload is forbidden here and ignored, as everyone does.
    private mutating func receivedEphemeral(_ message: inout ByteBuffer) throws(NoiseError) -> Action {
        let theirs = try readEphemeral(&message)
        symmetric.mix(hash: message.readableBytesView)
        var reply = ByteBuffer()
        writeEphemeral(into: &reply)
        try symmetric.mix(keys.ephemeralKey, theirs)
        symmetric.encryptAndHash(keys.staticKey.publicKey.rawRepresentation, into: &reply)
        try symmetric.mix(keys.staticKey, theirs)
        symmetric.encryptAndHash(payload.readableBytesView, into: &reply)
        state = .awaitingFinal(theirEphemeral: theirs)
        return .write(framed(reply))
    }

    /// `← e, ee, s, es`, then `→ s, se`.
    private mutating func receivedResponse(_ message: inout ByteBuffer) throws(NoiseError) -> Action {
        let ephemeral = try readEphemeral(&message)
        try symmetric.mix(keys.ephemeralKey, ephemeral)
        let remoteStatic = try readStatic(&message)
        try symmetric.mix(keys.ephemeralKey, remoteStatic)
        let remote = try readPayload(message, staticKey: remoteStatic)
        var reply = ByteBuffer()
        symmetric.encryptAndHash(keys.staticKey.publicKey.rawRepresentation, into: &reply)
        try symmetric.mix(keys.staticKey, ephemeral)
        symmetric.encryptAndHash(payload.readableBytesView, into: &reply)
        return .finished(framed(reply), finish(remote))
    }

    /// `← s, se`.
    private mutating func receivedFinal(
        _ message: inout ByteBuffer, theirEphemeral: Curve25519.KeyAgreement.PublicKey
    ) throws(NoiseError) -> Action {
        let remoteStatic = try readStatic(&message)
        try symmetric.mix(keys.ephemeralKey, remoteStatic)
        let remote = try readPayload(message, staticKey: remoteStatic)
        return .finished(nil, finish(remote))
    }

    private mutating func finish(_ remote: NoisePayload) -> Result {
        state = .done
        let (forth, back) = symmetric.split()
        let transport =
            side == .initiator
            ? NoiseTransport(sealingKey: forth, openingKey: back)
            : NoiseTransport(sealingKey: back, openingKey: forth)
        return Result(remoteKey: remote.identity, muxers: remote.muxers, hash: symmetric.hash, transport: transport)
    }

    // MARK: Fields of messages

    private mutating func writeEphemeral(into message: inout ByteBuffer) {
        let key = Array(keys.ephemeralKey.publicKey.rawRepresentation)
        message.writeBytes(key)
        symmetric.mix(hash: key)
    }

    private mutating func readEphemeral(
        _ message: inout ByteBuffer
    ) throws(NoiseError) -> Curve25519.KeyAgreement.PublicKey {
        guard let bytes = message.readBytes(length: 32) else { throw .truncatedMessage }
        symmetric.mix(hash: bytes)
        return try publicKey(bytes)
    }

    private mutating func readStatic(
        _ message: inout ByteBuffer
    ) throws(NoiseError) -> Curve25519.KeyAgreement.PublicKey {
        guard let sealed = message.readSlice(length: 48) else { throw .truncatedMessage }
        return try publicKey(Array(try symmetric.decryptAndHash(sealed).readableBytesView))
    }

    private mutating func readPayload(
        _ sealed: ByteBuffer, staticKey: Curve25519.KeyAgreement.PublicKey
    ) throws(NoiseError) -> NoisePayload {
        guard sealed.readableBytes >= 16 else { throw .truncatedMessage }
        let message = try symmetric.decryptAndHash(sealed)
        let remote = try NoisePayload(message, staticKey: Array(staticKey.rawRepresentation))
        if let expected, remote.identity.peerID != expected { throw .unexpectedPeer(remote.identity.peerID) }
        return remote
    }

    private func publicKey(_ bytes: [UInt8]) throws(NoiseError) -> Curve25519.KeyAgreement.PublicKey {
        guard let key = try? Curve25519.KeyAgreement.PublicKey(rawRepresentation: bytes) else { throw .degenerateKey }
        return key
    }

    private func framed(_ message: ByteBuffer) -> ByteBuffer {
        var frame = ByteBuffer()
        // Our own payload has some 200 bytes: the length always fits.
        frame.writeInteger(UInt16(clamping: message.readableBytes))
        frame.writeImmutableBuffer(message)
        return frame
    }
}
