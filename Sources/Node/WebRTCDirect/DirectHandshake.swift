package import Channels
package import NIOCore
package import WebRTC
package import Wire

/// The Noise handshake on channel 0 of a webrtc-direct connection (libp2p/specs webrtc/webrtc-direct.md; sections 4.3
/// and 4.5 of the wire reference).
///
///     listener  idle ──opened: → 1──▶ waiting ──← 2 / → 3──▶ done        dialer  waiting ──← 1 / → 2, ← 3──▶ done
///
/// The listener is Noise's initiator. The prologue binds the handshake to both certificates, the dialer's first. Its
/// messages travel in frames of libp2p's streams, cut anywhere.
///
/// Limits: `Limits.directNoiseInbox` unread bytes. What comes behind the end is nobody's; it keeps no time.
package struct DirectHandshake {
    package enum Action {
        case none
        /// A frame for the channel.
        case write(ByteBuffer)
        /// Done, perhaps with a last frame.
        case finished(ByteBuffer?, PublicKey)
    }

    private let role: Role
    private var noise: NoiseHandshake
    private var decoder = ChannelFrameDecoder()
    private var inbox = ByteBuffer()
    private var hasEnded = false
    private var isDone = false

    /// `dialer` and `listener` are the fingerprints of the two certificates.
    package init(
        role: Role, identity: KeyPair, keys: NoiseKeys, expecting peer: PeerID?, dialer: Fingerprint,
        listener: Fingerprint
    ) {
        self.role = role
        noise = NoiseHandshake(
            role == .listener ? .initiator : .responder, identity: identity, keys: keys, expecting: peer, muxers: [],
            prologue: Self.prologue(dialer: dialer, listener: listener))
    }

    /// `libp2p-webrtc-noise:`, and both fingerprints as multihashes: 88 bytes.
    package static func prologue(dialer: Fingerprint, listener: Fingerprint) -> [UInt8] {
        Array("libp2p-webrtc-noise:".utf8) + [0x12, 0x20] + dialer.bytes + [0x12, 0x20] + listener.bytes
    }

    /// The channel is there: the listener's first message.
    package mutating func opened() -> Action {
        guard case .write(let bytes) = noise.opened() else { return .none }
        return .write(ChannelFrame(data: bytes).encoded)
    }

    /// A message of the channel arrived; ask ``next()`` what to do.
    package mutating func received(_ message: ByteBuffer) {
        if !isDone { decoder.append(message) }
    }

    /// The next thing to do; ask until it is `.none`.
    package mutating func next() throws(DirectError) -> Action {
        guard !isDone else { return .none }
        while true {
            switch try shake() {
            case .none: break
            case .write(let bytes): return .write(ChannelFrame(data: bytes).encoded)
            case .finished(let last, let result):
                isDone = true
                return .finished(last.map { ChannelFrame(data: $0).encoded }, result.remoteKey)
            }
            guard !hasEnded else { throw .closedByRemote(.noise) }
            guard let frame = try nextFrame() else { return .none }
            var data = frame.data
            inbox.writeBuffer(&data)
            guard inbox.readableBytes <= Limits.directNoiseInbox else { throw .malformedHandshake }
            switch frame.flag {
            case .fin, .reset: hasEnded = true
            case .stopSending, .finAck, nil: break
            }
        }
    }

    private mutating func shake() throws(DirectError) -> NoiseHandshake.Action {
        do { return try noise.received(&inbox) } catch { throw .noise(error) }
    }

    private mutating func nextFrame() throws(DirectError) -> ChannelFrame? {
        do { return try decoder.next() } catch { throw .malformedHandshake }
    }
}
