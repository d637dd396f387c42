import Glibc

/// What a certificate says of itself, as far as it explains why nobody believes it (X.509, RFC 5280 section 4.1).
///
/// Remote bytes: anything but the beginning of a certificate gives nil, and nothing here is believed.
struct CertificateFacts: Equatable {
    /// As `YYYYMMDDhhmmss` in UTC, so that the order of texts is that of times.
    let notBefore: String
    let notAfter: String
    /// Who vouches for it is its own subject.
    let isSelfIssued: Bool

    init?(_ der: [UInt8]) {
        var outer = DERReader(der[...])
        guard var certificate = outer.read(0x30).map({ DERReader($0) }),
            var fields = certificate.read(0x30).map({ DERReader($0) })
        else { return nil }
        _ = fields.read(0xA0)  // the version, absent in the oldest
        guard fields.read(0x02) != nil, fields.read(0x30) != nil, let issuer = fields.read(0x30),
            var validity = fields.read(0x30).map({ DERReader($0) }), let subject = fields.read(0x30),
            let notBefore = validity.readTime(), let notAfter = validity.readTime()
        else { return nil }
        (self.notBefore, self.notAfter) = (notBefore, notAfter)
        isSelfIssued = issuer.elementsEqual(subject)
    }

    /// The wall clock's time in the same form.
    static func now() -> String {
        var seconds = time(nil)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let numbers = [parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec]
        return numbers.reduce(into: "\(parts.tm_year + 1900)") { $0 += $1 < 10 ? "0\($1)" : "\($1)" }
    }
}

/// Reads one value after the other of DER (ITU-T X.690), definite lengths of at most three bytes.
private struct DERReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// The content of the next value when it has this tag; otherwise nil, and the value stays.
    mutating func read(_ tag: UInt8) -> ArraySlice<UInt8>? {
        var left = rest
        guard left.popFirst() == tag, let first = left.popFirst() else { return nil }
        var length = Int(first)
        if first & 0x80 != 0 {
            let count = Int(first & 0x7F)
            guard (1...3).contains(count), left.count >= count else { return nil }
            length = left.prefix(count).reduce(0) { $0 << 8 | Int($1) }
            left = left.dropFirst(count)
        }
        guard length <= left.count else { return nil }
        rest = left.dropFirst(length)
        return left.prefix(length)
    }

    /// A UTCTime or a GeneralizedTime in the one form RFC 5280 allows, without its `Z`.
    mutating func readTime() -> String? {
        let digits: ArraySlice<UInt8>
        var century = ""
        if let short = read(0x17) {
            guard short.count == 13, let decade = short.first else { return nil }
            // Section 4.1.2.5.1: years from 50 on are of the last century.
            century = decade >= UInt8(ascii: "5") ? "19" : "20"
            digits = short.dropLast()
        } else if let long = read(0x18) {
            guard long.count == 15 else { return nil }
            digits = long.dropLast()
        } else {
            return nil
        }
        guard digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return century + String(decoding: digits, as: UTF8.self)
    }
}
