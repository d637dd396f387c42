package import NIOCore

/// What a DTLS association may hold, and how long its handshake may take.
extension Limits {
    /// From `start` to the end of the handshake.
    package static let dtlsHandshakeTimeout = TimeAmount.seconds(15)
    /// A flight that nobody answers is sent again after this, then after twice as long, up to the second number.
    package static let dtlsFirstRetransmission = TimeAmount.milliseconds(50)
    package static let dtlsLastRetransmission = TimeAmount.milliseconds(3200)
    /// A datagram that is looked at; a record cannot be longer.
    package static let dtlsDatagram = 16_384
    /// One handshake message of a remote: a certificate of 4096 bits of RSA takes 1.5 kB, a hello with post-quantum
    /// key shares 2 kB. OpenSSL makes room for the whole of it at the first fragment.
    package static let dtlsHandshakeMessage = 8192
    /// Number of the last handshake message looked at: a handshake has 6 of each end.
    package static let dtlsHandshakeSequence = 16
    /// Datagrams kept that came before the handshake could take them: before its start, or sealed with keys that are
    /// not agreed on yet.
    package static let dtlsEarlyDatagrams = 16
    /// Bytes of one such datagram; a longer one is dropped.
    package static let dtlsEarlyDatagram = 2048
    /// Datagrams that wait to be decrypted; more are dropped.
    package static let dtlsReceiveQueue = 512
    /// Bytes of datagrams that wait to be sent; more are dropped.
    package static let dtlsSendQueue = 1 << 20
}
