import Channels
import NIOCore
import Wire

/// How a connection through a relay hangs on the connection to that relay: one stream of it is the byte pipe.
struct CircuitPipe {
    let relay: PeerID
    /// The connection that carries it; nil while the relay is being reached.
    var carrier: ConnectionID?
    /// The stream of the carrier.
    var stream: StreamID?
    /// What the relay allows; nil without bounds, and while that is not known.
    var limit: RelayLimit?
    /// When the relay agreed.
    var openedAt: NIODeadline?
    /// When the last step of the way began.
    var stepAt: NIODeadline
    /// When a quarter of the time is left; `.distantFuture` without a bound, and once that was told.
    private(set) var warnAt = NIODeadline.distantFuture
    private var isWarned = false
    /// The carrier holds all it should.
    var isFull = false

    init(relay: PeerID, now: NIODeadline) { (self.relay, stepAt) = (relay, now) }

    /// The relay agreed, and said what it allows.
    mutating func opened(_ limit: RelayLimit?, now: NIODeadline) {
        (self.limit, openedAt) = (limit, now)
        guard let seconds = limit?.seconds, seconds > 0 else { return }
        warnAt = now + .nanoseconds(Int64(seconds) * 750_000_000)
    }

    /// Whether this is the moment to tell that the limits run out: once, when a quarter of either is left.
    mutating func runsOut(sent: UInt64, received: UInt64, now: NIODeadline) -> Bool {
        guard let limit, !isWarned else { return false }
        let isLate = warnAt <= now
        let isHeavy = limit.bytes > 0 && max(sent, received) >= limit.bytes - limit.bytes / 4
        guard isLate || isHeavy else { return false }
        (isWarned, warnAt) = (true, .distantFuture)
        return true
    }

    /// What a person may know of it, after so many bytes each way.
    func info(sent: UInt64, received: UInt64, now: NIODeadline) -> ConnectionInfo.Relay {
        var info = ConnectionInfo.Relay(peer: relay, limit: limit)
        guard let limit, let openedAt else { return info }
        if limit.bytes > 0 { info.bytesLeft = limit.bytes - min(limit.bytes, max(sent, received)) }
        if limit.seconds > 0 {
            let left = Int64(limit.seconds) * 1_000_000_000 - (now - openedAt).nanoseconds
            info.timeLeft = .nanoseconds(max(0, left))
        }
        return info
    }

    /// Whether the relay's limits are used up: then its end of the circuit is no surprise.
    func isUsedUp(sent: UInt64, received: UInt64, now: NIODeadline) -> Bool {
        let info = info(sent: sent, received: received, now: now)
        // The relay's clock and ours differ by the time of a message.
        return (info.timeLeft.map { $0 < .seconds(1) } ?? false) || (info.bytesLeft.map { $0 < 1024 } ?? false)
    }
}

/// A circuit of our own relay: the streams of its two peers.
struct Bridge {
    struct End {
        let connection: NodeConnection
        let stream: NodeStream
        /// The stream is gone from its connection.
        var isClosed = false
        /// We have written all we will.
        var isWritten = false
    }
    var hop: End
    /// Nil until the other peer is asked.
    var stop: End?
    /// Both ends agreed: bytes move.
    var isOpen = false

    subscript(_ side: RelayServer.Side) -> End? {
        get { side == .hop ? hop : stop }
        set {
            guard let newValue else { return }
            if side == .hop { hop = newValue } else { stop = newValue }
        }
    }
}

extension RelayServer.Side {
    var other: RelayServer.Side { self == .hop ? .stop : .hop }
}
