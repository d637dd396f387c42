package import NIOCore
package import Wire

/// Why a query brought no answer.
package enum KademliaError: Error, Equatable {
    /// No whole answer within ``Limits/kademliaTimeout``.
    case timedOut
    /// The stream ended before the answer was whole, or the peer does not speak the protocol.
    case closed
    /// A length that is no varint, or above ``Limits/kademliaMessage``.
    case framing(FramingError)
    /// An answer that is no protobuf, or holds too many peers.
    case malformed(ProtobufError)
    /// An answer to something else than was asked, or more than one.
    case unexpected

    /// Whether the peer broke the protocol, which slow or lost peers did not.
    package var isMisbehaviour: Bool {
        switch self {
        case .timedOut, .closed: false
        case .framing, .malformed, .unexpected: true
        }
    }
}

/// One FIND_NODE on a stream of `/ipfs/kad/1.0.0`: one question, one answer (libp2p/specs kad-dht).
///
///     asking ──whole answer──▶ done
///       └── error, closed, deadline ──▶ done
///
/// Limits: ``Limits/kademliaMessage`` waits in the caller's inbox, ``Limits/kademliaTimeout``. Asks nothing again and
/// keeps no stream for the next question: servers close idle ones.
package struct KademliaQuery {
    /// The protocol's id.
    package static let protocolID = "/ipfs/kad/1.0.0"

    /// What the caller does next.
    package enum Action: Equatable {
        /// Nothing before the next event.
        case none
        /// Close the stream: these peers are the closest that the other side knows.
        case answered([KademliaMessage.Peer])
        /// Reset the stream.
        case failed(KademliaError)
    }
    private enum State { case asking, done }
    private var state = State.asking
    private let target: PeerID
    /// When ``timedOut(now:)`` is due.
    package private(set) var deadline: NIODeadline

    /// The question is on its way: write ``question``.
    package init(finding target: PeerID, now: NIODeadline) {
        self.target = target
        deadline = now + Limits.kademliaTimeout
    }

    /// What to write to the stream first.
    package var question: ByteBuffer { KademliaMessage(finding: target).frame() }

    /// Bytes came.
    package mutating func received(_ inbox: inout ByteBuffer) -> Action {
        guard case .asking = state else {
            inbox.moveReaderIndex(to: inbox.writerIndex)
            return .none
        }
        let frame: ByteBuffer?
        do { frame = try inbox.readFrame(limit: Limits.kademliaMessage) } catch {
            inbox.moveReaderIndex(to: inbox.writerIndex)
            return end(.failed(.framing(error)))
        }
        guard let frame else { return .none }
        // Nothing may follow the one answer.
        let isAlone = inbox.readableBytes == 0
        inbox.moveReaderIndex(to: inbox.writerIndex)
        do {
            let answer = try KademliaMessage(protobuf: frame)
            guard answer.kind == .findNode, isAlone else { return end(.failed(.unexpected)) }
            return end(.answered(answer.closerPeers))
        } catch {
            return end(.failed(.malformed(error)))
        }
    }

    /// The remote closed or reset the stream, refused the protocol, or its connection ended.
    package mutating func closed() -> Action {
        guard case .asking = state else { return .none }
        return end(.failed(.closed))
    }

    /// The deadline came.
    package mutating func timedOut(now: NIODeadline) -> Action {
        guard case .asking = state, now >= deadline else { return .none }
        return end(.failed(.timedOut))
    }

    private mutating func end(_ action: Action) -> Action {
        state = .done
        deadline = .distantFuture
        return action
    }
}
