import DequeModule
import NIOCore
import Wire

/// Keeps apart what a handshake can take now and what has to wait, before OpenSSL sees it.
///
/// OpenSSL would keep records of keys not agreed on yet in 17 KiB each, a hundred of them, and makes room for a whole
/// handshake message at its first fragment. Here the former wait as they are, few and small, and a message longer than
/// any real one never gets in. What is dropped was broken, or comes again.
///
/// Limits: `Limits.dtlsEarlyDatagrams` of `Limits.dtlsEarlyDatagram` bytes, `Limits.dtlsHandshakeMessage`.
struct EarlyDatagrams {
    private var kept = Deque<ByteBuffer>()

    /// Keeps a copy: the datagram may be a slice of something large.
    mutating func keep(_ datagram: ByteBuffer) {
        guard kept.count < Limits.dtlsEarlyDatagrams, (1...Limits.dtlsEarlyDatagram).contains(datagram.readableBytes)
        else { return }
        kept.append(ByteBuffer(bytes: datagram.readableBytesView))
    }

    mutating func takeAll() -> Deque<ByteBuffer> {
        defer { kept.removeAll() }
        return kept
    }

    /// Takes from a datagram what OpenSSL can read now, nil when there is nothing: call again after it has read that, for
    /// the keys of the rest may be in force then. At last, ``keep(_:)`` the rest.
    ///
    /// - Parameter expectsFinished: whether the remote's new keys are in force: its Finished may pass then, its
    ///   application data still not.
    static func admissible(of datagram: inout ByteBuffer, expectsFinished: Bool) -> ByteBuffer? {
        var rest = datagram
        var admitted = datagram.readerIndex
        while let record = DTLSRecord(reading: &rest) {
            if record.epoch > 0 {
                guard expectsFinished, record.contentType != DTLSRecord.ContentType.applicationData else { break }
            } else if !isAcceptable(record) {
                // Nothing behind it is to be trusted either.
                defer { datagram.moveReaderIndex(to: datagram.writerIndex) }
                return slice(of: datagram, to: admitted)
            }
            admitted = rest.readerIndex
        }
        defer { datagram.moveReaderIndex(to: admitted) }
        return slice(of: datagram, to: admitted)
    }

    private static func slice(of datagram: ByteBuffer, to end: Int) -> ByteBuffer? {
        end > datagram.readerIndex
            ? datagram.getSlice(at: datagram.readerIndex, length: end - datagram.readerIndex) : nil
    }

    private static func isAcceptable(_ record: DTLSRecord) -> Bool {
        switch record.contentType {
        case DTLSRecord.ContentType.changeCipherSpec, DTLSRecord.ContentType.alert: return true
        case DTLSRecord.ContentType.handshake:
            var messages = record.fragment
            while messages.readableBytes > 0 {
                guard let fragment = DTLSHandshakeFragment(reading: &messages),
                    fragment.length <= Limits.dtlsHandshakeMessage,
                    fragment.messageSequence <= Limits.dtlsHandshakeSequence
                else { return false }
            }
            return true
        default: return false
        }
    }
}
