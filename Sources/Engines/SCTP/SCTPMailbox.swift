import DequeModule
import NIOCore
import WebRTC
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

/// What the callbacks of usrsctp leave for the owner of one association. A value under the lock of ``SCTPStack``.
struct SCTPMailbox: Sendable {
    /// To be sent.
    var packets = PacketBatch()
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
        guard packets.bytes.readableBytes + packet.count <= Limits.sctpOutbox else { return }
        var offset = 12
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

/// The mailboxes of all associations. Numbers only grow, so that they lie in order; mostly the one asked for is the one
/// asked for last.
struct SCTPMailboxes: Sendable {
    private var lastID: UInt = 0
    private var ids: [UInt] = []
    private var boxes: [SCTPMailbox] = []
    private var recent = 0

    /// A new mailbox; its number is not used twice.
    mutating func add() -> UInt {
        lastID += 1
        ids.append(lastID)
        boxes.append(SCTPMailbox())
        return lastID
    }

    mutating func remove(_ id: UInt) {
        guard let index = index(of: id) else { return }
        ids.remove(at: index)
        boxes.remove(at: index)
    }

    /// nil when it is gone.
    mutating func with<Result>(_ id: UInt, _ body: (inout SCTPMailbox) -> Result) -> Result? {
        guard let index = index(of: id) else { return nil }
        recent = index
        return body(&boxes[index])
    }

    private func index(of id: UInt) -> Int? {
        if recent < ids.count, ids[recent] == id { return recent }
        var (low, high) = (0, ids.count)
        while low < high {
            let middle = (low + high) / 2
            if ids[middle] < id { low = middle + 1 } else { high = middle }
        }
        return low < ids.count && ids[low] == id ? low : nil
    }
}
