package import NIOCore
package import Wire

/// The number of an attribute (RFC 8489 §18.3). Below 0x8000 a request with an unknown one must be refused.
package struct STUNAttributeType: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt16

    package init(rawValue: UInt16) { self.rawValue = rawValue }

    package static let mappedAddress = STUNAttributeType(rawValue: 0x0001)
    package static let username = STUNAttributeType(rawValue: 0x0006)
    package static let messageIntegrity = STUNAttributeType(rawValue: 0x0008)
    package static let errorCode = STUNAttributeType(rawValue: 0x0009)
    package static let unknownAttributes = STUNAttributeType(rawValue: 0x000A)
    package static let channelNumber = STUNAttributeType(rawValue: 0x000C)
    package static let lifetime = STUNAttributeType(rawValue: 0x000D)
    package static let xorPeerAddress = STUNAttributeType(rawValue: 0x0012)
    package static let data = STUNAttributeType(rawValue: 0x0013)
    package static let xorRelayedAddress = STUNAttributeType(rawValue: 0x0016)
    package static let requestedAddressFamily = STUNAttributeType(rawValue: 0x0017)
    package static let requestedTransport = STUNAttributeType(rawValue: 0x0019)
    package static let realm = STUNAttributeType(rawValue: 0x0014)
    package static let nonce = STUNAttributeType(rawValue: 0x0015)
    package static let xorMappedAddress = STUNAttributeType(rawValue: 0x0020)
    package static let priority = STUNAttributeType(rawValue: 0x0024)
    package static let useCandidate = STUNAttributeType(rawValue: 0x0025)
    package static let software = STUNAttributeType(rawValue: 0x8022)
    package static let fingerprint = STUNAttributeType(rawValue: 0x8028)
    package static let iceControlled = STUNAttributeType(rawValue: 0x8029)
    package static let iceControlling = STUNAttributeType(rawValue: 0x802A)

    /// Whether who does not know it must not act on the message.
    package var isComprehensionRequired: Bool { rawValue < 0x8000 }
}

/// ERROR-CODE: 300 to 699, and words (RFC 8489 §14.8, RFC 8445 §16.1).
package struct STUNErrorCode: Hashable, Sendable {
    package let number: UInt16
    package let reason: String

    package init(_ number: UInt16, _ reason: String) { (self.number, self.reason) = (number, reason) }

    package static let unknownAttribute = STUNErrorCode(420, "Unknown Attribute")
    package static let roleConflict = STUNErrorCode(487, "Role Conflict")
}

/// One attribute of a message, but MESSAGE-INTEGRITY and FINGERPRINT, which ``STUNMessage`` handles itself.
package enum STUNAttribute: Hashable, Sendable {
    case mappedAddress(TransportAddress)
    case xorMappedAddress(TransportAddress)
    /// At most `Limits.stunUsername` bytes.
    case username(String)
    case errorCode(STUNErrorCode)
    case unknownAttributes([STUNAttributeType])
    case priority(UInt32)
    case useCandidate
    /// With the sender's tie-breaker.
    case iceControlled(UInt64)
    case iceControlling(UInt64)
    /// These three at most `Limits.stunText` bytes.
    case software(String)
    case realm(String)
    case nonce(String)
    // MARK: TURN's (RFC 8656 §18)
    case channelNumber(UInt16)
    /// Seconds.
    case lifetime(UInt32)
    case xorPeerAddress(TransportAddress)
    case data(ByteBuffer)
    case xorRelayedAddress(TransportAddress)
    /// 1 for version 4, 2 for version 6.
    case requestedAddressFamily(UInt8)
    /// A protocol number of IP: 17 is UDP.
    case requestedTransport(UInt8)
    /// Any other, as it came.
    case raw(STUNAttributeType, ByteBuffer)

    package var type: STUNAttributeType {
        switch self {
        case .mappedAddress: .mappedAddress
        case .xorMappedAddress: .xorMappedAddress
        case .username: .username
        case .errorCode: .errorCode
        case .unknownAttributes: .unknownAttributes
        case .priority: .priority
        case .useCandidate: .useCandidate
        case .iceControlled: .iceControlled
        case .iceControlling: .iceControlling
        case .software: .software
        case .realm: .realm
        case .nonce: .nonce
        case .channelNumber: .channelNumber
        case .lifetime: .lifetime
        case .xorPeerAddress: .xorPeerAddress
        case .data: .data
        case .xorRelayedAddress: .xorRelayedAddress
        case .requestedAddressFamily: .requestedAddressFamily
        case .requestedTransport: .requestedTransport
        case .raw(let type, _): type
        }
    }

    /// Whether this code knows what it means.
    var isKnown: Bool { if case .raw = self { false } else { true } }
}

