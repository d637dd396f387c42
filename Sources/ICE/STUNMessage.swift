package import NIOCore
package import Wire

/// 96 random bits that tie a response to its request.
package struct STUNTransactionID: Hashable, Sendable {
    package let high: UInt32
    package let low: UInt64

    package init(high: UInt32, low: UInt64) { (self.high, self.low) = (high, low) }

    /// A new one.
    init(from entropy: inout Entropy) {
        (high, low) = (UInt32(truncatingIfNeeded: entropy.next()), entropy.next())
    }

    /// A new one, for who is outside this room.
    package static func random(from entropy: inout Entropy) -> STUNTransactionID { STUNTransactionID(from: &entropy) }
}

/// Why bytes are not a STUN message that can be acted on.
package enum STUNError: Error, Hashable, Sendable {
    /// No header, no cookie, or first bits that are not zero.
    case notSTUN
    /// Above `Limits.stunMessage` or `Limits.stunAttributes`.
    case tooLarge
    /// The header's length is not what came, or an attribute leads out of the message.
    case length
    /// A known attribute with a value that cannot be.
    case attribute(STUNAttributeType)
    /// A FINGERPRINT that is wrong or not at the end.
    case fingerprint
}

/// One STUN message (RFC 8489 §5): `type 16 | length 16 | cookie 32 | transaction 96`, then attributes.
///
/// A value, read whole and checked: length, cookie, every known attribute, and FINGERPRINT if there is one. It keeps
/// the bytes it came in, without a copy, so that ``isAuthentic(by:)`` judges what was received and not what was
/// understood. What stands behind MESSAGE-INTEGRITY is ignored, but FINGERPRINT; of two attributes of a type the
/// first counts.
///
/// Limits: `Limits.stunMessage`, `Limits.stunAttributes` and those of the texts. Stateless: who waits for what
/// answer is the agents' business. TURN's methods and attributes pass through as raw ones.
package struct STUNMessage: Sendable {
    /// What a message is, by two bits of its type.
    package enum Class: UInt16, Hashable, Sendable {
        case request = 0x0000
        case indication = 0x0010
        case success = 0x0100
        case error = 0x0110
    }

    /// What is asked for: 12 bits.
    package struct Method: RawRepresentable, Hashable, Sendable {
        package let rawValue: UInt16
        package init(rawValue: UInt16) { self.rawValue = rawValue }
        package static let binding = Method(rawValue: 0x001)
        // RFC 8656 §17.
        package static let allocate = Method(rawValue: 0x003)
        package static let refresh = Method(rawValue: 0x004)
        package static let send = Method(rawValue: 0x006)
        package static let data = Method(rawValue: 0x007)
        package static let createPermission = Method(rawValue: 0x008)
        package static let channelBind = Method(rawValue: 0x009)
    }

    package static let headerLength = 20
    package static let cookie: UInt32 = 0x2112_A442
    static let fingerprintMask: UInt32 = 0x5354_554E

    package let messageClass: Class
    package let method: Method
    package let transaction: STUNTransactionID
    /// In order, without MESSAGE-INTEGRITY, what follows it, and FINGERPRINT.
    package let attributes: [STUNAttribute]
    /// The bytes it was read from, and where MESSAGE-INTEGRITY begins in them.
    private let received: ByteBuffer
    private let integrity: Int?
    /// Whether it came with a FINGERPRINT, which then was right.
    package let hasFingerprint: Bool

    /// A message to be sent.
    package init(
        _ messageClass: Class, _ method: Method = .binding, transaction: STUNTransactionID,
        attributes: [STUNAttribute] = []
    ) {
        (self.messageClass, self.method, self.transaction) = (messageClass, method, transaction)
        self.attributes = attributes
        (received, integrity, hasFingerprint) = (ByteBuffer(), nil, false)
    }

    /// Whether it came with a MESSAGE-INTEGRITY; right or not says ``isAuthentic(by:)``.
    package var hasIntegrity: Bool { integrity != nil }

    /// Whether it came with a MESSAGE-INTEGRITY made with `key`.
    package func isAuthentic(by key: STUNKey) -> Bool {
        guard let integrity,
            let length = UInt16(exactly: integrity + 4 + STUNKey.codeLength - Self.headerLength),
            let code = received.viewBytes(at: received.readerIndex + integrity + 4, length: STUNKey.codeLength)
        else { return false }
        return key.isValid(code, of: received, count: integrity, length: length)
    }

    /// Types that we would have to understand and do not: a request that has some is answered with 420.
    package var unknownRequired: [STUNAttributeType] {
        attributes.filter { !$0.isKnown && $0.type.isComprehensionRequired }.map(\.type)
    }

    // MARK: The first attribute of each type

    package var username: String? { first { if case .username(let text) = $0 { text } else { nil } } }
    package var priority: UInt32? { first { if case .priority(let number) = $0 { number } else { nil } } }
    package var xorMappedAddress: TransportAddress? {
        first { if case .xorMappedAddress(let address) = $0 { address } else { nil } }
    }
    package var mappedAddress: TransportAddress? {
        first { if case .mappedAddress(let address) = $0 { address } else { nil } }
    }
    package var errorCode: STUNErrorCode? { first { if case .errorCode(let error) = $0 { error } else { nil } } }
    package var iceControlling: UInt64? { first { if case .iceControlling(let number) = $0 { number } else { nil } } }
    package var iceControlled: UInt64? { first { if case .iceControlled(let number) = $0 { number } else { nil } } }
    package var software: String? { first { if case .software(let text) = $0 { text } else { nil } } }
    package var realm: String? { first { if case .realm(let text) = $0 { text } else { nil } } }
    package var nonce: String? { first { if case .nonce(let text) = $0 { text } else { nil } } }
    package var channelNumber: UInt16? { first { if case .channelNumber(let number) = $0 { number } else { nil } } }
    /// Seconds.
    package var lifetime: UInt32? { first { if case .lifetime(let seconds) = $0 { seconds } else { nil } } }
    package var xorPeerAddress: TransportAddress? {
        first { if case .xorPeerAddress(let address) = $0 { address } else { nil } }
    }
    package var xorRelayedAddress: TransportAddress? {
        first { if case .xorRelayedAddress(let address) = $0 { address } else { nil } }
    }
    package var data: ByteBuffer? { first { if case .data(let bytes) = $0 { bytes } else { nil } } }
    package var usesCandidate: Bool { attributes.contains(.useCandidate) }

    private func first<Value>(_ value: (STUNAttribute) -> Value?) -> Value? {
        for attribute in attributes { if let found = value(attribute) { return found } }
        return nil
    }
}

