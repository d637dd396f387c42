package import Wire

/// A connection as the chat shows it: a value that replaces the one before with the same id.
package struct ConnectionRow: Equatable, Sendable {
    /// Who dialled.
    package enum Direction: String, Sendable { case inbound = "in", outbound = "out" }
    /// How far it is; the last one of each connection is `closed` or `failed`.
    package enum State: String, Sendable { case dialing, securing, open, closed, failed }

    /// A step on the way to an open connection.
    package struct Step: Equatable, Sendable {
        /// `STUN`, `DTLS`, `SCTP`, `Noise`, `first stream`.
        package var name: String
        /// From the end of the step before to its own.
        package let milliseconds: Double

        /// A step taken.
        package init(name: String, milliseconds: Double) {
            self.name = name
            self.milliseconds = milliseconds
        }
    }

    /// How well the path of datagrams does.
    package struct Path: Equatable, Sendable {
        /// How its ends were found: `host → prflx`.
        package var candidates: String
        /// Round trip of the transport, in milliseconds; nil before the first.
        package var roundTrip: Double?
        /// Bytes that may be on their way at once.
        package var window: Int
        /// Pieces sent again.
        package var resent: UInt64

        /// Figures at a moment.
        package init(candidates: String, roundTrip: Double?, window: Int, resent: UInt64) {
            (self.candidates, self.roundTrip, self.window, self.resent) = (candidates, roundTrip, window, resent)
        }

        /// `host → prflx, SCTP 0.42 ms, window 120 kB, resent 3`.
        package var text: String {
            let time = roundTrip.map { ", SCTP \(ChatState.text(milliseconds: $0))" } ?? ""
            return "\(candidates)\(time), window \(window / 1000) kB, resent \(resent)"
        }
    }

    /// A relay, and what it still allows.
    package struct Relay: Equatable, Sendable {
        /// The last letters of its peer id.
        package let name: String
        /// Whether it will end the connection after some bytes or seconds.
        package let isLimited: Bool
        /// Bytes left each way; nil without a bound.
        package let bytesLeft: UInt64?
        /// Seconds left; nil without a bound.
        package let secondsLeft: Int64?
        /// Whether the peer sends what is said in rooms over it.
        package let carriesChat: Bool

        /// What is left at a moment.
        package init(
            name: String, isLimited: Bool, bytesLeft: UInt64?, secondsLeft: Int64?, carriesChat: Bool = true
        ) {
            (self.name, self.isLimited, self.carriesChat) = (name, isLimited, carriesChat)
            (self.bytesLeft, self.secondsLeft) = (bytesLeft, secondsLeft)
        }

        /// `through 9ByRAbcd, limited: 130 kB and 1:59 left, no chat yet (go and js send none here)`.
        package var text: String {
            limits + (isLimited && !carriesChat ? ", no chat yet (go and js send none here)" : "")
        }

        private var limits: String {
            guard isLimited else { return "through \(name)" }
            let bytes = bytesLeft.map { "\($0 / 1000) kB" }
            let time = secondsLeft.map { "\($0 / 60):\($0 % 60 < 10 ? "0" : "")\($0 % 60)" }
            let left = [bytes, time].compactMap(\.self).joined(separator: " and ")
            return "through \(name), limited: \(left) left"
        }

        /// What the log says when such a connection opens; nil without limits.
        package var warning: String? {
            guard isLimited else { return nil }
            return limits + ": peers such as go and js send no chat over it, until a direct connection takes over"
        }
    }

    /// Names the connection for its lifetime.
    package let id: UInt64
    /// The other side, as far as known.
    package var peer: PeerID?
    /// Who dialled.
    package var direction: Direction
    /// `tcp`, `webrtc-direct`, …
    package var transport: String
    /// Which variant of the transport, `v1`; nil when there is but one.
    package var detail: String?
    /// The steps taken so far to make it, in order.
    package var steps: [Step] = []
    /// Nil over a byte pipe, and before there is a path.
    package var path: Path?
    /// The relay it leads through; nil for a direct one.
    package var relay: Relay?
    /// The remote address.
    package var address: String
    /// How far it is.
    package var state: State
    /// What the peer calls its software; made safe by the reducer.
    package var agent: String?
    /// The last round trip, in milliseconds.
    package var roundTrip: Double?
    /// When it became open, in unix milliseconds.
    package var openSince: Int64?
    /// Bytes received.
    package var bytesIn: UInt64 = 0
    /// Bytes sent.
    package var bytesOut: UInt64 = 0
    /// Why it closed or failed, in plain words.
    package var reason: String?

    /// A row; what is not known yet is set later.
    package init(
        id: UInt64, peer: PeerID?, direction: Direction, transport: String, address: String, state: State
    ) {
        self.id = id
        self.peer = peer
        self.direction = direction
        self.transport = transport
        self.address = address
        self.state = state
    }

    /// `webrtc-direct v1`.
    package var way: String { detail.map { "\(transport) \($0)" } ?? transport }

    /// `STUN 0.42 + DTLS 3.10 + SCTP 1.05 = 4.57 ms`; nil before the first step.
    package var journey: String? {
        guard !steps.isEmpty else { return nil }
        let all = steps.map { "\($0.name) \(ChatState.number(milliseconds: $0.milliseconds))" }.joined(separator: " + ")
        guard steps.count > 1 else { return all + " ms" }
        return "\(all) = \(ChatState.text(milliseconds: steps.reduce(0) { $0 + $1.milliseconds }))"
    }
}