// MARK: Reading

extension STUNAttribute {
    /// Reads the value of an attribute, without its padding; nil when a known one is not what it should be.
    init?(_ type: STUNAttributeType, value: ByteBuffer, transaction: STUNTransactionID) {
        var value = value
        let count = value.readableBytes
        switch type {
        case .mappedAddress, .xorMappedAddress, .xorPeerAddress, .xorRelayedAddress:
            let mask = type == .mappedAddress ? nil : transaction
            guard let address = Self.address(&value, mask: mask) else { return nil }
            self =
                switch type {
                case .mappedAddress: .mappedAddress(address)
                case .xorMappedAddress: .xorMappedAddress(address)
                case .xorPeerAddress: .xorPeerAddress(address)
                default: .xorRelayedAddress(address)
                }
        case .username:
            guard let text = Self.text(value, limit: Limits.stunUsername) else { return nil }
            self = .username(text)
        case .software, .realm, .nonce:
            guard let text = Self.text(value, limit: Limits.stunText) else { return nil }
            self = type == .software ? .software(text) : type == .realm ? .realm(text) : .nonce(text)
        case .errorCode:
            guard let error = Self.error(&value) else { return nil }
            self = .errorCode(error)
        case .unknownAttributes:
            guard count % 2 == 0, count / 2 <= Limits.stunUnknownAttributes else { return nil }
            var types: [STUNAttributeType] = []
            while let number = value.readInteger(as: UInt16.self) { types.append(.init(rawValue: number)) }
            self = .unknownAttributes(types)
        case .priority:
            guard count == 4, let number = value.readInteger(as: UInt32.self) else { return nil }
            self = .priority(number)
        case .useCandidate:
            guard count == 0 else { return nil }
            self = .useCandidate
        case .iceControlled, .iceControlling:
            guard count == 8, let number = value.readInteger(as: UInt64.self) else { return nil }
            self = type == .iceControlled ? .iceControlled(number) : .iceControlling(number)
        default:
            guard let attribute = Self.relaying(type, value) else { return nil }
            self = attribute
        }
    }

    /// TURN's, and those that nobody knows.
    private static func relaying(_ type: STUNAttributeType, _ value: ByteBuffer) -> STUNAttribute? {
        var value = value
        let count = value.readableBytes
        switch type {
        case .channelNumber, .lifetime, .requestedAddressFamily, .requestedTransport:
            guard count == 4, let number = value.readInteger(as: UInt32.self) else { return nil }
            switch type {
            case .channelNumber: return .channelNumber(UInt16(truncatingIfNeeded: number >> 16))
            case .lifetime: return .lifetime(number)
            case .requestedAddressFamily: return .requestedAddressFamily(UInt8(truncatingIfNeeded: number >> 24))
            default: return .requestedTransport(UInt8(truncatingIfNeeded: number >> 24))
            }
        case .data: return .data(value)
        default: return .raw(type, value)
        }
    }

    private static func text(_ value: ByteBuffer, limit: Int) -> String? {
        guard value.readableBytes <= limit else { return nil }
        return String(validating: value.readableBytesView, as: UTF8.self)
    }

