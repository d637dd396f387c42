package import NIOCore
package import Wire

/// `Message` of `/libp2p/autonat/2/dial-request` (libp2p/specs autonat v2).
///
///     Message      { oneof { dialRequest = 1; dialResponse = 2; dialDataRequest = 3; dialDataResponse = 4 } }
///     DialRequest  { addrs = 1 repeated bytes; nonce = 2 fixed64 }
///     DialResponse { status = 1; addrIdx = 2; dialStatus = 3 }
///     DialDataRequest { addrIdx = 1; numBytes = 2 }    DialDataResponse { data = 1 bytes }
///
/// Limits: ``Limits/autoNATAddresses`` addresses; what is beyond is dropped. Of several messages in one the last counts.
package enum AutoNATMessage: Equatable {
    /// Addresses that cannot be read are nil: the index of the others must not change.
    case dialRequest([Multiaddr?], nonce: UInt64)
    case dialResponse(AutoNATStatus, index: Int, AutoNATDialStatus)
    case dialDataRequest(index: Int, bytes: UInt64)
    case dialDataResponse(ByteBuffer)

    /// Reads a message, without its length.
    package init(protobuf message: ByteBuffer) throws(ProtobufError) {
        var reader = ProtobufReader(message)
        var found: AutoNATMessage?
        while let field = try reader.next() {
            switch field.number {
            case 1: found = try Self.dialRequest(try field.bytes)
            case 2: found = try Self.dialResponse(try field.bytes)
            case 3:
                let numbers = try Self.numbers(try field.bytes)
                found = .dialDataRequest(index: try Self.index(numbers[1]), bytes: numbers[2])
            case 4: found = .dialDataResponse(try Self.data(try field.bytes))
            default: break
            }
        }
        guard let found else { throw .missing(field: 1) }
        self = found
    }

    private static func dialRequest(_ message: ByteBuffer) throws(ProtobufError) -> AutoNATMessage {
        var reader = ProtobufReader(message)
        var addresses: [Multiaddr?] = []
        var nonce: UInt64 = 0
        while let field = try reader.next() {
            switch field.number {
            case 1:
                let bytes = try field.bytes
                guard addresses.count < Limits.autoNATAddresses else { break }
                addresses.append(try? Multiaddr(bytes: bytes))
            case 2:
                guard case .fixed64(let value) = field.value else { throw .unexpectedWireType(field: 2) }
                nonce = value
            default: break
            }
        }
        return .dialRequest(addresses, nonce: nonce)
    }

    private static func dialResponse(_ message: ByteBuffer) throws(ProtobufError) -> AutoNATMessage {
        let numbers = try numbers(message)
        guard let status = AutoNATStatus(rawValue: numbers[1]) else { throw .invalidValue(field: 1) }
        guard let dialStatus = AutoNATDialStatus(rawValue: numbers[3]) else { throw .invalidValue(field: 3) }
        return .dialResponse(status, index: try index(numbers[2]), dialStatus)
    }

    /// The fields 1 to 3 of a message of varints.
    private static func numbers(_ message: ByteBuffer) throws(ProtobufError) -> [UInt64] {
        var reader = ProtobufReader(message)
        var numbers: [UInt64] = [0, 0, 0, 0]
        while let field = try reader.next() {
            if numbers.indices.contains(field.number) { numbers[field.number] = try field.varint }
        }
        return numbers
    }

    private static func index(_ number: UInt64) throws(ProtobufError) -> Int {
        guard number <= UInt64(UInt32.max) else { throw .invalidValue(field: 2) }
        return Int(number)
    }

    private static func data(_ message: ByteBuffer) throws(ProtobufError) -> ByteBuffer {
        var reader = ProtobufReader(message)
        var data = ByteBuffer()
        while let field = try reader.next() {
            if field.number == 1 { data = try field.bytes }
        }
        return data
    }

    /// The message without its length.
    package var protobuf: ByteBuffer {
        var inner = ByteBuffer()
        let number: Int
        switch self {
        case .dialRequest(let addresses, let nonce):
            number = 1
            for address in addresses { inner.writeProtobuf(field: 1, bytes: address?.bytes ?? ByteBuffer()) }
            inner.writeProtobuf(field: 2, fixed64: nonce)
        case .dialResponse(let status, let index, let dialStatus):
            number = 2
            if status.rawValue != 0 { inner.writeProtobuf(field: 1, varint: status.rawValue) }
            if index != 0 { inner.writeProtobuf(field: 2, varint: UInt64(index)) }
            if dialStatus.rawValue != 0 { inner.writeProtobuf(field: 3, varint: dialStatus.rawValue) }
        case .dialDataRequest(let index, let bytes):
            number = 3
            if index != 0 { inner.writeProtobuf(field: 1, varint: UInt64(index)) }
            if bytes != 0 { inner.writeProtobuf(field: 2, varint: bytes) }
        case .dialDataResponse(let data):
            number = 4
            if data.readableBytes > 0 { inner.writeProtobuf(field: 1, bytes: data) }
        }
        var buffer = ByteBuffer()
        buffer.writeProtobuf(field: number, bytes: inner)
        return buffer
    }

    /// The message with its length.
    package func frame() -> ByteBuffer {
        var frame = ByteBuffer()
        frame.writeFrame(protobuf)
        return frame
    }
}

/// What became of a request; the numbers of the wire.
package enum AutoNATStatus: UInt64, Sendable {
    case internalError = 0
    /// The server has no time for the asker now.
    case rejected = 100
    /// No address of the request is one that the server dials.
    case dialRefused = 101
    case ok = 200
}

/// What became of the dial; the numbers of the wire.
package enum AutoNATDialStatus: UInt64, Sendable {
    case unused = 0
    /// The address did not lead to the asker.
    case dialError = 100
    /// It did, but the dial-back stream failed.
    case dialBackError = 101
    case ok = 200
}

/// The two messages of `/libp2p/autonat/2/dial-back`.
package enum DialBackMessage {
    /// `DialBack { nonce = 1 fixed64 }`, with its length.
    package static func frame(nonce: UInt64) -> ByteBuffer {
        var body = ByteBuffer()
        body.writeProtobuf(field: 1, fixed64: nonce)
        var frame = ByteBuffer()
        frame.writeFrame(body)
        return frame
    }

    /// `DialBackResponse { status = 1 }` with status OK, which is zero and therefore not written.
    package static var response: ByteBuffer { ByteBuffer(bytes: [0]) }

    /// Reads a nonce.
    package static func nonce(protobuf message: ByteBuffer) throws(ProtobufError) -> UInt64 {
        var reader = ProtobufReader(message)
        var nonce: UInt64?
        while let field = try reader.next() {
            guard field.number == 1 else { continue }
            guard case .fixed64(let value) = field.value else { throw .unexpectedWireType(field: 1) }
            nonce = value
        }
        guard let nonce else { throw .missing(field: 1) }
        return nonce
    }

    /// Whether a response says OK.
    package static func isOK(protobuf message: ByteBuffer) throws(ProtobufError) -> Bool {
        var reader = ProtobufReader(message)
        var status: UInt64 = 0
        while let field = try reader.next() {
            if field.number == 1 { status = try field.varint }
        }
        return status == 0
    }
}
