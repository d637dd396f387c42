package import NIOCore

/// How hard SCTP tries to deliver a message (RFC 3758, RFC 8831 §6.1).
package enum Reliability: Hashable, Sendable {
    case reliable
    /// Given up after so many retransmissions; 0: sent once.
    case maxRetransmits(UInt16)
    /// Given up after so many milliseconds.
    case maxLifetime(UInt16)
}

/// The payload protocol identifiers of WebRTC (RFC 8831 §8). Any other value is possible from a remote.
package struct PayloadProtocol: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let dcep = PayloadProtocol(rawValue: 50)
    package static let text = PayloadProtocol(rawValue: 51)
    package static let binary = PayloadProtocol(rawValue: 53)
    /// One zero byte stands for no bytes at all.
    package static let emptyText = PayloadProtocol(rawValue: 56)
    package static let emptyBinary = PayloadProtocol(rawValue: 57)
}

/// One message on one stream of an association, whole.
package struct SCTPMessage: Hashable, Sendable {
    package var stream: UInt16
    package var payloadProtocol: PayloadProtocol
    /// Never empty: RFC 8831 has ``PayloadProtocol/emptyBinary`` for that.
    package var bytes: ByteBuffer
    package var isUnordered: Bool
    /// Only of meaning when sending.
    package var reliability: Reliability

    package init(
        stream: UInt16, _ payloadProtocol: PayloadProtocol, _ bytes: ByteBuffer, isUnordered: Bool = false,
        reliability: Reliability = .reliable
    ) {
        (self.stream, self.payloadProtocol, self.bytes) = (stream, payloadProtocol, bytes)
        (self.isUnordered, self.reliability) = (isUnordered, reliability)
    }
}

/// Why a message was not taken.
package enum SCTPSendError: Error, Hashable, Sendable {
    /// No room now: `SCTPEvent.writable` follows. Nothing was taken.
    case wouldBlock
    /// Larger than the association can ever send.
    case tooLarge
    /// The association has no such stream (yet): see ``SCTPEngine/outboundStreams``.
    case noStream
    /// Not connected, or no more.
    case closed
}

/// What happens to an association.
package enum SCTPEvent: Hashable, Sendable {
    case connected
    case received(SCTPMessage)
    /// There is room again after `wouldBlock`.
    case writable
    /// The remote reset its outgoing side of these streams: nothing more comes on them until they are used anew.
    case remoteReset([UInt16])
    /// Our reset of these streams was carried out; `false`: refused by the remote.
    case localReset([UInt16], performed: Bool)
    /// More streams exist now, so many outbound ones in all.
    case streamsAdded(outbound: Int)
    /// Over; nil after an orderly end. The last event.
    case closed(SCTPError?)
}

/// Why an association failed.
package struct SCTPError: Error, Hashable, Sendable {
    /// In words, for people.
    package let message: String

    package init(_ message: String) { self.message = message }
}

/// Figures of an association.
package struct SCTPStatistics: Hashable, Sendable {
    /// Smoothed round trip; nil before the first.
    package var roundTrip: TimeAmount?
    /// Bytes.
    package var congestionWindow: Int = 0
    package var unacknowledgedChunks: Int = 0
    package var retransmittedChunks: UInt64 = 0

    package init() {}
}

/// One SCTP association without IO: packets in and out, messages in and out (RFC 9260 over RFC 8261).
///
/// The caller: feeds, then drains `nextPacket` and `poll`, then arranges `timedOut` by `deadline`. Both ends `start`:
/// the collision of INITs is the normal case.
package protocol SCTPEngine: AnyObject {
    /// Sends INIT.
    func start(now: NIODeadline)
    /// One packet, decrypted. The bytes are copied.
    func received(_ packet: ByteBuffer, now: NIODeadline)
    /// Several at once, as a train of datagrams brought them.
    func received(_ packets: PacketBatch, now: NIODeadline)
    /// Empties `packet` and writes the next packet for the remote into it; false when there is none.
    func nextPacket(into packet: inout ByteBuffer) -> Bool
    /// Puts all packets for the remote in the place of what `packets` holds, whose storage serves the next ones; false
    /// when there are none.
    func takePackets(into packets: inout PacketBatch) -> Bool
    func poll() -> SCTPEvent?
    /// Takes a whole message or nothing.
    func send(_ message: SCTPMessage, now: NIODeadline) throws(SCTPSendError)
    /// The same. `isFollowed`: the next message comes in this turn, so that a packet that is not full may wait for it.
    func send(_ message: SCTPMessage, isFollowed: Bool, now: NIODeadline) throws(SCTPSendError)
    /// Streams we may send on now: ids below this.
    var outboundStreams: Int { get }
    /// Asks for more streams, both ways; `SCTPEvent.streamsAdded` follows when the remote agrees.
    func addStreams(_ count: Int, now: NIODeadline)
    /// Resets our side of streams once everything sent on them has arrived (RFC 6525).
    func resetStreams(_ streams: [UInt16], now: NIODeadline)
    /// False: messages stay inside, and when as many are there as the association has memory for, the remote must wait.
    /// Events that stand behind them wait as well. Messages that are out already are still to be polled.
    func setReceiving(_ isReceiving: Bool, now: NIODeadline)
    /// Bytes taken by `send` that the remote has not acknowledged.
    var bufferedBytes: Int { get }
    var statistics: SCTPStatistics { get }
    var deadline: NIODeadline { get }
    func timedOut(now: NIODeadline)
    /// Ends at once with an ABORT, which is the last packet.
    func abort(now: NIODeadline)
}

/// What an engine does that has no quicker way.
extension SCTPEngine {
    package func received(_ packets: PacketBatch, now: NIODeadline) {
        var rest = packets
        while let packet = rest.popFirst() { received(packet, now: now) }
    }

    package func takePackets(into packets: inout PacketBatch) -> Bool {
        packets.removeAll()
        var packet = ByteBuffer()
        while nextPacket(into: &packet) { packets.append(packet) }
        return !packets.isEmpty
    }

    package func send(_ message: SCTPMessage, isFollowed: Bool, now: NIODeadline) throws(SCTPSendError) {
        try send(message, now: now)
    }
}
