import DequeModule
import NIOCore
import Wire

/// What usrsctp says of an association, as its callbacks leave it for the owner.
enum SCTPNotice: Sendable {
    /// A message, or a part of one.
    case received(stream: UInt16, payloadProtocol: UInt32, ByteBuffer, isUnordered: Bool, isWhole: Bool)
    case up(outbound: Int, inbound: Int)
    /// Over. `cause`: why, nil when the remote ended it in order.
    case down(cause: String?)
    /// The remote begins to shut down.
    case shutdown
    /// Nothing listed: all streams.
    case remoteReset([UInt16])
    case localReset([UInt16], performed: Bool)
    /// An end asked for more streams. These are there now.
    case streams(outbound: Int, inbound: Int)
}

/// Packets one behind the other in one buffer, each after its length: no allocation per packet.
struct SCTPPacketQueue: Sendable {
    private var bytes = ByteBuffer()
    /// Where the last packet begins if it may give way to the next one.
    private var lastAcknowledgement: Int?
    /// How many have given way since the last that will leave.
    private var superseded = 0

    var isEmpty: Bool { bytes.readableBytes == 0 }
    var count: Int { bytes.readableBytes }

    /// Puts a packet at the end; drops it when the queue has `Limits.sctpOutbox` bytes.
    mutating func append(_ packet: UnsafeRawBufferPointer) {
        guard let length = UInt16(exactly: packet.count), length > 0, count + packet.count <= Limits.sctpOutbox else {
            return
        }
        if isEmpty { bytes.clear() }
        lastAcknowledgement = nil
        bytes.writeInteger(length)
        bytes.writeBytes(packet)
    }

    /// Puts a packet with nothing but an acknowledgement at the end, in the place of one that has not left yet: it says
    /// everything that one said. Of a train of datagrams that arrived in one call, each second one is acknowledged, and
    /// what that costs both ends is a quarter of all. One in `Limits.sctpSupersededAcknowledgements` stays all the
    /// same: the remote opens its window by their number (RFC 9260 §7.2.1).
    mutating func append(acknowledgement packet: UnsafeRawBufferPointer) {
        if let start = lastAcknowledgement, !isEmpty, start >= bytes.readerIndex,
            superseded < Limits.sctpSupersededAcknowledgements
        {
            bytes.moveWriterIndex(to: start)
            superseded += 1
        } else {
            superseded = 0
        }
        if isEmpty { bytes.clear() }
        let start = bytes.writerIndex
        append(packet)
        if bytes.writerIndex > start { lastAcknowledgement = start }
    }

    /// Behind one another; the limit counts for the first only.
    mutating func append(contentsOf other: SCTPPacketQueue) {
        if isEmpty { bytes.clear() }
        lastAcknowledgement = nil
        bytes.writeImmutableBuffer(other.bytes)
    }

    /// Empties `packet` and copies the first one into it; false when there is none.
    mutating func pop(into packet: inout ByteBuffer) -> Bool {
        packet.clear()
        guard let length: UInt16 = bytes.readInteger() else { return false }
        bytes.readWithUnsafeReadableBytes { all in
            let count = min(Int(length), all.count)
            packet.writeBytes(UnsafeRawBufferPointer(rebasing: all[..<count]))
            return count
        }
        if isEmpty {
            if bytes.capacity > Limits.sctpOutboxKept { bytes = ByteBuffer() } else { bytes.clear() }
        }
        return true
    }
}

/// What the callbacks of usrsctp leave for the owner of one association. A value under the lock of ``SCTPStack``.
struct SCTPMailbox: Sendable {
    /// To be sent.
    var packets = SCTPPacketQueue()
    /// In order. Messages in here are bounded by the window usrsctp grants and by what the owner feeds: it takes
    /// them after every packet.
    var notices: Deque<SCTPNotice> = []
    /// Bytes free in the send buffer, as the last acknowledgement left them.
    var sendRoom: Int?
    /// DATA chunks that left more than once: a transmission number at or below the highest that left before.
    private(set) var retransmittedChunks: UInt64 = 0
    private var highestNumber: UInt32?

    /// A packet leaves: counts, and keeps it.
    mutating func sent(_ packet: UnsafeRawBufferPointer) {
        var offset = 12
        if packet.count >= 16, packet[12] == 3, packet.count == 12 + (Int(packet[14]) << 8 | Int(packet[15])) {
            return packets.append(acknowledgement: packet)
        }
        while offset + 8 <= packet.count {
            let length = Int(packet[offset + 2]) << 8 | Int(packet[offset + 3])
            guard length >= 4 else { break }
            if packet[offset] == 0 { numbered(packet.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self)) }
            offset += (length + 3) & ~3
        }
        packets.append(packet)
    }

    private mutating func numbered(_ bigEndian: UInt32) {
        let number = UInt32(bigEndian: bigEndian)
        guard let highest = highestNumber else {
            highestNumber = number
            return
        }
        // Serial arithmetic (RFC 1982): the numbers wrap.
        if Int32(bitPattern: number &- highest) > 0 {
            highestNumber = number
        } else {
            retransmittedChunks += 1
        }
    }
}
