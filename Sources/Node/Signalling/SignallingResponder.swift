package import ICE
package import NIOCore
package import WebRTC
import Wire

/// The answering end of one `/webrtc-signaling/0.0.1` stream (libp2p/specs webrtc/webrtc.md; section 5 of the wire
/// reference).
///
///     waiting ──← offer──▶ deciding ──answered: → answer──▶ trickling ◀──candidates both ways──┐
///        │                    │ theirs wait in the inbox        ├───────────────────────────────┘
///        │                    │                                 └──connected: ends the stream──▶ done
///        └──── error, deadline, the stream's end ────┴───────────────────────────────────────────▲
///
/// The answer goes before any candidate: js-libp2p reads exactly one message for it. Otherwise as
/// ``SignallingInitiator``, whose limits it shares.
package struct SignallingResponder {
    /// What the caller does next.
    package enum Action: Equatable {
        /// Nothing before the next event.
        case none
        /// To be answered by ``answered(_:)``, or by the stream's reset.
        case offered(SessionDescription)
        case write(ByteBuffer)
        case candidate(ICECandidate)
        case endOfCandidates
        /// End the stream: nothing more is to be said.
        case close
        /// Reset the stream; no connection comes of it.
        case failed(SignallingError)
    }
    private enum State {
        case waiting(SignallingInbox)
        case deciding(SignallingInbox)
        case trickling(SignallingInbox, mid: String, ufrag: String)
        case done
    }
    private var state = State.waiting(SignallingInbox())
    private var sent = 0
    /// When ``timedOut(now:)`` is due.
    package private(set) var deadline: NIODeadline

    /// A stream was accepted.
    package init(now: NIODeadline) { deadline = now + Limits.signallingTimeout }

    /// Bytes came; to be called again until it answers `none`.
    package mutating func received(_ inbox: inout ByteBuffer) -> Action {
        do throws(SignallingError) {
            switch state {
            case .waiting(var reader):
                let item = try reader.next(&inbox, awaiting: .offer)
                state = .waiting(reader)
                guard case .description(let text)? = item else { return .none }
                let offer = try SessionDescription(.offer, signalled: text)
                state = .deciding(reader)
                return .offered(offer)
            case .deciding: return .none
            case .trickling(var reader, let mid, let ufrag):
                let item = try reader.next(&inbox, awaiting: nil)
                state = .trickling(reader, mid: mid, ufrag: ufrag)
                switch item {
                case .candidate(let candidate)?: return .candidate(candidate)
                case .endOfCandidates?: return .endOfCandidates
                case .description?, nil: return .none
                }
            case .done:
                inbox.moveReaderIndex(to: inbox.writerIndex)
                return .none
            }
        } catch {
            inbox.moveReaderIndex(to: inbox.writerIndex)
            return end(.failed(error))
        }
    }

    /// The offer is answered; ask ``received(_:)`` for what came behind it.
    package mutating func answered(_ answer: SessionDescription) -> Action {
        guard case .deciding(let reader) = state else { return .none }
        state = .trickling(reader, mid: answer.mid, ufrag: answer.credentials.ufrag)
        return .write(SignallingMessage(.answer, answer.text).encoded)
    }

    /// A candidate of ours that the answer did not name.
    package mutating func found(_ candidate: ICECandidate) -> Action {
        guard case .trickling(_, let mid, let ufrag) = state, sent < Limits.signallingOwnCandidates else {
            return .none
        }
        sent += 1
        let json = SignalledCandidate.json(candidate, mid: mid, ufrag: ufrag)
        return .write(SignallingMessage(.candidate, json).encoded)
    }

    /// The connection stands.
    package mutating func connected() -> Action {
        if case .done = state { return .none }
        return end(.close)
    }

    /// The deadline came.
    package mutating func timedOut(now: NIODeadline) -> Action {
        if now >= deadline { end(.failed(.timedOut)) } else { .none }
    }

    /// The remote ended or reset the stream, or its connection ended.
    package mutating func closed() -> Action {
        switch state {
        case .waiting, .deciding: end(.failed(.closed))
        case .trickling: end(.close)
        case .done: .none
        }
    }

    private mutating func end(_ action: Action) -> Action {
        state = .done
        deadline = .distantFuture
        return action
    }
}
