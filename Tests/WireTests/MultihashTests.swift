import NIOCore
import Testing

@testable import Wire

@Suite struct MultihashTests {
    static let vectors = Vector.load("multihash")

    @Test func everyVectorIsThere() { #expect(Self.vectors.count == 15) }

    @Test(arguments: vectors) func agreesWithTheVector(_ vector: Vector) throws {
        guard vector.output.isOK else {
            let bytes = try buffer(vector.input["multihash_hex"] ?? "")
            #expect(throws: MultihashError.self) { try Multihash(bytes: bytes) }
            return
        }
        let wire = try hex(try #require(vector.output["multihash_hex"]))
        let hash = try Multihash(bytes: ByteBuffer(bytes: wire))
        #expect(hash.bytes == wire)
        if let base58 = vector.output["base58btc"] {
            #expect(Base58.encode(wire) == base58)
            #expect(Base58.decode(base58) == wire)
        }
        if let text = vector.input["multibase"] {
            #expect(Multibase.decode(text) == wire)
            #expect(Multibase(rawValue: try #require(text.first))?.encode(wire) == text)
        }
        if let certhash = vector.output["certhash_base64url"] {
            #expect(Multibase.base64URL.encode(wire) == certhash)
            #expect(Multihash(sha256: hash.digest) == hash)
        }
        if let data = vector.input["data_hex"], hash.code == Multihash.sha256 {
            #expect(try Multihash.sha256(of: hex(data)) == hash)
        }
    }

    @Test(arguments: [
        ("", MultihashError.truncated), ("12", .truncated), ("1280", .truncated), ("122000", .truncated),
        ("0002aa", .truncated), ("0001aaaa", .trailingBytes), ("920020", .varint(.nonMinimal)),
        ("00ffffffffffffffff7f", .tooLong(UInt64(Int64.max))), ("008101", .tooLong(129)),
        ("ffffffffffffffffff01", .varint(.overflow)), ("1201aa", .wrongLength(code: 0x12, 1)),
        ("1100", .wrongLength(code: 0x11, 0)), ("1301aa", .wrongLength(code: 0x13, 1)),
    ]) func namesWhatIsWrong(_ text: String, _ error: MultihashError) throws {
        let bytes = try buffer(text)
        #expect(throws: error) { try Multihash(bytes: bytes) }
    }

    @Test func otherFunctionsAndIdentitiesAreKept() throws {
        for text in ["0000", "000161", "b2200401020304"] {
            #expect(hex(try Multihash(bytes: buffer(text)).bytes) == text)
        }
        #expect(Multihash(sha256: [1, 2, 3]) == nil)
        #expect(throws: MultihashError.tooLong(129)) {
            try Multihash(code: 0, digest: [UInt8](repeating: 0, count: 129))
        }
    }
}

@Suite struct MultibaseTests {
    @Test(arguments: Multibase.allCases) func everyValueSurvives(_ base: Multibase) {
        var entropy = Entropy.seeded(3)
        for length in 0..<90 {
            var bytes = entropy.bytes(length)
            for index in 0..<min(length, length % 4) { bytes[index] = 0 }
            let text = base.encode(bytes)
            #expect(Multibase.decode(text) == bytes)
            #expect(text.first == base.rawValue)
        }
    }

    /// RFC 4648, section 10.
    @Test func agreesWithTheTables() {
        let foobar = Array("foobar".utf8)
        let base32 = ["b", "bmy", "bmzxq", "bmzxw6", "bmzxw6yq", "bmzxw6ytb", "bmzxw6ytboi"]
        let base64 = ["m", "mZg", "mZm8", "mZm9v", "mZm9vYg", "mZm9vYmE", "mZm9vYmFy"]
        for length in 0...6 {
            #expect(Multibase.base32.encode(Array(foobar[..<length])) == base32[length])
            #expect(Multibase.base64.encode(Array(foobar[..<length])) == base64[length])
            #expect(Multibase.decode("f" + hex(foobar[..<length]).uppercased()) == Array(foobar[..<length]))
        }
        #expect(Multibase.base36.encode([0, 0, 255]) == "k0073")
        #expect(Multibase.base58.encode([0, 0, 40, 127, 180, 205]) == "z11233QC4")
    }

    @Test(arguments: [
        "", "x", "Q", "é", "z0", "zO", "zI", "zl", "u+", "u/", "m-", "u=", "uA", "uAB", "uAAAAA", "b1", "bm", "bmz1",
        "bmx",
        "bmzx", "f0", "fg0", "k-", "\u{301}z", "z" + String(repeating: "2", count: 257),
        "u" + String(repeating: "A", count: 1024),
    ]) func refusesWhatIsNoText(_ text: String) { #expect(Multibase.decode(text) == nil) }

    @Test func base58RefusesForeignLettersAndLongTexts() {
        for text in ["0", "O", "I", "l", " ", "1 ", "é", String(repeating: "1", count: 257)] {
            #expect(Base58.decode(text) == nil)
        }
        #expect(Base58.decode("")?.isEmpty == true)
    }

    @Test func contentIDsSurviveAndOthersAreRefused() throws {
        let id = CID(multihash: .sha256(of: [1, 2, 3]))
        #expect(try CID(bytes: ByteBuffer(bytes: id.bytes)) == id)
        for base in Multibase.allCases { #expect(try CID(text: base.encode(id.bytes)) == id) }
        let table: [(String, CIDError)] = [
            ("", .truncated), ("01", .truncated), ("00", .unsupportedVersion(0)), ("0272", .unsupportedVersion(2)),
            ("0172", .multihash(.truncated)), ("01f200", .varint(.nonMinimal)),
        ]
        for (text, error) in table { #expect(throws: error) { try CID(bytes: buffer(text)) } }
        #expect(throws: CIDError.notMultibase) { try CID(text: "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N") }
    }
}