// MARK: Reading

extension STUNMessage {
    /// Whether a datagram with this first byte can be STUN (RFC 7983 §7).
    package static func isSTUN(firstByte: UInt8) -> Bool { firstByte < 4 }

    /// Whether a datagram can be STUN: its first byte and the cookie. Looks at nothing else.
    package static func isSTUN(_ datagram: ByteBuffer) -> Bool {
        guard datagram.readableBytes >= headerLength,
            let first = datagram.getInteger(at: datagram.readerIndex, as: UInt8.self),
            let found = datagram.getInteger(at: datagram.readerIndex + 4, as: UInt32.self)
        else { return false }
        return isSTUN(firstByte: first) && found == cookie
    }

    /// Whether a datagram is a Binding message of any class: what ICE and STUN servers say, and TURN does not.
    package static func isBinding(_ datagram: ByteBuffer) -> Bool {
        guard isSTUN(datagram), let type = datagram.getInteger(at: datagram.readerIndex, as: UInt16.self) else {
            return false
        }
        return type & ~0x0110 == Method.binding.rawValue
    }

    /// The header's type, its length having been compared with the datagram's.
    private static func type(of datagram: ByteBuffer) throws(STUNError) -> UInt16 {
        guard isSTUN(datagram),
            let (type, length) = datagram.getMultipleIntegers(
                at: datagram.readerIndex, as: (UInt16, UInt16).self)
        else { throw .notSTUN }
        guard datagram.readableBytes <= Limits.stunMessage else { throw .tooLarge }
        guard length % 4 == 0, datagram.readableBytes == headerLength + Int(length) else { throw .length }
        return type
    }

    /// The USERNAME of a Binding request, for a demultiplexer: nothing is verified, nothing else is read; nil when
    /// it is not a Binding request with a USERNAME of at most `Limits.stunUsername` bytes.
    package static func username(of datagram: ByteBuffer) -> String? {
        guard let type = try? type(of: datagram), type == Class.request.rawValue | Method.binding.rawValue else {
            return nil
        }
        var cursor = AttributeCursor(datagram)
        while case .found(let type, let start, let length)? = try? cursor.next() {
            if type == .messageIntegrity { return nil }
            guard type == .username else { continue }
            guard length <= Limits.stunUsername, let bytes = datagram.viewBytes(at: start, length: length) else {
                return nil
            }
            return String(validating: bytes, as: UTF8.self)
        }
        return nil
    }

