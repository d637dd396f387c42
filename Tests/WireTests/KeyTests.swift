import Crypto
import NIOCore
import Testing

@testable import Wire

@Suite struct KeyTests {
    static let vectors = Vector.load("peer_ids")
    static var keys: [Vector] { vectors.filter { $0.input["private_key_protobuf_hex"] != nil } }
    static let hello = Array("hello".utf8)

    /// Signatures of "hello" under the spec's private keys, made by `openssl dgst -sha256 -sign`.
    static let signatures = [
        "secp256k1": """
        3045022100b330c546bddc16f19d429b94bbc15ccd4610f589a1cde678bd9a46da8c0710dd022037a5e7b0a096953b5ef2fedf\
        9861fbc3e7cf83111aae16e57289cd96ad48a9c5
        """,
        "ecdsa": """
        30450221008b55304989b2339e34c5f32369b2a89c666d9fd43a911d0705581a9bca34c3a002206d744b81229b89591adec58a\
        7cbc36977e12c10b00861532400f6c318c49f032
        """,
        "rsa": """
        2c4ba5213d835c615d6fe5c36c5578cbd1db31e0f31304dc4fe3807213a2751f6a90076a3c4cd1e1323e9890d8e90b472267\
        70b966c6ed6bb9c711528aa4acea553dac836f56ddfba5884e1c8d2b8df49879a1322a13636e77c572ce94c9cf463783575f\
        f044b6611b9d30ffab65bcc8b9dbf182244dad4040e1ebf0db1b5e8f43ed402a0de06ef109abe2842604d16fff8869bbe7df\
        a2e32bfa5e7b62c8260e23d7bb686596709854165339eb6d8760f15d54c11c4c49e136b2b5c93ed40fb2b43155fa9c8b90be\
        96caf037eab710c584acd252e4dfa75007f38d7c01650e3778db46ce872eaf16f4d89f4be84ec1c023f7c34efcfb64c40cba\
        8f8117269c438836beeb18dd0d3a8fe31bc98ecdc2c0c840c7c0d34324848febd228f167c0284adebce584d55ab942908763\
        568cbc402e389123c1a51ef4b951de38f91ae232cfe81978fc22bf7167db47c2f2cd224c05d945f114eec1d61d0df1f24ffd\
        2c61c6563a8e61cddf8cb4ad6bcb4b89b6d301070aefa86cf4058fc4cbb4b7b92ee9385a084c1a3b0cd19752d67e63e9e103\
        c4c1d4b6338356cd24dde53da03ba3df3e4a6e7a9911362ce1d31d4e34f292a95297b9fae7f8e87a67764b185ab338002ea7\
        8daf0ed409e9b0e7f2a422f1a7b9c6c230537de4fe1d5f7b51c973f5a25c21551f01c262c7f57609f85641a9f898ebe049d2\
        c73c6db164b4b583afaf7f17
        """,
    ]

