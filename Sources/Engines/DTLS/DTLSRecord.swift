import NIOCore
import Wire

/// The frame of one DTLS record, which anyone can read (RFC 6347 §4.1): type, version, epoch, number, length, fragment.
struct DTLSRecord {
    static let headerLength = 13

    enum ContentType {
        static let changeCipherSpec: UInt8 = 20
        static let alert: UInt8 = 21
        static let handshake: UInt8 = 22
        static let applicationData: UInt8 = 23
    }

    let contentType: UInt8
    let version: UInt16
    let epoch: UInt16
    /// 48 bits.
    let sequence: UInt64
    let fragment: ByteBuffer

    /// Takes the next record of a datagram; nil when there is none, or no whole one.
    init?(reading datagram: inout ByteBuffer) {
        let start = datagram.readerIndex
        guard let contentType = datagram.getInteger(at: start, as: UInt8.self),
            let version = datagram.getInteger(at: start + 1, as: UInt16.self),
            let number = datagram.getInteger(at: start + 3, as: UInt64.self),
            let length = datagram.getInteger(at: start + 11, as: UInt16.self),
            let fragment = datagram.getSlice(at: start + Self.headerLength, length: Int(length))
        else { return nil }
        datagram.moveReaderIndex(forwardBy: Self.headerLength + Int(length))
        (self.contentType, self.version) = (contentType, version)
        (epoch, sequence) = (UInt16(truncatingIfNeeded: number >> 48), number & 0xFFFF_FFFF_FFFF)
        self.fragment = fragment
    }
}

/// One fragment of a handshake message (RFC 6347 §4.2.2).
struct DTLSHandshakeFragment {
    static let clientHello: UInt8 = 1
    static let helloVerifyRequest: UInt8 = 3

    let messageType: UInt8
    /// Of the whole message.
    let length: Int
    let messageSequence: UInt16
    let offset: Int
    let body: ByteBuffer

    /// Takes the next fragment of a handshake record; nil when there is no whole one, or it lies outside its message.
    init?(reading record: inout ByteBuffer) {
        guard let typeAndLength = record.readInteger(as: UInt32.self),
            let messageSequence = record.readInteger(as: UInt16.self),
            let offset = record.readBytes(length: 3), let count = record.readBytes(length: 3),
            let body = record.readSlice(length: Self.number(count))
        else { return nil }
        messageType = UInt8(typeAndLength >> 24)
        length = Int(typeAndLength & 0xFF_FFFF)
        self.messageSequence = messageSequence
        self.offset = Self.number(offset)
        self.body = body
        guard self.offset + body.readableBytes <= length else { return nil }
    }

    private static func number(_ bytes: [UInt8]) -> Int { bytes.reduce(0) { $0 << 8 | Int($1) } }
}
