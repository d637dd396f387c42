import DequeModule
import NIOCore
import Wire

/// A stream of a ``Connection`` that has no protocol yet.
///
///     proposing ──echo──▶ opened        answering ──known proposal──▶ accepted
///        └─all refused, end, error──▶ refused       └─end, error──▶ failed
///
/// With one proposal, what the application writes goes out at once behind it; with more it is held back here, and
/// so is the end of the stream. Bytes behind the last token stay in the inbox for the protocol. The inbox never
/// holds more than the stream's receive window, which gets no credit meanwhile except for the tokens read.
struct StreamNegotiation {
    enum Side {
        case proposing(MultistreamInitiator)
        case answering(MultistreamResponder)
    }
    enum Action {
        case none
        case write(ByteBuffer)
        case opened(String)
        case accepted(String, ByteBuffer)
        case refused(StreamRefusal)
    }

    private var side: Side
    /// What arrived and was not read as tokens.
    var inbox = ByteBuffer()
    /// The remote has ended its side.
    var hasEnded = false
    let deadline: NIODeadline
    /// Nothing needs to be held back.
    let isLazy: Bool
    var held: Deque<ByteBuffer> = []
    private(set) var heldBytes = 0
    var closesWrite = false

    /// Answers a stream of the remote.
    init(answeringUntil deadline: NIODeadline) {
        side = .answering(MultistreamResponder())
        self.deadline = deadline
        isLazy = true
    }

    /// Proposes `protocols`; the bytes are to be written first.
    init(proposing protocols: [String], until deadline: NIODeadline) {
        side = .proposing(MultistreamInitiator(protocols))
        self.deadline = deadline
        isLazy = protocols.count == 1
    }

    var isOutbound: Bool {
        if case .proposing = side { true } else { false }
    }

    mutating func opened() -> ByteBuffer? {
        guard case .proposing(var initiator) = side, case .write(let bytes) = initiator.opened() else { return nil }
        side = .proposing(initiator)
        return bytes
    }

    mutating func hold(_ bytes: ByteBuffer) {
        held.append(bytes)
        heldBytes += bytes.readableBytes
    }

    mutating func append(_ bytes: ByteBuffer) {
        if inbox.readableBytes == 0 { inbox = bytes } else { inbox.writeImmutableBuffer(bytes) }
    }

    /// The next thing to do; call until it returns `.none`.
    mutating func step(supporting protocols: [String]) -> Action {
        switch side {
        case .proposing(var initiator):
            do throws(MultistreamError) {
                let action = try initiator.received(&inbox)
                side = .proposing(initiator)
                switch action {
                case .none: return hasEnded ? .refused(.ended) : .none
                case .write(let bytes): return .write(bytes)
                case .accepted(let name): return .opened(name)
                case .refused: return .refused(.unsupported)
                }
            } catch { return .refused(.violation(error)) }
        case .answering(var responder):
            do throws(MultistreamError) {
                let action = try responder.received(&inbox, supporting: protocols)
                side = .answering(responder)
                switch action {
                case .none: return hasEnded ? .refused(.ended) : .none
                case .write(let bytes): return .write(bytes)
                case .accepted(let name, let bytes): return .accepted(name, bytes)
                }
            } catch { return .refused(.violation(error)) }
        }
    }
}
