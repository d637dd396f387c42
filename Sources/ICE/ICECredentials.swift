package import Wire

/// A username fragment and a password (RFC 8445 §5.3): who checks and who is checked know each other by them.
package struct ICECredentials: Hashable, Sendable {
    /// At least 4 `ice-char`s.
    package let ufrag: String
    /// At least 22 `ice-char`s.
    package let password: String

    package init(ufrag: String, password: String) { (self.ufrag, self.password) = (ufrag, password) }

    /// 8 and 24 characters: 48 and 144 bits.
    package init(from entropy: inout Entropy) {
        ufrag = Self.characters(8, from: &entropy)
        password = Self.characters(24, from: &entropy)
    }

    /// `count` characters of the 64 that ICE allows (RFC 8839 §5.1): six bits each.
    package static func characters(_ count: Int, from entropy: inout Entropy) -> String {
        String(decoding: entropy.bytes(count).map { alphabet[Int($0 & 63)] }, as: UTF8.self)
    }

    /// Whether these are `ice-char`s, ALPHA / DIGIT / "+" / "/", within the lengths of RFC 8839 §5.4.
    package var isValid: Bool {
        func holds(_ text: String, from least: Int) -> Bool {
            let bytes = text.utf8
            return bytes.count >= least && bytes.count <= Limits.iceCredential && bytes.allSatisfy(Self.isICECharacter)
        }
        return holds(ufrag, from: 4) && holds(password, from: 22)
    }

    static func isICECharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"):
            true
        default: false
        }
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
}
