package import NIOCore
package import Wire

/// The serving side of one `dial-request` stream (libp2p/specs autonat v2).
///
///     reading ──request──▶ deciding ──decide──▶ dialing ──dialled──▶ done
///                              │  └──▶ collecting ──all data──▶ dialing
///                              └──▶ done (refused)
///
/// The caller decides: whether the asker may ask now, which address it dials, and whether data is to be paid first,
/// without which a stranger could have a server knock at a victim's door for a few bytes. Data is counted, never
/// kept. Limits: ``Limits/autoNATRequestTimeout``, then ``Limits/autoNATDialTimeout`` and
/// ``Limits/autoNATDialBackTimeout``.
package struct AutoNATServer {
    /// What the caller does next.
    package enum Action: Equatable {
        case none
        /// Call ``decide(_:now:)``.
        case requested([Multiaddr?], nonce: UInt64)
        case write(ByteBuffer)
        /// Dial the address and say the nonce there, then call ``dialed(_:)``.
        case dial(Multiaddr, nonce: UInt64)
        /// Write and close the stream.
        case finish(ByteBuffer)
        /// Reset the stream.
        case failed(AutoNATError)
    }
    /// What the caller makes of a request.
    package enum Decision: Equatable {
        case refuse(AutoNATStatus)
        case dial(index: Int)
        /// Dial when so many bytes have come.
        case demand(index: Int, bytes: Int)
    }
    private struct Question {
        let addresses: [Multiaddr?]
        let nonce: UInt64
    }
    private enum State {
        case reading
        case deciding(Question)
        case collecting(Question, index: Int, missing: Int)
        case dialing(index: Int)
        case done
    }
    private var state = State.reading
    /// When ``timedOut(now:)`` is due.
    package private(set) var deadline: NIODeadline

    /// A peer opened a stream.
    package init(now: NIODeadline) { deadline = now + Limits.autoNATRequestTimeout }

    /// Bytes came; to be called again until it answers `none`.
    package mutating func received(_ inbox: inout ByteBuffer, now: NIODeadline) -> Action {
        switch state {
        case .done:
            inbox.moveReaderIndex(to: inbox.writerIndex)
            return .none
        case .deciding, .dialing:
            // The asker has nothing to say meanwhile.
            return inbox.readableBytes == 0 ? .none : fail(.unexpected, &inbox)
        case .reading, .collecting: break
        }
        let message: AutoNATMessage?
        do throws(AutoNATError) { message = try inbox.readAutoNATMessage() } catch { return fail(error, &inbox) }
        guard let message else { return .none }
        switch (state, message) {
        case (.reading, .dialRequest(let addresses, let nonce)):
            state = .deciding(Question(addresses: addresses, nonce: nonce))
            return .requested(addresses, nonce: nonce)
        case (.collecting(let question, let index, let missing), .dialDataResponse(let data)):
            let count = data.readableBytes
            guard count <= Limits.autoNATDataBlock, count >= min(missing, Limits.autoNATDataBlockLeast) else {
                return fail(.unexpected, &inbox)
            }
            if count < missing {
                state = .collecting(question, index: index, missing: missing - count)
                return received(&inbox, now: now)
            }
            return dial(index, of: question, now: now)
        default: return fail(.unexpected, &inbox)
        }
    }

    /// What is to become of the request.
    package mutating func decide(_ decision: Decision, now: NIODeadline) -> Action {
        guard case .deciding(let question) = state else { return .none }
        switch decision {
        case .refuse(let status):
            return end(.finish(AutoNATMessage.dialResponse(status, index: 0, .unused).frame()))
        case .dial(let index): return dial(index, of: question, now: now)
        case .demand(let index, let bytes):
            state = .collecting(question, index: index, missing: bytes)
            return .write(AutoNATMessage.dialDataRequest(index: index, bytes: UInt64(max(0, bytes))).frame())
        }
    }

    private mutating func dial(_ index: Int, of question: Question, now: NIODeadline) -> Action {
        guard question.addresses.indices.contains(index), let address = question.addresses[index] else {
            return end(.finish(AutoNATMessage.dialResponse(.dialRefused, index: 0, .unused).frame()))
        }
        state = .dialing(index: index)
        deadline = now + Limits.autoNATDialTimeout + Limits.autoNATDialBackTimeout
        return .dial(address, nonce: question.nonce)
    }

    /// What became of the dial.
    package mutating func dialed(_ status: AutoNATDialStatus) -> Action {
        guard case .dialing(let index) = state else { return .none }
        return end(.finish(AutoNATMessage.dialResponse(.ok, index: index, status).frame()))
    }

    /// The remote ended or reset the stream. Its half may end while we dial: it has asked all it will.
    package mutating func closed() -> Action {
        switch state {
        case .done, .dialing, .deciding: .none
        case .reading, .collecting: end(.failed(.closed))
        }
    }

    /// The deadline came: a dial that takes so long has failed.
    package mutating func timedOut(now: NIODeadline) -> Action {
        guard now >= deadline else { return .none }
        switch state {
        case .done: return .none
        case .dialing: return dialed(.dialError)
        case .reading, .deciding, .collecting: return end(.failed(.timedOut))
        }
    }

    private mutating func fail(_ error: AutoNATError, _ inbox: inout ByteBuffer) -> Action {
        inbox.moveReaderIndex(to: inbox.writerIndex)
        return end(.failed(error))
    }

    private mutating func end(_ action: Action) -> Action {
        state = .done
        deadline = .distantFuture
        return action
    }
}