    /// `zero 8 | family 8 | port 16 | address`, each xored with cookie and transaction id if there is a mask.
    private static func address(_ value: inout ByteBuffer, mask: STUNTransactionID?) -> TransportAddress? {
        guard let (_, family, port) = value.readMultipleIntegers(as: (UInt8, UInt8, UInt16).self) else { return nil }
        let cookie = mask == nil ? 0 : STUNMessage.cookie
        let plainPort = port ^ UInt16(truncatingIfNeeded: cookie >> 16)
        switch (family, value.readableBytes) {
        case (1, 4):
            guard let number = value.readInteger(as: UInt32.self) else { return nil }
            return TransportAddress(.v4(IPv4Address(number ^ cookie)), port: plainPort)
        case (2, 16):
            guard let (high, low) = value.readMultipleIntegers(as: (UInt64, UInt64).self) else { return nil }
            let masked = IPv6Address(
                high: high ^ (UInt64(cookie) << 32 | UInt64(mask?.high ?? 0)), low: low ^ (mask?.low ?? 0))
            return TransportAddress(.v6(masked), port: plainPort)
        default:
            return nil
        }
    }

    /// `zero 21 | class 3 | number 8 | reason`.
    private static func error(_ value: inout ByteBuffer) -> STUNErrorCode? {
        guard let (_, hundreds, rest) = value.readMultipleIntegers(as: (UInt16, UInt8, UInt8).self),
            (3...6).contains(hundreds & 7), rest < 100, let reason = text(value, limit: Limits.stunText)
        else { return nil }
        return STUNErrorCode(UInt16(hundreds & 7) * 100 + UInt16(rest), reason)
    }
}

// MARK: Writing

extension STUNAttribute {
    /// Appends type, length, value and padding.
    func write(to buffer: inout ByteBuffer, transaction: STUNTransactionID) {
        buffer.writeMultipleIntegers(type.rawValue, UInt16(0))
        let start = buffer.writerIndex
        switch self {
        case .mappedAddress(let address): Self.write(address, mask: nil, to: &buffer)
        case .xorMappedAddress(let address): Self.write(address, mask: transaction, to: &buffer)
        case .username(let text), .software(let text), .realm(let text), .nonce(let text): buffer.writeString(text)
        case .errorCode(let error):
            buffer.writeMultipleIntegers(
                UInt16(0), UInt8(truncatingIfNeeded: error.number / 100), UInt8(truncatingIfNeeded: error.number % 100))
            buffer.writeString(error.reason)
        case .unknownAttributes(let types): for type in types { buffer.writeInteger(type.rawValue) }
        case .priority(let number): buffer.writeInteger(number)
        case .useCandidate: break
        case .iceControlled(let number), .iceControlling(let number): buffer.writeInteger(number)
        case .xorPeerAddress(let address), .xorRelayedAddress(let address):
            Self.write(address, mask: transaction, to: &buffer)
        case .lifetime(let seconds): buffer.writeInteger(seconds)
        case .channelNumber(let number): buffer.writeMultipleIntegers(number, UInt16(0))
        case .requestedAddressFamily(let number), .requestedTransport(let number):
            buffer.writeMultipleIntegers(number, UInt8(0), UInt16(0))
        case .data(let value), .raw(_, let value): buffer.writeImmutableBuffer(value)
        }
        let count = buffer.writerIndex - start
        buffer.setInteger(UInt16(truncatingIfNeeded: count), at: start - 2)
        buffer.writeRepeatingByte(0, count: -count & 3)
    }

    private static func write(_ address: TransportAddress, mask: STUNTransactionID?, to buffer: inout ByteBuffer) {
        let cookie = mask == nil ? 0 : STUNMessage.cookie
        let port = address.port ^ UInt16(truncatingIfNeeded: cookie >> 16)
        switch address.ip {
        case .v4(let ip): buffer.writeMultipleIntegers(UInt8(0), UInt8(1), port, ip.number ^ cookie)
        case .v6(let ip):
            buffer.writeMultipleIntegers(
                UInt8(0), UInt8(2), port, ip.high ^ (UInt64(cookie) << 32 | UInt64(mask?.high ?? 0)),
                ip.low ^ (mask?.low ?? 0))
        }
    }
}
