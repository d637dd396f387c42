import ICE
import NIOCore
import WebRTC
import Wire

/// Reads messages off a signalling stream, within their budgets. Both ends of an exchange use it.
struct SignallingInbox {
    /// A message that is for somebody.
    enum Item {
        case description(ByteBuffer)
        case candidate(ICECandidate)
        case endOfCandidates
    }

    private var candidates = 0
    private var ignored = 0

    /// The next message; nil when more bytes are needed.
    ///
    /// - Parameter awaited: the description whose turn it is; nil: only candidates may come.
    mutating func next(
        _ inbox: inout ByteBuffer, awaiting awaited: SignallingMessage.Kind?
    ) throws(SignallingError) -> Item? {
        while let message = try read(&inbox) {
            if let awaited, message.kind == awaited { return .description(message.data) }
            switch message.kind {
            case .other:
                ignored += 1
                guard ignored <= Limits.signallingUnknown else { throw .tooManyMessages }
            case .candidate where awaited == nil:
                candidates += 1
                guard candidates <= Limits.signallingCandidates else { throw .tooManyCandidates }
                switch SignalledCandidate(json: message.data) {
                case .candidate(let candidate): return .candidate(candidate)
                case .end: return .endOfCandidates
                case .useless: break
                }
            case .offer, .answer, .candidate: throw .unexpected(message.kind)
            }
        }
        return nil
    }

    private func read(_ inbox: inout ByteBuffer) throws(SignallingError) -> SignallingMessage? {
        let frame: ByteBuffer?
        do { frame = try inbox.readFrame(limit: Limits.signallingMessage) } catch { throw .framing(error) }
        guard let frame else { return nil }
        do { return try SignallingMessage(message: frame) } catch { throw .malformed(error) }
    }
}

extension SessionDescription {
    /// Reads the data of a message.
    init(_ kind: Kind, signalled data: ByteBuffer) throws(SignallingError) {
        guard data.readableBytes <= Limits.sdp else { throw .description(.tooLong) }
        do { try self.init(kind, parsing: String(buffer: data)) } catch { throw .description(error) }
    }
}
