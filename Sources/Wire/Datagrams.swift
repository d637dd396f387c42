package import NIOCore

/// A train of datagrams of one path, one behind the other in one buffer: what segmentation offload takes and gives.
///
/// All have `segmentSize` bytes except the last, which may be shorter. One system call carries the train; the cores
/// fill and read it without a copy per datagram.
///
/// Limits: `Limits.datagramTrain` bytes, `Limits.datagramTrainCount` datagrams.
package struct Datagrams: Hashable, Sendable {
    /// The datagrams not taken yet.
    package private(set) var bytes: ByteBuffer
    /// The length of every datagram but the last; zero when there is none.
    package private(set) var segmentSize: Int

    /// An empty train.
    package init() { (bytes, segmentSize) = (ByteBuffer(), 0) }

    /// One datagram.
    package init(_ datagram: ByteBuffer) {
        (bytes, segmentSize) = (datagram, datagram.readableBytes)
    }

    /// A train as a socket received it; `segmentSize` at or below zero, or above the whole, is one datagram.
    package init(bytes: ByteBuffer, segmentSize: Int) {
        self.bytes = bytes
        self.segmentSize = segmentSize > 0 ? min(segmentSize, bytes.readableBytes) : bytes.readableBytes
    }

    package var isEmpty: Bool { bytes.readableBytes == 0 }

    /// How many datagrams there are.
    package var count: Int { segmentSize == 0 ? 0 : (bytes.readableBytes + segmentSize - 1) / segmentSize }

    /// Couples one datagram to the end.
    ///
    /// - Returns: false, and nothing happened, when it does not fit: it is longer than the others, the last one was
    ///   shorter, or the train is full. Then it starts another train.
    package mutating func append(_ datagram: some Collection<UInt8>) -> Bool {
        guard makesRoom(for: datagram.count) else { return false }
        bytes.writeBytes(datagram)
        return true
    }

    /// Couples one datagram to the end; see ``append(_:)-(Collection<UInt8>)``.
    package mutating func append(_ datagram: ByteBuffer) -> Bool {
        guard makesRoom(for: datagram.readableBytes) else { return false }
        bytes.writeImmutableBuffer(datagram)
        return true
    }

    private mutating func makesRoom(for length: Int) -> Bool {
        guard length > 0 else { return false }
        if isEmpty {
            segmentSize = length
            return true
        }
        return length <= segmentSize && bytes.readableBytes.isMultiple(of: segmentSize)
            && bytes.readableBytes + length <= Limits.datagramTrain && count < Limits.datagramTrainCount
    }

    /// Takes the first datagram: a slice, no copy.
    package mutating func popFirst() -> ByteBuffer? {
        guard segmentSize > 0 else { return nil }
        return bytes.readSlice(length: min(segmentSize, bytes.readableBytes)).flatMap {
            $0.readableBytes > 0 ? $0 : nil
        }
    }

    /// Takes the datagrams before the first whose first byte is not as wanted: a slice, no copy.
    package mutating func popFirst(while isWanted: (UInt8) -> Bool) -> Datagrams {
        var length = 0
        while length < bytes.readableBytes,
            let first = bytes.getInteger(at: bytes.readerIndex + length, as: UInt8.self), isWanted(first)
        {
            length += min(segmentSize, bytes.readableBytes - length)
        }
        guard let taken = bytes.readSlice(length: length) else { return Datagrams() }
        return Datagrams(bytes: taken, segmentSize: segmentSize)
    }
}
