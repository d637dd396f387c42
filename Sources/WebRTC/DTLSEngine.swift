package import NIOCore
package import Wire

/// Which end of the DTLS handshake: the client begins it (`a=setup:active`), the server answers (`passive`).
package enum DTLSRole: Hashable, Sendable { case client, server }

/// What happens to a DTLS association.
package enum DTLSEvent: Hashable, Sendable {
    /// The handshake is done; the remote proved it holds the key of the certificate with this fingerprint. Whether
    /// that is the expected one is for the caller to judge before it sends or believes anything.
    case connected(Fingerprint)
    /// Over; nil when the remote said close_notify or we closed. The last event.
    case closed(DTLSError?)
}

/// Why a DTLS association failed.
package struct DTLSError: Error, Hashable, Sendable {
    /// What kind of failure.
    package enum Code: Hashable, Sendable {
        /// The remote sent what the protocol forbids, or nothing we have in common.
        case handshakeFailed
        /// The remote sent a fatal alert.
        case alert
        /// The handshake took longer than `Limits.dtlsHandshakeTimeout`.
        case timeout
        /// A failure of our own library or memory.
        case internalError
    }
    package let code: Code
    /// In words, for people.
    package let message: String

    package init(_ code: Code, _ message: String) {
        (self.code, self.message) = (code, message)
    }
}

/// One DTLS 1.2 association without IO: datagrams in and out, packets in and out (RFC 6347).
///
/// Bound to one certificate by whoever made it. Its retransmission clock may be its own, but it never waits.
/// The caller: feeds, then drains `readPacket`, `nextDatagrams`, `poll`, then arranges `timedOut` by `deadline`.
package protocol DTLSEngine: AnyObject {
    var role: DTLSRole { get }
    /// Begins: the client's first flight becomes available. A server waits. Datagrams may have arrived before.
    func start(now: NIODeadline)
    /// One datagram of the remote, with one or several records. Anything undecipherable is dropped in silence.
    func received(_ datagram: ByteBuffer, now: NIODeadline)
    /// Several at once, as they came.
    func received(_ train: Datagrams, now: NIODeadline)
    /// Empties `packet` and writes the next decrypted record into it; false when there is none. `packet` is the
    /// caller's scratch space: reused, so that no packet costs an allocation.
    func readPacket(into packet: inout ByteBuffer) -> Bool
    /// Puts all decrypted records in the place of what `packets` holds; false when there are none.
    func readPackets(into packets: inout PacketBatch) -> Bool
    /// Seals one packet of at most ``largestPacket`` bytes; it becomes a datagram of ``nextDatagrams()``. False when
    /// the association is not connected, or the packet too large: then it is dropped, as a network may.
    func send(_ packet: ByteBuffer, now: NIODeadline) -> Bool
    /// Seals each of these packets; see ``send(_:now:)-(ByteBuffer,_)``.
    func send(_ packets: PacketBatch, now: NIODeadline)
    /// What is to be sent, in order, nil when nothing: trains as long as they can be.
    func nextDatagrams() -> Datagrams?
    func poll() -> DTLSEvent?
    /// The largest packet that fits a datagram of `Limits.datagramPayload` bytes.
    var largestPacket: Int { get }
    var deadline: NIODeadline { get }
    func timedOut(now: NIODeadline)
    /// Says close_notify and ends. What was queued stays to be sent.
    func close(now: NIODeadline)
}

/// What an engine does that has no quicker way.
extension DTLSEngine {
    package func received(_ train: Datagrams, now: NIODeadline) {
        var rest = train
        while let datagram = rest.popFirst() { received(datagram, now: now) }
    }

    package func readPackets(into packets: inout PacketBatch) -> Bool {
        packets.removeAll()
        var packet = ByteBuffer()
        while readPacket(into: &packet) { packets.append(packet) }
        return !packets.isEmpty
    }

    package func send(_ packets: PacketBatch, now: NIODeadline) {
        var rest = packets
        while let packet = rest.popFirst() { _ = send(packet, now: now) }
    }
}