    @Test func everyVectorIsThere() { #expect(Self.vectors.count == 22 && Self.keys.count == 7) }

    @Test(arguments: keys) func keysAgreeWithTheVector(_ vector: Vector) throws {
        let text = try #require(
            vector.input["public_key_protobuf_hex"] ?? vector.output["public_key_protobuf_hex"])
        let key = try PublicKey(protobuf: buffer(text))
        #expect(hex(key.protobuf.readableBytesView) == text)
        #expect(hex(key.peerID.bytes) == vector.output["peer_id_hex"])
        #expect(key.peerID.description == vector.output["peer_id_base58"])
        for form in ["peer_id_base58", "peer_id_cidv1_base32", "peer_id_cidv1_base36"] {
            if let text = vector.output[form] { #expect(try PeerID(text: text) == key.peerID) }
        }
        if let text = vector.output["peer_id_cidv1_base36"] { #expect(key.peerID.base36 == text) }
        #expect(key.peerID.publicKey == (key.peerID.bytes[0] == 0 ? key : nil))

        let secret = try #require(vector.input["private_key_protobuf_hex"])
        guard key.kind == .ed25519 else {
            #expect(throws: KeyError.cannotSign) { try KeyPair(protobuf: buffer(secret)) }
            return
        }
        let pair = try KeyPair(protobuf: buffer(secret))
        #expect(pair.publicKey == key && pair.peerID == key.peerID)
        #expect(hex(pair.protobuf.readableBytesView) == secret)
        if let seed = vector.input["seed_hex"] { #expect(try KeyPair(seed: hex(seed)).peerID == key.peerID) }
        if let signature = vector.output["signature_of_hello_hex"] {
            #expect(key.isValid(signature: try hex(signature), of: Self.hello))
        }
    }

    @Test(arguments: vectors.filter { $0.input["text"] != nil }) func textsAgreeWithTheVector(_ vector: Vector) throws {
        let text = try #require(vector.input["text"])
        if vector.output.isOK {
            #expect(hex(try PeerID(text: text).bytes) == vector.output["peer_id_hex"])
        } else {
            #expect(throws: KeyError.invalidPeerID) { try PeerID(text: text) }
        }
    }

    @Test(arguments: vectors.filter { $0.name.hasPrefix("bad public key") })
    func badKeysAgreeWithTheVector(_ vector: Vector) throws {
        let bytes = try buffer(vector.input["public_key_protobuf_hex"] ?? "")
        let expected: KeyError =
            switch vector.name {
            case "bad public key: key with unknown type 4": .unknownType(4)
            case "bad public key: empty": .malformed
            default: .invalidKey
            }
        #expect(throws: expected) { try PublicKey(protobuf: bytes) }
    }

    /// CVE-2019-15545: whatever was not signed by this key, as it stands, is refused.
    @Test(arguments: ["secp256k1", "ecdsa", "rsa", "ed25519"]) func signaturesAreChecked(_ type: String) throws {
        let vector = try #require(Self.keys.first { $0.name == "spec key \(type)" })
        let key = try PublicKey(protobuf: buffer(try #require(vector.input["public_key_protobuf_hex"])))
        let signature: [UInt8]
        if let text = Self.signatures[type] {
            signature = try hex(text)
        } else {
            let secret = try buffer(try #require(vector.input["private_key_protobuf_hex"]))
            signature = try KeyPair(protobuf: secret).signature(of: Self.hello)
        }
        #expect(key.isValid(signature: signature, of: Self.hello))
        #expect(!key.isValid(signature: signature, of: Self.hello + [0]))
        #expect(!key.isValid(signature: signature, of: []))
        #expect(!key.isValid(signature: [], of: Self.hello))
        #expect(!key.isValid(signature: signature.dropLast(), of: Self.hello))
        #expect(!key.isValid(signature: signature + [0], of: Self.hello))
        #expect(!key.isValid(signature: [UInt8](repeating: 0, count: signature.count), of: Self.hello))
        #expect(!key.isValid(signature: [UInt8](repeating: 0xFF, count: 5000), of: Self.hello))
        for index in stride(from: 0, to: signature.count, by: 7) {
            var wrong = signature
            wrong[index] ^= 1
            #expect(!key.isValid(signature: wrong, of: Self.hello))
        }
        let stranger = KeyPair.generate()
        #expect(!stranger.publicKey.isValid(signature: signature, of: Self.hello))
        #expect(!key.isValid(signature: stranger.signature(of: Self.hello), of: Self.hello))
    }

    @Test func aP256KeyOfSwiftCryptoVerifies() throws {
        let secret = P256.Signing.PrivateKey()
        let key = PublicKey(kind: .ecdsa, data: Array(secret.publicKey.derRepresentation))
        #expect(try PublicKey(protobuf: key.protobuf) == key)
        let signature = try secret.signature(for: Self.hello).derRepresentation
        #expect(key.isValid(signature: Array(signature), of: Self.hello))
    }

    /// Ed25519 scalars above the order of the group would make a second signature out of every first.
    @Test func aSecondSignatureOutOfTheFirstIsRefused() throws {
        let pair = try KeyPair(seed: [UInt8](repeating: 1, count: 32))
        var signature = pair.signature(of: Self.hello)
        let order = try hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
        var carry = 0
        for index in 0..<32 {
            carry += Int(signature[32 + index]) + Int(order[index])
            signature[32 + index] = UInt8(carry & 0xFF)
            carry >>= 8
        }
        #expect(!pair.publicKey.isValid(signature: signature, of: Self.hello))
    }

    /// DER of one element.
    private func der(_ tag: UInt8, _ contents: [UInt8]) -> [UInt8] {
        let count = contents.count
        let length: [UInt8] =
            count < 128
            ? [UInt8(count)] : count < 256 ? [0x81, UInt8(count)] : [0x82, UInt8(count >> 8), UInt8(count & 0xFF)]
        return [tag] + length + contents
    }

    /// The SubjectPublicKeyInfo of an RSA key whose modulus has so many bits.
    private func rsa(bits: Int, exponent: [UInt8] = [1, 0, 1], algorithm: UInt8 = 1) -> [UInt8] {
        var modulus = [UInt8](repeating: 0xFF, count: (bits + 7) / 8)
        modulus[0] = 0xFF >> UInt8(modulus.count * 8 - bits)
        if modulus[0] & 0x80 != 0 { modulus.insert(0, at: 0) }
        let key = der(0x30, der(0x02, modulus) + der(0x02, exponent))
        let identifier = der(0x06, [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, algorithm]) + [0x05, 0x00]
        return der(0x30, der(0x30, identifier) + der(0x03, [0] + key))
    }

    /// CVE-2023-39533: a verification by a huge key takes seconds.
    @Test func rsaKeysAreBounded() throws {
        func reads(_ data: [UInt8]) -> Bool {
            (try? PublicKey(protobuf: PublicKey(kind: .rsa, data: data).protobuf)) != nil
        }
        for bits in [2048, 3072, 4096, 8192] { #expect(reads(rsa(bits: bits)), "\(bits)") }
        for bits in [512, 1024, 2047, 8193, 16384] { #expect(!reads(rsa(bits: bits)), "\(bits)") }
        #expect(reads(rsa(bits: 2048, exponent: [3])))
        #expect(reads(rsa(bits: 2048, exponent: [0x7F, 0xFF, 0xFF, 0xFF])))
        #expect(!reads(rsa(bits: 2048, exponent: [0, 0x80, 0, 0, 0])))
        #expect(!reads(rsa(bits: 2048, exponent: [1])))
        #expect(!reads(rsa(bits: 2048, exponent: [0])))
        #expect(!reads(rsa(bits: 2048, exponent: [UInt8](repeating: 0x7F, count: 256))))
        #expect(!reads(rsa(bits: 2048) + [0]))
        #expect(!reads(rsa(bits: 2048).dropLast()))
        #expect(!reads(Array(P256.Signing.PrivateKey().publicKey.derRepresentation)))
        let huge = PublicKey(kind: .rsa, data: rsa(bits: 16384))
        #expect(!huge.isValid(signature: [UInt8](repeating: 1, count: 1024), of: Self.hello))
    }

    @Test func pointsMustLieOnTheirCurve() throws {
        func reads(_ kind: PublicKey.Kind, _ data: [UInt8]) -> Bool {
            (try? PublicKey(protobuf: PublicKey(kind: kind, data: data).protobuf)) != nil
        }
        let good = Array(P256.Signing.PrivateKey().publicKey.derRepresentation)
        #expect(reads(.ecdsa, good))
        #expect(!reads(.ecdsa, good.dropLast()))
        #expect(!reads(.ecdsa, good + [0]))
        #expect(!reads(.ecdsa, Array(P384.Signing.PrivateKey().publicKey.derRepresentation)))
        var off = good
        off[90] ^= 1
        #expect(!reads(.ecdsa, off))
        #expect(!PublicKey(kind: .ecdsa, data: off).isValid(signature: [1], of: Self.hello))
        // x = 5 is on no point of secp256k1.
        #expect(!reads(.secp256k1, [2] + [UInt8](repeating: 0, count: 31) + [5]))
        #expect(reads(.secp256k1, [2] + [UInt8](repeating: 0, count: 31) + [1]))
        #expect(!reads(.secp256k1, [4] + [UInt8](repeating: 0, count: 31) + [1]))
        #expect(!reads(.secp256k1, [2] + [UInt8](repeating: 0xFF, count: 32)))
        for kind in PublicKey.Kind.allCases {
            #expect(!reads(kind, []))
            #expect(!PublicKey(kind: kind, data: []).isValid(signature: [], of: []))
            #expect(!PublicKey(kind: kind, data: [1, 2, 3]).isValid(signature: [1], of: [1]))
        }
    }

    @Test(arguments: [
        "0801", "1220", "08011220", "0801121f", "088100", "120108010801", "08010801122000", "10011220", "ff",
    ]) func malformedMessagesAreRefused(_ text: String) throws {
        #expect(throws: KeyError.malformed) { try PublicKey(protobuf: buffer(text)) }
    }

    @Test func onlyTheCanonicalMessageIsAKey() throws {
        let key = String(repeating: "11", count: 32)
        #expect(try PublicKey(protobuf: buffer("08011220" + key)).kind == .ed25519)
        for text in [
            "1220\(key)0801", "0881001220\(key)", "080112a000\(key)", "08011220\(key)1801", "080008011220\(key)",
            "08011220\(key)1220\(key)",
        ] {
            #expect(throws: KeyError.malformed) { try PublicKey(protobuf: buffer(text)) }
        }
        #expect(throws: KeyError.malformed) { try PublicKey(protobuf: ByteBuffer(repeating: 8, count: 10_000)) }
    }

    @Test func identityFilesMustFitTogether() throws {
        let pair = KeyPair.generate()
        let secret = Array(pair.protobuf.readableBytesView.dropFirst(4))
        let seed = Array(secret.prefix(32))
        #expect(secret.count == 64)
        func file(_ data: [UInt8]) -> ByteBuffer { PublicKey.encode(.ed25519, data) }
        let twice = secret + secret.suffix(32)
        #expect(try KeyPair(protobuf: file(twice)).peerID == pair.peerID)
        #expect(throws: KeyError.invalidKey) { try KeyPair(protobuf: file(seed)) }
        #expect(throws: KeyError.invalidKey) { try KeyPair(protobuf: file(secret + seed)) }
        #expect(throws: KeyError.invalidKey) { try KeyPair(protobuf: file(seed + seed)) }
        #expect(throws: KeyError.invalidKey) { try KeyPair(seed: [1, 2, 3]) }
        #expect(throws: KeyError.malformed) { try KeyPair(protobuf: ByteBuffer()) }
        #expect(throws: KeyError.malformed) { try KeyPair(protobuf: ByteBuffer(bytes: secret)) }
    }
}

@Suite struct PeerIDTests {
    @Test(arguments: [
        "", "00", "12", "1220", "000161ff", "001161", "1120" + String(repeating: "aa", count: 32),
        "121f" + String(repeating: "aa", count: 31), "1220" + String(repeating: "aa", count: 31),
        "002b" + String(repeating: "aa", count: 43), "80", "01720024",
    ]) func refusesWhatIsNoID(_ text: String) throws {
        let bytes = try hex(text)
        #expect(throws: KeyError.invalidPeerID) { try PeerID(bytes: bytes) }
    }

    @Test(arguments: [
        "1", "Qm", "12D3KooW", "x", "b", "bafz", "k51", "z12D3KooWA4Xop1JaT3MHxwYMkCepYsv4iPVopMXwCz5iHYdBfeSB", "é",
        " 12D3KooWA4Xop1JaT3MHxwYMkCepYsv4iPVopMXwCz5iHYdBfeSB", "1" + String(repeating: "z", count: 300),
        String(repeating: "1", count: 200),
    ]) func refusesTextThatIsNoID(_ text: String) {
        #expect(throws: KeyError.invalidPeerID) { try PeerID(text: text) }
    }

    @Test func anIdentityWithoutAKeyIsAnIDWithoutAKey() throws {
        let id = try PeerID(bytes: [0, 3, 1, 2, 3])
        #expect(id.publicKey == nil)
        #expect(try PeerID(text: id.description) == id)
    }

    @Test func idsAreOrderedAndHashedByTheirBytes() throws {
        var entropy = Entropy.seeded(4)
        var ids: Set<PeerID> = []
        for length in 0...42 {
            let bytes = [0, UInt8(length)] + entropy.bytes(length)
            let id = try PeerID(bytes: bytes)
            #expect(try id.hashValue == PeerID(bytes: bytes).hashValue)
            ids.insert(id)
        }
        #expect(ids.count == 43)
        let sorted = ids.sorted()
        for (left, right) in zip(sorted, sorted.dropFirst()) {
            #expect(left.bytes.lexicographicallyPrecedes(right.bytes))
        }
        #expect(KeyPair.generate().peerID.suffix().count == 8)
    }
}
