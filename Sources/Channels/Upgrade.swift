import NIOCore
import Wire

/// From a raw pipe to an authenticated one with a muxer agreed (libp2p/specs connections/README.md,
/// inlined-muxer-negotiation.md; section 2 of the wire reference).
///
///     security (multistream) ──/noise──▶ handshaking ──both listed muxers──▶ done
///                                          └──otherwise──▶ muxer (multistream in records) ──/yamux/1.0.0──▶ done
///
/// We always list exactly `/yamux/1.0.0`, so no two rules for choosing from lists can disagree. What follows the
/// last byte of a step stays in the inbox for the next. It keeps no time: the connection does.
struct Upgrade {
    static let security = "/noise"
    static let muxer = "/yamux/1.0.0"

    /// The pipe after its upgrade.
    struct Secured {
        let remoteKey: PublicKey
        var transport: NoiseTransport
        /// Opened already, and the muxer's.
        var plaintext: ByteBuffer
    }

    enum Action {
        case none
        case write(ByteBuffer)
        case finished(ByteBuffer?, Secured)
    }

    private enum State {
        case idle
        case proposingSecurity(MultistreamInitiator)
        case answeringSecurity(MultistreamResponder)
        case handshaking(NoiseHandshake)
        case proposingMuxer(MultistreamInitiator, Secured)
        case answeringMuxer(MultistreamResponder, Secured)
        case done
    }
    private var state = State.idle
    private let role: Role
    private let handshake: NoiseHandshake

    init(role: Role, handshake: NoiseHandshake) {
        self.role = role
        self.handshake = handshake
    }

    /// The pipe is there: what the dialer says first.
    mutating func opened() -> ByteBuffer? {
        guard case .idle = state else { return nil }
        guard role == .dialer else {
            state = .answeringSecurity(MultistreamResponder())
            return nil
        }
        var initiator = MultistreamInitiator([Self.security])
        let action = initiator.opened()
        state = .proposingSecurity(initiator)
        guard case .write(let bytes) = action else { return nil }
        return bytes
    }

    /// Bytes arrived. Call again until it returns `.none` or `.finished`.
    mutating func received(_ inbox: inout ByteBuffer) throws(ConnectionError) -> Action {
        switch state {
        case .idle, .done: return .none
        case .proposingSecurity(var initiator):
            let action = try Self.negotiating { () throws(MultistreamError) in try initiator.received(&inbox) }
            state = .proposingSecurity(initiator)
            return try proposedSecurity(action)
        case .answeringSecurity(var responder):
            let action = try Self.negotiating { () throws(MultistreamError) in
                try responder.received(&inbox, supporting: [Self.security])
            }
            state = .answeringSecurity(responder)
            return answeredSecurity(action)
        case .handshaking(var handshake):
            let action: NoiseHandshake.Action
            do { action = try handshake.received(&inbox) } catch { throw .noise(error) }
            state = .handshaking(handshake)
            return try shook(action)
        case .proposingMuxer(var initiator, var secured):
            let action = try Self.inRecords(&inbox, &secured) { (plaintext) throws(MultistreamError) in
                let action = try initiator.received(&plaintext)
                return action == .none ? nil : action
            }
            state = .proposingMuxer(initiator, secured)
            return try proposedMuxer(action ?? .none, secured)
        case .answeringMuxer(var responder, var secured):
            let action = try Self.inRecords(&inbox, &secured) { (plaintext) throws(MultistreamError) in
                let action = try responder.received(&plaintext, supporting: [Self.muxer])
                return action == .none ? nil : action
            }
            state = .answeringMuxer(responder, secured)
            return try answeredMuxer(action ?? .none, secured)
        }
    }

    // MARK: Steps

    private mutating func proposedSecurity(_ action: MultistreamInitiator.Action) throws(ConnectionError) -> Action {
        switch action {
        case .none: return .none
        case .write(let bytes): return .write(bytes)
        case .refused: throw .securityRefused
        case .accepted: return startHandshake(after: nil)
        }
    }

