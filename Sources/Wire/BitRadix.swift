/// A base whose letters stand for 4, 5 or 6 bits each, most significant first (RFC 4648).
///
/// Decoding is strict: the bits left over at the end are zero and fewer than a letter holds, so one text stands for
/// one value.
struct BitRadix {
    private let alphabet: [UInt8]
    /// The value of every ASCII letter, 0xFF where there is none.
    private let values: [UInt8]
    private let width: Int

    /// A base of `1 << width` letters; `ignoringCase` lets decoding take upper case for lower.
    init(alphabet: StaticString, width: Int, ignoringCase: Bool = false) {
        let letters = Array(alphabet.description.utf8)
        var values = [UInt8](repeating: 0xFF, count: 256)
        for (value, letter) in letters.enumerated() {
            values[Int(letter)] = UInt8(truncatingIfNeeded: value)
            if ignoringCase, letter >= UInt8(ascii: "a"), letter <= UInt8(ascii: "z") {
                values[Int(letter & 0xDF)] = UInt8(truncatingIfNeeded: value)
            }
        }
        self.alphabet = letters
        self.values = values
        self.width = width
    }

    static let base16 = BitRadix(alphabet: "0123456789abcdef", width: 4, ignoringCase: true)
    static let base32 = BitRadix(alphabet: "abcdefghijklmnopqrstuvwxyz234567", width: 5, ignoringCase: true)
    static let base64 = BitRadix(
        alphabet: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", width: 6)
    static let base64URL = BitRadix(
        alphabet: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", width: 6)
    /// I2P's base 64, as `/garlic64` has it.
    static let garlic64 = BitRadix(
        alphabet: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-~", width: 6)

    /// The text of `bytes`, without padding.
    func encode(_ bytes: some Collection<UInt8>) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count * 8 + width - 1) / width)
        let mask = (1 << width) - 1
        var pending = 0
        var bits = 0
        for byte in bytes {
            pending = (pending & 0xFF) << 8 | Int(byte)
            bits += 8
            while bits >= width {
                bits -= width
                text.append(alphabet[(pending >> bits) & mask])
            }
        }
        if bits > 0 { text.append(alphabet[(pending << (width - bits)) & mask]) }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes of `text`, without padding; nil for a foreign letter, a letter too many or bits that are not zero.
    func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count * width / 8)
        var pending = 0
        var bits = 0
        for letter in text {
            let value = values[Int(letter)]
            guard value != 0xFF else { return nil }
            pending = (pending & 0xFF) << width | Int(value)
            bits += width
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: pending >> bits))
            }
        }
        guard bits < width, pending & ((1 << bits) - 1) == 0 else { return nil }
        return bytes
    }
}
