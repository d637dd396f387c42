/// Text that says by its first letter which base the rest is in (multiformats/multibase).
package enum Multibase: Character, CaseIterable, Sendable {
    case base58 = "z"
    case base64URL = "u"
    case base64 = "m"
    case base32 = "b"
    case base36 = "k"
    case base16 = "f"

    private static let base36Radix = Radix(alphabet: "0123456789abcdefghijklmnopqrstuvwxyz", ignoringCase: true)

    /// The text of `bytes` with its prefix; callers bound the length.
    package func encode(_ bytes: [UInt8]) -> String {
        switch self {
        case .base58: "z" + Base58.encode(bytes)
        case .base64URL: "u" + BitRadix.base64URL.encode(bytes)
        case .base64: "m" + BitRadix.base64.encode(bytes)
        case .base32: "b" + BitRadix.base32.encode(bytes)
        case .base36: "k" + Self.base36Radix.encode(bytes)
        case .base16: "f" + BitRadix.base16.encode(bytes)
        }
    }

    /// The bytes of a prefixed text; nil for an unknown prefix, a foreign letter, or more letters than
    /// ``Limits/multibaseText`` (``Limits/radixText`` for base 58 and base 36).
    package static func decode(_ text: some StringProtocol) -> [UInt8]? {
        let letters = Array(text.utf8)
        guard letters.count <= Limits.multibaseText, let prefix = letters.first,
            let base = Multibase(rawValue: Character(Unicode.Scalar(prefix)))
        else { return nil }
        let rest = letters.dropFirst()
        return switch base {
        case .base58: Base58.decode(String(decoding: rest, as: UTF8.self))
        case .base64URL: BitRadix.base64URL.decode(rest)
        case .base64: BitRadix.base64.decode(rest)
        case .base32: BitRadix.base32.decode(rest)
        case .base36: base36Radix.decode(rest)
        case .base16: BitRadix.base16.decode(rest)
        }
    }
}
