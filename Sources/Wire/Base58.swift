/// Bitcoin's base 58, as legacy peer ids and multibase `z` use it.
package enum Base58 {
    private static let radix = Radix(alphabet: "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")

    /// Text of `bytes`; the work is quadratic, so callers bound the length.
    package static func encode(_ bytes: [UInt8]) -> String { radix.encode(bytes) }

    /// Bytes of `text`, or nil for a letter outside the alphabet or a text longer than ``Limits/radixText``.
    package static func decode(_ text: some StringProtocol) -> [UInt8]? { radix.decode(Array(text.utf8)) }
}