    /// Reads a whole datagram.
    package init(parsing datagram: ByteBuffer) throws(STUNError) {
        let type = try Self.type(of: datagram)
        let bits = type & 0x0110
        guard let messageClass = Class(rawValue: bits),
            let (high, low) = datagram.getMultipleIntegers(
                at: datagram.readerIndex + 8, as: (UInt32, UInt64).self)
        else { throw .notSTUN }
        // The method's bits lie around the two of the class (RFC 8489 §5, figure 3).
        let method = Method(rawValue: type & 0x000F | (type & 0x00E0) >> 1 | (type & 0x3E00) >> 2)
        let transaction = STUNTransactionID(high: high, low: low)

        var attributes: [STUNAttribute] = []
        var integrity: Int?
        var hasFingerprint = false
        var cursor = AttributeCursor(datagram)
        while case .found(let type, let start, let length) = try cursor.next() {
            let offset = start - 4 - datagram.readerIndex
            if type == .fingerprint {
                try Self.checkFingerprint(datagram, at: offset, length: length)
                hasFingerprint = true
            } else if integrity != nil {
                continue
            } else if type == .messageIntegrity {
                guard length == STUNKey.codeLength else { throw .attribute(type) }
                integrity = offset
            } else {
                guard let value = datagram.getSlice(at: start, length: length),
                    let attribute = STUNAttribute(type, value: value, transaction: transaction)
                else { throw .attribute(type) }
                attributes.append(attribute)
            }
        }
        (self.messageClass, self.method, self.transaction) = (messageClass, method, transaction)
        (self.attributes, self.integrity, self.hasFingerprint) = (attributes, integrity, hasFingerprint)
        received = datagram
    }

    /// It must be last and right; `offset` is where its type stands.
    private static func checkFingerprint(_ datagram: ByteBuffer, at offset: Int, length: Int) throws(STUNError) {
        guard length == 4, offset + 8 == datagram.readableBytes,
            let value = datagram.getInteger(at: datagram.readerIndex + offset + 4, as: UInt32.self)
        else { throw .fingerprint }
        var checksum = CRC32()
        checksum.update(datagram, count: offset)
        guard checksum.value ^ fingerprintMask == value else { throw .fingerprint }
    }
}

/// Walks over the attributes of a datagram whose header was found right.
private struct AttributeCursor {
    enum Step { case found(STUNAttributeType, start: Int, length: Int), end }

    private let datagram: ByteBuffer
    private var index: Int
    private var count = 0

    init(_ datagram: ByteBuffer) {
        self.datagram = datagram
        index = datagram.readerIndex + STUNMessage.headerLength
    }

    mutating func next() throws(STUNError) -> Step {
        guard index < datagram.writerIndex else { return .end }
        guard count < Limits.stunAttributes else { throw .tooLarge }
        guard let (type, length) = datagram.getMultipleIntegers(at: index, as: (UInt16, UInt16).self) else {
            throw .length
        }
        let start = index + 4
        let end = start + (Int(length) + 3) & ~3
        guard end <= datagram.writerIndex else { throw .length }
        index = end
        count += 1
        return .found(STUNAttributeType(rawValue: type), start: start, length: Int(length))
    }
}

// MARK: Writing

extension STUNMessage {
    /// The bytes to send: with MESSAGE-INTEGRITY when there is a key, and with FINGERPRINT.
    ///
    /// The attributes are ours; nothing here bounds them.
    package func encoded(key: STUNKey? = nil, fingerprint: Bool = true) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(256)
        let number = method.rawValue
        let type = messageClass.rawValue | number & 0x000F | (number & 0x0070) << 1 | (number & 0x0F80) << 2
        buffer.writeMultipleIntegers(type, UInt16(0), Self.cookie, transaction.high, transaction.low)
        for attribute in attributes { attribute.write(to: &buffer, transaction: transaction) }
        if let key {
            let length = buffer.writerIndex - Self.headerLength + 4 + STUNKey.codeLength
            let code = key.sign(buffer, count: buffer.writerIndex, length: UInt16(truncatingIfNeeded: length))
            buffer.writeMultipleIntegers(
                STUNAttributeType.messageIntegrity.rawValue, UInt16(truncatingIfNeeded: STUNKey.codeLength))
            buffer.writeBytes(code)
        }
        let length = buffer.writerIndex - Self.headerLength + (fingerprint ? 8 : 0)
        buffer.setInteger(UInt16(truncatingIfNeeded: length), at: 2)
        if fingerprint {
            var checksum = CRC32()
            checksum.update(buffer, count: buffer.writerIndex)
            buffer.writeMultipleIntegers(
                STUNAttributeType.fingerprint.rawValue, UInt16(4), checksum.value ^ Self.fingerprintMask)
        }
        return buffer
    }
}
