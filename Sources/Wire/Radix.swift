/// A number system over an alphabet, as base 58 and base 36 use it: the bytes are one big number, and every leading
/// zero byte is one leading zero letter.
///
/// The work is quadratic in the length, so a text longer than ``Limits/radixText`` is refused and callers of
/// ``encode(_:)`` bound what they pass.
struct Radix {
    private let alphabet: [UInt8]
    /// The digit of every ASCII letter, 0xFF where there is none.
    private let digits: [UInt8]
    private let base: Int

    /// A system with as many digits as `alphabet` has ASCII letters.
    init(alphabet: StaticString, ignoringCase: Bool = false) {
        let letters = Array(alphabet.description.utf8)
        var digits = [UInt8](repeating: 0xFF, count: 256)
        for (digit, letter) in letters.enumerated() {
            digits[Int(letter)] = UInt8(truncatingIfNeeded: digit)
            if ignoringCase, letter >= UInt8(ascii: "a"), letter <= UInt8(ascii: "z") {
                digits[Int(letter & 0xDF)] = UInt8(truncatingIfNeeded: digit)
            }
        }
        self.alphabet = letters
        self.digits = digits
        base = letters.count
    }

    /// The text of `bytes`.
    func encode(_ bytes: [UInt8]) -> String {
        let zeros = bytes.prefix { $0 == 0 }.count
        var number: [UInt8] = []  // least significant digit first
        number.reserveCapacity(bytes.count * 2)
        for byte in bytes.dropFirst(zeros) {
            var carry = Int(byte)
            for index in number.indices {
                carry += Int(number[index]) << 8
                number[index] = UInt8(truncatingIfNeeded: carry % base)
                carry /= base
            }
            while carry > 0 {
                number.append(UInt8(truncatingIfNeeded: carry % base))
                carry /= base
            }
        }
        let text = repeatElement(alphabet[0], count: zeros) + number.reversed().map { alphabet[Int($0)] }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes of `text`; nil for a letter outside the alphabet or a text that is too long.
    func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        guard text.count <= Limits.radixText else { return nil }
        let zeros = text.prefix { $0 == alphabet[0] }.count
        var bytes: [UInt8] = []  // least significant byte first
        for letter in text.dropFirst(zeros) {
            let digit = digits[Int(letter)]
            guard digit != 0xFF else { return nil }
            var carry = Int(digit)
            for index in bytes.indices {
                carry += Int(bytes[index]) * base
                bytes[index] = UInt8(truncatingIfNeeded: carry)
                carry >>= 8
            }
            while carry > 0 {
                bytes.append(UInt8(truncatingIfNeeded: carry))
                carry >>= 8
            }
        }
        return [UInt8](repeating: 0, count: zeros) + bytes.reversed()
    }
}
