package import NIOCore
package import Wire

/// Why a ping failed; each ends the stream.
package enum PingError: Error, Equatable {
    /// The echo did not arrive within ``Limits/pingTimeout``.
    case timedOut
    /// Other bytes came back than were sent.
    case wrongEcho
    /// Bytes came although no ping was out.
    case unsolicited
    /// The stream ended before the echo was there.
    case closed
}

/// The asking side of one `/ipfs/ping/1.0.0` stream: 32 random bytes out, the same 32 back, again and again
/// (libp2p/specs ping).
///
///     idle ──asked──▶ awaitingEcho ──32 bytes──▶ idle
///       └────────── error, closed ──────────┴──▶ done
///
/// One ping is out at a time. The stream stays open between pings; when the remote closes an idle one (go does after
/// a while), that is no failure: open another. Holds 32 bytes. Does not retry.
package struct Ping {
    /// The protocol's id.
    package static let protocolID = "/ipfs/ping/1.0.0"
    /// Bytes of a ping.
    package static let size = 32

    /// What the caller does next.
    package enum Action: Equatable {
        /// Nothing before the next event.
        case none
        /// Send these bytes.
        case write(ByteBuffer)
        /// The echo is here; the time from asking to now.
        case pong(TimeAmount)
        /// Reset the stream; no pong will come.
        case failed(PingError)
        /// Close the stream: no ping was out.
        case close
    }
    private enum State {
        case idle
        case awaitingEcho(ByteBuffer, sentAt: NIODeadline)
        case done
    }
    private var state = State.idle

    package init() {}

    /// Whether a ping can be asked for; while one is out, its pong serves everybody who asked meanwhile.
    package var isIdle: Bool {
        if case .idle = state { true } else { false }
    }

    /// When ``timedOut(now:)`` is due.
    package var deadline: NIODeadline {
        if case .awaitingEcho(_, let sentAt) = state { sentAt + Limits.pingTimeout } else { .distantFuture }
    }

    /// Somebody wants a round trip; nothing happens while one is under way.
    package mutating func asked(now: NIODeadline, entropy: inout Entropy) -> Action {
        guard case .idle = state else { return .none }
        let sent = ByteBuffer(bytes: entropy.bytes(Self.size))
        state = .awaitingEcho(sent, sentAt: now)
        return .write(sent)
    }

    /// Bytes came; to be called again until it answers `none`.
    package mutating func received(_ inbox: inout ByteBuffer, now: NIODeadline) -> Action {
        guard inbox.readableBytes > 0 else { return .none }
        switch state {
        case .idle:
            return fail(.unsolicited, &inbox)
        case .awaitingEcho(let sent, let sentAt):
            let count = min(inbox.readableBytes, Self.size)
            guard inbox.readableBytesView.prefix(count).elementsEqual(sent.readableBytesView.prefix(count)) else {
                return fail(.wrongEcho, &inbox)
            }
            guard count == Self.size else { return .none }
            inbox.moveReaderIndex(forwardBy: count)
            state = .idle
            return .pong(now - sentAt)
        case .done:
            inbox.moveReaderIndex(to: inbox.writerIndex)
            return .none
        }
    }

    /// The deadline came.
    package mutating func timedOut(now: NIODeadline) -> Action {
        guard case .awaitingEcho = state, now >= deadline else { return .none }
        state = .done
        return .failed(.timedOut)
    }

    /// The remote ended or reset the stream.
    package mutating func closed() -> Action {
        defer { state = .done }
        switch state {
        case .idle: return .close
        case .awaitingEcho: return .failed(.closed)
        case .done: return .none
        }
    }

    private mutating func fail(_ error: PingError, _ inbox: inout ByteBuffer) -> Action {
        inbox.moveReaderIndex(to: inbox.writerIndex)
        state = .done
        return .failed(error)
    }
}
