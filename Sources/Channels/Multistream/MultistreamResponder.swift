package import NIOCore
import Wire

/// The side of multistream-select 1.0.0 that answers (libp2p/specs connections/README.md, section 2.1 of the wire
/// reference).
///
///     awaitingHeader ──header──▶ awaitingProposal ──known──▶ done(protocol)
///                                 │  ▲
///                                 └na┘ unknown protocol, `ls`
///
/// It sends its own header with the first thing it has to say, so either order of headers works, and never waits
/// before it echoes. Reads no byte beyond the accepted proposal: what follows belongs to the protocol.
///
/// Limits: tokens of `Limits.multistreamToken`, `Limits.multistreamProposals` proposals. Keeps no time.
package struct MultistreamResponder {
    package enum Action: Equatable {
        /// More bytes are needed.
        case none
        /// Send this, then feed what else is in the inbox.
        case write(ByteBuffer)
        /// Send this; the protocol is agreed.
        case accepted(String, ByteBuffer)
    }

    private enum State {
        case awaitingHeader
        case awaitingProposal(count: Int)
        case done
    }
    private var state = State.awaitingHeader

    package init() {}

    /// Bytes arrived. Call again after a `.write`, as long as bytes are left.
    package mutating func received(
        _ inbox: inout ByteBuffer, supporting protocols: [String]
    ) throws(MultistreamError) -> Action {
        var reply = ByteBuffer()
        while true {
            switch state {
            case .done: return .none
            case .awaitingHeader:
                guard let token = try inbox.readToken() else { return .none }
                guard token == MultistreamToken.header else { throw .wrongHeader }
                reply.writeToken(MultistreamToken.header)
                state = .awaitingProposal(count: 0)
            case .awaitingProposal(let count):
                guard let token = try inbox.readToken() else {
                    return reply.readableBytes > 0 ? .write(reply) : .none
                }
                if protocols.contains(token) {
                    reply.writeToken(token)
                    state = .done
                    return .accepted(token, reply)
                }
                guard count < Limits.multistreamProposals else { throw .tooManyProposals }
                state = .awaitingProposal(count: count + 1)
                reply.writeToken(MultistreamToken.refusal)
            }
        }
    }
}
