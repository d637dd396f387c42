import COpenSSL
import DequeModule
import NIOCore
import WebRTC
import Wire

/// What OpenSSL reads datagrams from and writes them to: a BIO that keeps their boundaries, which a memory BIO does not.
///
/// A read takes exactly one datagram, straight from the buffer it was received in. A write couples one datagram to the
/// last train; storage of a train that has been sent serves the next one, so that a record costs no allocation.
///
/// Limits: `Limits.dtlsReceiveQueue` datagrams in, `Limits.dtlsSendQueue` bytes out; beyond, datagrams are dropped.
final class DatagramPipe {
    // Each is one value, because each access to a property of an object is checked.
    private var inbound = Inbound()
    private var outbound = Outbound()

    fileprivate struct Inbound {
        var waiting = Deque<Datagrams>()
        /// Datagrams not read yet.
        var count = 0
        /// The train under way, and where its next datagram begins.
        var train = Datagrams()
        var offset = 0
        var isStarved = false
        var longest = 0
    }

    fileprivate struct Outbound {
        /// Finished trains, oldest first.
        var trains = Deque<Datagrams>()
        /// The train that grows, and the length of its datagrams.
        var open = ByteBuffer()
        var segmentSize = 0
        /// A copy of the last train that was handed out: when the socket has let go of it, its storage is ours again.
        var spare = ByteBuffer()
        var queuedBytes = 0
    }

    // MARK: Inbound

    /// Queues a datagram for OpenSSL; it is dropped when there is no room.
    func received(_ datagram: ByteBuffer) { received(Datagrams(datagram)) }

    /// Queues a train for OpenSSL; all of it is dropped when there is no room.
    func received(_ train: Datagrams) { inbound.append(train) }

    func forgetInbound() { inbound = Inbound() }

    /// To be called before OpenSSL, so that ``isStarved`` tells of its work.
    func expectReads() { inbound.isStarved = false }

    /// Whether the last read found nothing: then OpenSSL has looked at everything there is.
    var isStarved: Bool { inbound.isStarved }

    /// The same as ``expectReads()``, when there is something to read.
    ///
    /// - Returns: the bytes of the longest datagram ever queued: no packet out of one is longer. Nil without datagrams.
    func expectRead() -> Int? {
        guard inbound.count > 0 else { return nil }
        inbound.isStarved = false
        return inbound.longest
    }

    /// Bytes of the longest datagram ever queued.
    var longestReceived: Int { inbound.longest }

    // MARK: Outbound

    /// Couples one datagram to the last train, or begins another with it.
    func send(_ datagram: UnsafeRawBufferPointer) { outbound.append(datagram) }

    /// The oldest train.
    func nextTrain() -> Datagrams? { outbound.next() }

    // MARK: The BIO

    /// A BIO on this pipe, which must outlive it.
    func makeBIO() -> OpaquePointer? {
        guard let bio = BIO_new(OpaquePointer(bitPattern: Self.methods)) else { return nil }
        BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
        BIO_set_init(bio, 1)
        return bio
    }

    private static func of(_ bio: OpaquePointer?) -> DatagramPipe? {
        guard let bio, let data = BIO_get_data(bio) else { return nil }
        return Unmanaged<DatagramPipe>.fromOpaque(data).takeUnretainedValue()
    }

    /// Where OpenSSL's table of our functions is: made once, never changed after, never freed. A number, for the compiler
    /// lets no pointer cross between threads; this one may, since everybody only reads what it points to.
    private static let methods: UInt = {
        guard let method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "datagrams") else {
            preconditionFailure("OpenSSL has no memory for a BIO's functions; no remote input is involved")
        }
        BIO_meth_set_write(method) { bio, bytes, count in
            guard let pipe = DatagramPipe.of(bio), let bytes, count > 0 else { return -1 }
            pipe.send(UnsafeRawBufferPointer(start: bytes, count: Int(count)))
            return count
        }
        BIO_meth_set_read(method) { bio, bytes, count in
            guard let pipe = DatagramPipe.of(bio), let bytes, count > 0 else { return -1 }
            swift_peer_BIO_clear_retry_flags(bio)
            guard let read = pipe.inbound.read(into: UnsafeMutableRawBufferPointer(start: bytes, count: Int(count)))
            else {
                swift_peer_BIO_set_retry_read(bio)
                return -1
            }
            return Int32(truncatingIfNeeded: read)
        }
        BIO_meth_set_ctrl(method) { _, command, _, _ in
            switch command {
            // The peer's address: its keeper is ICE. "Known" keeps DTLSv1_listen from asking further.
            case BIO_CTRL_FLUSH, BIO_CTRL_DGRAM_GET_PEER: 1
            case BIO_CTRL_DGRAM_QUERY_MTU, BIO_CTRL_DGRAM_GET_FALLBACK_MTU: Limits.datagramPayload
            // Nothing pending, no timeout of ours, no overhead: `Limits.datagramPayload` counts none.
            default: 0
            }
        }
        return UInt(bitPattern: method)
    }()
}

extension DatagramPipe.Inbound {
    mutating func append(_ new: Datagrams) {
        let datagrams = new.count
        guard datagrams > 0, count + datagrams <= Limits.dtlsReceiveQueue else { return }
        count += datagrams
        longest = max(longest, new.segmentSize)
        if train.isEmpty { (train, offset) = (new, 0) } else { waiting.append(new) }
    }

    /// Copies the next datagram; nil when there is none.
    mutating func read(into target: UnsafeMutableRawBufferPointer) -> Int? {
        let rest = train.bytes.readableBytes - offset
        guard rest > 0 else {
            isStarved = true
            return nil
        }
        let length = min(train.segmentSize, rest)
        let copied = min(length, target.count)
        train.bytes.withUnsafeReadableBytes { bytes in
            target.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + copied]))
        }
        count -= 1
        offset += length
        // At once, so that the socket gets its storage back.
        if length == rest { (train, offset) = (waiting.popFirst() ?? Datagrams(), 0) }
        return copied
    }
}

extension DatagramPipe.Outbound {
    mutating func append(_ datagram: UnsafeRawBufferPointer) {
        guard datagram.count > 0, queuedBytes + datagram.count <= Limits.dtlsSendQueue else { return }
        if !fits(datagram.count) { finishTrain() }
        if open.readableBytes == 0 {
            segmentSize = datagram.count
            if open.capacity == 0 { swap(&open, &spare) }
            open.clear(minimumCapacity: datagram.count)
        }
        open.writeBytes(datagram)
        queuedBytes += datagram.count
    }

    private func fits(_ count: Int) -> Bool {
        let length = open.readableBytes
        return length == 0
            || count <= segmentSize && length.isMultiple(of: segmentSize) && length + count <= Limits.datagramTrain
                && length / segmentSize < Limits.datagramTrainCount
    }

    private mutating func finishTrain() {
        trains.append(Datagrams(bytes: open, segmentSize: segmentSize))
        // The next will be as long, and need not grow to it by halves.
        open = ByteBufferAllocator().buffer(capacity: open.capacity)
    }

    mutating func next() -> Datagrams? {
        if let train = trains.popFirst() {
            queuedBytes -= train.bytes.readableBytes
            return train
        }
        guard open.readableBytes > 0 else { return nil }
        let train = Datagrams(bytes: open, segmentSize: segmentSize)
        queuedBytes = 0
        // Storage grown by a burst is not kept for small trains.
        let isWorthKeeping = open.capacity <= 4096 || open.readableBytes >= open.capacity / 8
        spare = isWorthKeeping ? open : ByteBuffer()
        open = ByteBuffer()
        return train
    }
}
