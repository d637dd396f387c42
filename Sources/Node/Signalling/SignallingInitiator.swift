package import ICE
package import NIOCore
package import WebRTC
import Wire

/// The offering end of one `/webrtc-signaling/0.0.1` stream (libp2p/specs webrtc/webrtc.md; section 5 of the wire
/// reference).
///
///     idle ──opened: → offer──▶ waiting ──← answer──▶ trickling ◀──candidates both ways──┐
///                                  │                      ├──────────────────────────────┘
///                                  │                      └──connected: ends the stream──▶ done
///                                  └──── error, deadline, the stream's end ──────────────────▲
///
/// Candidates of ours may leave as soon as the offer has; theirs come behind the answer. A candidate of no use ends
/// nothing. It says nothing that js-libp2p would not understand: no end of candidates, no third kind of message.
///
/// The stream's end is a failure only before the answer came: what was exchanged may be enough.
///
/// Limits: `Limits.signallingMessage` and its neighbours, `Limits.signallingTimeout`. It knows no ICE, and does not
/// judge whether a candidate may be checked: that is the agent's part.
package struct SignallingInitiator {
    /// The protocol's id.
    package static let protocolID = "/webrtc-signaling/0.0.1"

    /// What the caller does next.
    package enum Action: Equatable {
        /// Nothing before the next event.
        case none
        case write(ByteBuffer)
        case answered(SessionDescription)
        case candidate(ICECandidate)
        case endOfCandidates
        /// End the stream: nothing more is to be said.
        case close
        /// Reset the stream; no connection comes of it.
        case failed(SignallingError)
    }
    private enum State {
        case idle(SessionDescription)
        case waiting(SignallingInbox)
        case trickling(SignallingInbox)
        case done
    }
    private var state: State
    private let mid: String
    private let ufrag: String
    private var sent = 0
    /// When ``timedOut(now:)`` is due.
    package private(set) var deadline: NIODeadline

    package init(_ offer: SessionDescription, now: NIODeadline) {
        state = .idle(offer)
        (mid, ufrag) = (offer.mid, offer.credentials.ufrag)
        deadline = now + Limits.signallingTimeout
    }

    /// The stream can be written to.
    package mutating func opened() -> Action {
        guard case .idle(let offer) = state else { return .none }
        state = .waiting(SignallingInbox())
        return .write(SignallingMessage(.offer, offer.text).encoded)
    }

    /// A candidate of ours that the offer did not name.
    package mutating func found(_ candidate: ICECandidate) -> Action {
        switch state {
        case .waiting, .trickling:
            guard sent < Limits.signallingOwnCandidates else { return .none }
            sent += 1
            let json = SignalledCandidate.json(candidate, mid: mid, ufrag: ufrag)
            return .write(SignallingMessage(.candidate, json).encoded)
        case .idle, .done: return .none
        }
    }

    /// Bytes came; to be called again until it answers `none`.
    package mutating func received(_ inbox: inout ByteBuffer) -> Action {
        do throws(SignallingError) {
            switch state {
            case .idle: return .none
            case .waiting(var reader):
                let item = try reader.next(&inbox, awaiting: .answer)
                state = .waiting(reader)
                guard case .description(let text)? = item else { return .none }
                let answer = try SessionDescription(.answer, signalled: text)
                state = .trickling(reader)
                return .answered(answer)
            case .trickling(var reader):
                let item = try reader.next(&inbox, awaiting: nil)
                state = .trickling(reader)
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
        case .idle, .waiting: end(.failed(.closed))
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