    private mutating func answeredSecurity(_ action: MultistreamResponder.Action) -> Action {
        switch action {
        case .none: .none
        case .write(let bytes): .write(bytes)
        case .accepted(_, let bytes): startHandshake(after: bytes)
        }
    }

    private mutating func startHandshake(after reply: ByteBuffer?) -> Action {
        var handshake = handshake
        let first = handshake.opened()
        state = .handshaking(handshake)
        if let reply { return .write(reply) }
        guard case .write(let bytes) = first else { return .none }
        return .write(bytes)
    }

    private mutating func shook(_ action: NoiseHandshake.Action) throws(ConnectionError) -> Action {
        switch action {
        case .none: return .none
        case .write(let bytes): return .write(bytes)
        case .finished(let last, let result):
            var secured = Secured(
                remoteKey: result.remoteKey, transport: result.transport, plaintext: ByteBuffer())
            if result.muxers.contains(Self.muxer) {
                state = .done
                return .finished(last, secured)
            }
            guard role == .dialer else {
                state = .answeringMuxer(MultistreamResponder(), secured)
                // Nothing to say yet, but there may be records in the inbox.
                return .write(ByteBuffer())
            }
            var initiator = MultistreamInitiator([Self.muxer])
            var output = last ?? ByteBuffer()
            if case .write(let proposal) = initiator.opened() { try Self.seal(proposal, &secured, into: &output) }
            state = .proposingMuxer(initiator, secured)
            return .write(output)
        }
    }

    private mutating func proposedMuxer(
        _ action: MultistreamInitiator.Action, _ secured: Secured
    ) throws(ConnectionError) -> Action {
        switch action {
        case .none: return .none
        case .refused: throw .muxerRefused
        case .write(let bytes):
            var secured = secured
            var output = ByteBuffer()
            try Self.seal(bytes, &secured, into: &output)
            if case .proposingMuxer(let initiator, _) = state { state = .proposingMuxer(initiator, secured) }
            return .write(output)
        case .accepted:
            state = .done
            return .finished(nil, secured)
        }
    }

    private mutating func answeredMuxer(
        _ action: MultistreamResponder.Action, _ secured: Secured
    ) throws(ConnectionError) -> Action {
        var secured = secured
        var output = ByteBuffer()
        switch action {
        case .none: return .none
        case .write(let bytes):
            try Self.seal(bytes, &secured, into: &output)
            if case .answeringMuxer(let responder, _) = state { state = .answeringMuxer(responder, secured) }
            return .write(output)
        case .accepted(_, let bytes):
            try Self.seal(bytes, &secured, into: &output)
            state = .done
            return .finished(output, secured)
        }
    }

    // MARK: Inside

    private static func negotiating<Result>(
        _ step: () throws(MultistreamError) -> Result
    ) throws(ConnectionError) -> Result {
        do { return try step() } catch { throw .negotiation(error) }
    }

    /// Opens records until `step` has something to do, and no further: the rest may be the muxer's.
    private static func inRecords<Result>(
        _ inbox: inout ByteBuffer, _ secured: inout Secured,
        _ step: (inout ByteBuffer) throws(MultistreamError) -> Result?
    ) throws(ConnectionError) -> Result? {
        while true {
            do {
                if let result = try step(&secured.plaintext) { return result }
            } catch { throw .negotiation(error) }
            do {
                guard try secured.transport.receive(&inbox, into: &secured.plaintext) else { return nil }
            } catch { throw .noise(error) }
        }
    }

    private static func seal(
        _ bytes: ByteBuffer, _ secured: inout Secured, into output: inout ByteBuffer
    ) throws(ConnectionError) {
        do {
            try secured.transport.append(bytes, to: &output)
            try secured.transport.finish(&output)
        } catch { throw .noise(error) }
    }
}
