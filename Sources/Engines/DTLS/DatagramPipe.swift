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
    private var inbound = Deque<ByteBuffer>()
    /// Whether the last read found nothing: then OpenSSL has looked at everything there is.
    private(set) var isStarved = false
    /// Bytes of the longest datagram ever queued: no packet out of one is longer.
    private(set) var longestReceived = 0

    /// Finished trains, oldest first.
    private var trains = Deque<Datagrams>()
    /// The train that grows, and the length of its datagrams.
    private var open = ByteBuffer()
    private var segmentSize = 0
    /// A copy of the last train that was handed out: when the socket has let go of it, its storage is ours again.
    private var spare = ByteBuffer()
    private var queuedBytes = 0

    // MARK: Inbound

    /// Queues a datagram for OpenSSL; false when there is no room.
    @discardableResult
    func received(_ datagram: ByteBuffer) -> Bool {
        guard inbound.count < Limits.dtlsReceiveQueue else { return false }
        inbound.append(datagram)
        longestReceived = max(longestReceived, datagram.readableBytes)
        return true
    }

    var hasInbound: Bool { !inbound.isEmpty }

    func forgetInbound() { inbound.removeAll() }

    /// To be called before OpenSSL, so that ``isStarved`` tells of its work.
    func expectReads() { isStarved = false }

    fileprivate func read(into target: UnsafeMutableRawBufferPointer) -> Int? {
        guard let datagram = inbound.popFirst() else {
            isStarved = true
            return nil
        }
        let count = min(datagram.readableBytes, target.count)
        datagram.withUnsafeReadableBytes { bytes in
            target.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
        }
        return count
    }

    // MARK: Outbound

    /// Couples one datagram to the last train, or begins another with it.
    func send(_ datagram: UnsafeRawBufferPointer) {
        guard datagram.count > 0, queuedBytes + datagram.count <= Limits.dtlsSendQueue else { return }
        if !fits(datagram.count) { finishTrain() }
        if open.readableBytes == 0 {
            segmentSize = datagram.count
            if open.capacity == 0 {
                open = spare
                spare = ByteBuffer()
            }
            open.clear(minimumCapacity: datagram.count)
        }
        open.writeBytes(datagram)
        queuedBytes += datagram.count
    }

    private func fits(_ count: Int) -> Bool {
        open.readableBytes == 0
            || count <= segmentSize && open.readableBytes.isMultiple(of: segmentSize)
                && open.readableBytes + count <= Limits.datagramTrain
                && open.readableBytes / segmentSize < Limits.datagramTrainCount
    }

    private func finishTrain() {
        trains.append(Datagrams(bytes: open, segmentSize: segmentSize))
        open = ByteBuffer()
    }

    /// The oldest train.
    func nextTrain() -> Datagrams? {
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
            guard let read = pipe.read(into: UnsafeMutableRawBufferPointer(start: bytes, count: Int(count))) else {
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
