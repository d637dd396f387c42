package import NIOCore
import Wire

/// The side of multistream-select 1.0.0 that proposes (libp2p/specs connections/README.md, section 2.1 of the
/// wire reference).
///
///     idle ──opened──▶ awaitingHeader ──header──▶ awaitingAnswer ──echo──▶ done(protocol)
///                                                  │  ▲
///                                                  └na┘ next proposal; none left ──▶ done(nil)
///
/// Header and first proposal leave together. With one candidate the caller may send application bytes right behind
/// them (0-RTT); it must then feed the answers here before it trusts any data. Reads no byte beyond the accepting
/// answer: what follows belongs to the protocol.
///
/// Limits: tokens of `Limits.multistreamToken`; as many answers as there are proposals. Keeps no time.
package struct MultistreamInitiator {
    package enum Action: Equatable {
        /// More bytes are needed.
        case none
        /// Send this, then feed what else is in the inbox.
        case write(ByteBuffer)
        /// The remote agreed.
        case accepted(String)
        /// Every proposal was refused.
        case refused
    }

    private enum State {
        case idle
        case awaitingHeader(proposal: Int)
        case awaitingAnswer(proposal: Int)
        case done
    }
    private var state = State.idle
    private let protocols: [String]

    /// Proposes `protocols` in their order; there is at least one.
    package init(_ protocols: [String]) { self.protocols = protocols }

    /// The pipe is there: header and first proposal.
    package mutating func opened() -> Action {
        guard case .idle = state, let first = protocols.first else { return .none }
        state = .awaitingHeader(proposal: 0)
        var bytes = ByteBuffer()
        bytes.writeToken(MultistreamToken.header)
        bytes.writeToken(first)
        return .write(bytes)
    }

    /// Bytes arrived. Call again after a `.write`, as long as bytes are left.
    package mutating func received(_ inbox: inout ByteBuffer) throws(MultistreamError) -> Action {
        while true {
            switch state {
            case .idle, .done: return .none
            case .awaitingHeader(let proposal):
                guard let token = try inbox.readToken() else { return .none }
                guard token == MultistreamToken.header else { throw .wrongHeader }
                state = .awaitingAnswer(proposal: proposal)
            case .awaitingAnswer(let proposal):
                guard let token = try inbox.readToken() else { return .none }
                return try answered(token, to: proposal)
            }
        }
    }

    private mutating func answered(_ token: String, to proposal: Int) throws(MultistreamError) -> Action {
        if token == protocols[proposal] {
            state = .done
            return .accepted(token)
        }
        guard token == MultistreamToken.refusal else { throw .unexpectedAnswer }
        guard proposal + 1 < protocols.count else {
            state = .done
            return .refused
        }
        state = .awaitingAnswer(proposal: proposal + 1)
        var bytes = ByteBuffer()
        bytes.writeToken(protocols[proposal + 1])
        return .write(bytes)
    }
}
