import Channels
import Wire

/// Why a connection ended, in words a person can act on.
func reason(of error: ConnectionError) -> String {
    switch error {
    case .negotiation: "the other side does not speak libp2p there"
    case .securityRefused: "the other side does not accept Noise encryption"
    case .muxerRefused: "the other side does not accept Yamux"
    case .noise(let error): reason(of: error)
    case .yamux: "the other side broke the multiplexing protocol"
    case .upgradeTimeout: "no secure connection within the time limit"
    case .keepAliveTimeout: "the other side fell silent"
    case .pipeClosed: "the other side closed the connection without a word"
    case .remoteGoAway(let code): "the other side ended the connection with error \(code)"
    }
}

private func reason(of error: NoiseError) -> String {
    switch error {
    case .unexpectedPeer(let peer): "another peer answers there: \(peer)"
    case .invalidIdentityKey, .invalidSignature, .malformedPayload: "the other side could not prove who it is"
    case .authenticationFailed: "what arrived was altered on the way, or the other side uses other keys"
    case .truncatedMessage, .degenerateKey, .nonceExhausted: "the other side broke the Noise protocol"
    }
}
