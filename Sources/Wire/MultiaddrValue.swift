import NIOCore

/// The values of components: text to bytes, bytes to text, and which bytes are a value at all.
///
/// Whatever ``value(fromText:)`` or ``value(fromBytes:)`` gives is canonical: `text(of:)` never fails on it, and
/// reading that text gives the same bytes again.
extension MultiaddrProtocol {
    /// The bytes of a value in text; nil when the protocol has no such value.
    func value(fromText text: Substring) -> [UInt8]? {
        switch form {
        case .none: nil
        case .ip4: IPv4Address(text)?.bytes
        case .ip6: IPv6Address(text)?.bytes
        case .number(let count): Self.number(text.utf8, bytes: count)
        case .name, .path: value(fromBytes: Array(text.utf8))
        case .escaped: Self.unescaped(text.utf8).flatMap { value(fromBytes: $0) }
        case .multihash: Multibase.decode(text).flatMap { value(fromBytes: $0) }
        case .peerID: try? PeerID(text: text).bytes
        case .onion(let count): Self.onion(text, bytes: count)
        case .garlic64: Self.garlic64(text.utf8).flatMap { value(fromBytes: $0) }
        case .garlic32: BitRadix.base32.decode(text.utf8).flatMap { value(fromBytes: $0) }
        }
    }

    /// The canonical form of a value in binary; nil when the protocol has no such value.
    func value(fromBytes bytes: [UInt8]) -> [UInt8]? {
        switch form {
        case .none, .ip4, .ip6, .number: return bytes.count == fixedLength ? bytes : nil
        case .name: return !bytes.contains(UInt8(ascii: "/")) && Self.isText(bytes) ? bytes : nil
        case .path:
            let slash = UInt8(ascii: "/")
            return bytes.first == slash && bytes.last != slash && Self.isText(bytes) ? bytes : nil
        case .escaped: return Self.isText(bytes) ? bytes : nil
        case .multihash: return (try? Multihash(bytes: ByteBuffer(bytes: bytes))) == nil ? nil : bytes
        case .peerID:
            // py-multiaddr 0.2.0 puts the whole content id here when the text had one: `01 72`, then the multihash.
            return try? PeerID(bytes: bytes.starts(with: [0x01, 0x72]) ? bytes.dropFirst(2) : bytes[...]).bytes
        case .onion: return bytes.count == fixedLength && bytes.suffix(2) != [0, 0] ? bytes : nil
        case .garlic64: return (386...462).contains(bytes.count) ? bytes : nil
        case .garlic32: return bytes.count == 32 || bytes.count >= 35 ? bytes : nil
        }
    }

    /// The text of a canonical value.
    func text(of value: [UInt8]) -> String {
        switch form {
        case .none: ""
        case .ip4, .ip6: IPAddress(bytes: value)?.description ?? ""
        case .number: String(value.reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
        case .name: String(decoding: value, as: UTF8.self)
        case .path: String(decoding: value.dropFirst(), as: UTF8.self)
        case .escaped: Self.escaped(value)
        case .multihash: Multibase.base64URL.encode(value)
        case .peerID: Base58.encode(value)
        case .onion:
            BitRadix.base32.encode(value.dropLast(2)) + ":"
                + String(value.suffix(2).reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
        case .garlic64:
            BitRadix.garlic64.encode(value) + String(repeating: "=", count: (3 - value.count % 3) % 3)
        case .garlic32: BitRadix.base32.encode(value)
        }
    }

    private static func isText(_ bytes: [UInt8]) -> Bool {
        !bytes.isEmpty && String(validating: bytes, as: UTF8.self) != nil
    }

    private static func number(_ digits: some Collection<UInt8>, bytes count: Int) -> [UInt8]? {
        guard let number = decimal(digits, to: UInt64.max >> UInt64(64 - 8 * count)) else { return nil }
        return (0..<count).reversed().map { UInt8(truncatingIfNeeded: number >> UInt64(8 * $0)) }
    }

    /// `name:port`, the name in base 32 and the port not 0.
    private static func onion(_ text: Substring, bytes count: Int) -> [UInt8]? {
        let parts = text.utf8.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 2, let name = BitRadix.base32.decode(parts[0]), name.count == count,
            let port = number(parts[1], bytes: 2), port != [0, 0]
        else { return nil }
        return name + port
    }

    private static func garlic64(_ letters: Substring.UTF8View) -> [UInt8]? {
        guard letters.count % 4 == 0, letters.count <= 616 else { return nil }
        let padding = letters.reversed().prefix { $0 == UInt8(ascii: "=") }.count
        guard padding <= 2 else { return nil }
        return BitRadix.garlic64.decode(letters.dropLast(padding))
    }

    /// RFC 3986: everything but unreserved letters as `%XX`.
    private static func escaped(_ bytes: [UInt8]) -> String {
        let hexadecimal = Array("0123456789ABCDEF".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count)
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                text.append(byte)
            default:
                text += [UInt8(ascii: "%"), hexadecimal[Int(byte >> 4)], hexadecimal[Int(byte & 0xF)]]
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func unescaped(_ letters: Substring.UTF8View) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = letters
        while let letter = rest.popFirst() {
            guard letter == UInt8(ascii: "%") else {
                bytes.append(letter)
                continue
            }
            guard let pair = BitRadix.base16.decode(rest.prefix(2)), pair.count == 1 else { return nil }
            bytes += pair
            rest = rest.dropFirst(2)
        }
        return bytes
    }
}
