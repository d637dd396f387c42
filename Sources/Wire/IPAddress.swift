/// An address of IP version 4, four bytes.
package struct IPv4Address: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The address as a number: 127.0.0.1 is 0x7F000001.
    package let number: UInt32

    package init(_ number: UInt32) { self.number = number }

    /// Reads four bytes; nil for another count.
    package init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 4 else { return nil }
        number = bytes.reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// Reads dotted decimal: four numbers to 255 without leading zeros (RFC 6943, 3.1.1, strict form).
    package init?(_ text: some StringProtocol) {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), maxSplits: 4, omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var number: UInt32 = 0
        for part in parts {
            guard part.count <= 3, part.count == 1 || part.first != UInt8(ascii: "0"),
                let octet = decimal(part, to: 255)
            else { return nil }
            number = number << 8 | UInt32(octet)
        }
        self.number = number
    }

    package var bytes: [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> UInt32($0)) }
    }
    package var description: String { bytes.map { String($0) }.joined(separator: ".") }

    package static func < (left: IPv4Address, right: IPv4Address) -> Bool { left.number < right.number }

    fileprivate func isIn(_ network: UInt32, _ prefix: UInt32) -> Bool {
        (number ^ network) >> (32 - prefix) == 0
    }
}

/// An address of IP version 6, sixteen bytes, without a zone.
package struct IPv6Address: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The address as two numbers, the network's half first.
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Reads sixteen bytes; nil for another count.
    package init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 16 else { return nil }
        high = bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        low = bytes.dropFirst(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// Reads the text of RFC 4291, 2.2, the last four bytes in dotted decimal if one likes; no `%zone`.
    package init?(_ text: some StringProtocol) {
        guard text.utf8.count <= 45 else { return nil }
        let letters = Array(text.utf8)
        var head: [UInt16] = []
        var tail: [UInt16]?
        var index = 0
        if letters.starts(with: [0x3A, 0x3A]) {
            tail = []
            index = 2
        }
        while index < letters.count {
            let end = letters[index...].firstIndex(of: UInt8(ascii: ":")) ?? letters.endIndex
            guard let groups = Self.groups(letters[index..<end], isLast: end == letters.endIndex) else { return nil }
            if tail == nil { head += groups } else { tail?.append(contentsOf: groups) }
            index = end
            guard index < letters.count else { break }
            index += 1  // the colon, which something must follow
            guard index < letters.count else { return nil }
            if letters[index] == UInt8(ascii: ":") {
                guard tail == nil else { return nil }
                tail = []
                index += 1
            }
        }
        let count = head.count + (tail?.count ?? 0)
        guard tail == nil ? count == 8 : count <= 7 else { return nil }
        let words = head + [UInt16](repeating: 0, count: 8 - count) + (tail ?? [])
        self.init(groups: words)
    }

    private init(groups: [UInt16]) {
        high = groups.prefix(4).reduce(0) { $0 << 16 | UInt64($1) }
        low = groups.dropFirst(4).reduce(0) { $0 << 16 | UInt64($1) }
    }

    /// The one group between two colons, or the two of a dotted end.
    private static func groups(_ letters: ArraySlice<UInt8>, isLast: Bool) -> [UInt16]? {
        if isLast, letters.contains(UInt8(ascii: ".")) {
            guard let end = IPv4Address(String(decoding: letters, as: UTF8.self)) else { return nil }
            return [UInt16(truncatingIfNeeded: end.number >> 16), UInt16(truncatingIfNeeded: end.number)]
        }
        guard (1...4).contains(letters.count) else { return nil }
        var value: UInt16 = 0
        for letter in letters {
            guard let digit = Character(Unicode.Scalar(letter)).hexDigitValue else { return nil }
            value = value << 4 | UInt16(truncatingIfNeeded: digit)
        }
        return [value]
    }

    private var groups: [UInt16] {
        [high, low].flatMap { half in
            [48, 32, 16, 0].map { UInt16(truncatingIfNeeded: half >> UInt64($0)) }
        }
    }

    package var bytes: [UInt8] {
        groups.flatMap { [UInt8(truncatingIfNeeded: $0 >> 8), UInt8(truncatingIfNeeded: $0)] }
    }

    /// The IPv4 address of `::ffff:a.b.c.d`.
    package var mapped: IPv4Address? {
        guard high == 0, low >> 32 == 0xFFFF else { return nil }
        return IPv4Address(UInt32(truncatingIfNeeded: low))
    }

    /// The text of RFC 5952: lower case, the longest run of zero groups, the first of equals, as `::`.
    package var description: String {
        if let mapped { return "::ffff:\(mapped)" }
        let groups = groups
        var longest = 0..<0
        var start = 0
        while start < 8 {
            let end = groups[start...].firstIndex { $0 != 0 } ?? 8
            if end - start > max(longest.count, 1) { longest = start..<end }
            start = end + 1
        }
        let texts = groups.map { String($0, radix: 16) }
        guard !longest.isEmpty else { return texts.joined(separator: ":") }
        return texts[..<longest.lowerBound].joined(separator: ":") + "::"
            + texts[longest.upperBound...].joined(separator: ":")
    }

    package static func < (left: IPv6Address, right: IPv6Address) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

/// An address of either version, and what kind of place it is.
///
/// The kinds of an IPv4 address hold for its mapped form too, so that `::ffff:127.0.0.1` is a loopback address.
package enum IPAddress: Hashable, Comparable, Sendable, CustomStringConvertible {
    case v4(IPv4Address)
    case v6(IPv6Address)

    /// Reads either text form.
    package init?(_ text: some StringProtocol) {
        if let address = IPv4Address(text) {
            self = .v4(address)
        } else if let address = IPv6Address(text) {
            self = .v6(address)
        } else {
            return nil
        }
    }

    /// Reads 4 or 16 bytes.
    package init?(bytes: some Collection<UInt8>) {
        if let address = IPv4Address(bytes: bytes) {
            self = .v4(address)
        } else if let address = IPv6Address(bytes: bytes) {
            self = .v6(address)
        } else {
            return nil
        }
    }

    package var bytes: [UInt8] {
        switch self {
        case .v4(let address): address.bytes
        case .v6(let address): address.bytes
        }
    }
    package var description: String {
        switch self {
        case .v4(let address): address.description
        case .v6(let address): address.description
        }
    }

    /// The address without the disguise of `::ffff:a.b.c.d`.
    package var unmapped: IPAddress {
        if case .v6(let address) = self, let mapped = address.mapped { .v4(mapped) } else { self }
    }

    /// Whether both are of version 4, or both of version 6.
    package func isSameVersion(as other: IPAddress) -> Bool {
        switch (self, other) {
        case (.v4, .v4), (.v6, .v6): true
        default: false
        }
    }

    /// 127.0.0.0/8, ::1.
    package var isLoopback: Bool {
        switch unmapped {
        case .v4(let address): address.isIn(0x7F00_0000, 8)
        case .v6(let address): address.high == 0 && address.low == 1
        }
    }
    /// 0.0.0.0, ::.
    package var isUnspecified: Bool {
        switch unmapped {
        case .v4(let address): address.number == 0
        case .v6(let address): address.high == 0 && address.low == 0
        }
    }
    /// 169.254.0.0/16, fe80::/10.
    package var isLinkLocal: Bool {
        switch unmapped {
        case .v4(let address): address.isIn(0xA9FE_0000, 16)
        case .v6(let address): address.high >> 54 == 0xFE80 >> 6
        }
    }
    /// 224.0.0.0/4, ff00::/8.
    package var isMulticast: Bool {
        switch unmapped {
        case .v4(let address): address.isIn(0xE000_0000, 4)
        case .v6(let address): address.high >> 56 == 0xFF
        }
    }
    /// Somebody's own network: 10/8, 172.16/12, 192.168/16 (RFC 1918), 100.64/10 (RFC 6598), fc00::/7 (RFC 4193).
    package var isPrivate: Bool {
        switch unmapped {
        case .v4(let address):
            address.isIn(0x0A00_0000, 8) || address.isIn(0xAC10_0000, 12) || address.isIn(0xC0A8_0000, 16)
                || address.isIn(0x6440_0000, 10)
        case .v6(let address): address.high >> 57 == 0xFC >> 1
        }
    }
    /// Reachable from anywhere, as far as the number tells: none of the kinds above, and not one of the networks set
    /// aside for documentation, tests or the future (RFC 6890).
    package var isPublic: Bool {
        if isLoopback || isUnspecified || isLinkLocal || isMulticast || isPrivate { return false }
        return switch unmapped {
        case .v4(let address):
            !(address.isIn(0, 8) || address.isIn(0xC000_0000, 24) || address.isIn(0xC000_0200, 24)
                || address.isIn(0xC633_6400, 24) || address.isIn(0xCB00_7100, 24) || address.isIn(0xC612_0000, 15)
                || address.isIn(0xF000_0000, 4))
        case .v6(let address): address.high >> 32 != 0x2001_0DB8 && address.high >> 61 == 1
        }
    }
}

/// A number in decimal digits and nothing else, leading zeros allowed; nil when it is above `limit`.
func decimal(_ digits: some Collection<UInt8>, to limit: UInt64) -> UInt64? {
    guard !digits.isEmpty else { return nil }
    var value: UInt64 = 0
    for letter in digits {
        guard letter >= UInt8(ascii: "0"), letter <= UInt8(ascii: "9") else { return nil }
        let (product, overflow) = value.multipliedReportingOverflow(by: 10)
        let (sum, carry) = product.addingReportingOverflow(UInt64(letter - UInt8(ascii: "0")))
        guard !overflow, !carry, sum <= limit else { return nil }
        value = sum
    }
    return value
}
