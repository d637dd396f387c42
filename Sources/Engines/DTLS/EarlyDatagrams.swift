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
        guard kept.count < Limits.dtlsEarlyDatagrams, datagram.readableBytes <= Limits.dtlsEarlyDatagram else { return }
        kept.append(ByteBuffer(bytes: datagram.readableBytesView))
    }

    mutating func takeAll() -> Deque<ByteBuffer> {
        defer { kept.removeAll() }
        return kept
    }

    /// The part of a datagram for OpenSSL to read now, nil when there is none; the rest is kept or dropped.
    ///
    /// - Parameter expectsFinished: whether the remote's new keys are in force: its Finished may pass then, its
    ///   application data still not.
    mutating func admit(_ datagram: ByteBuffer, expectsFinished: Bool) -> ByteBuffer? {
        var rest = datagram
        var admitted = 0
        while case let start = rest.readerIndex, let record = DTLSRecord(reading: &rest) {
            if record.epoch > 0 {
                guard !expectsFinished || record.contentType == DTLSRecord.ContentType.applicationData else {
                    admitted += rest.readerIndex - start
                    continue
                }
                rest.moveReaderIndex(to: start)
                keep(rest)
                break
            }
            guard Self.isAcceptable(record) else { break }
            admitted += rest.readerIndex - start
        }
        return admitted > 0 ? datagram.getSlice(at: datagram.readerIndex, length: admitted) : nil
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
