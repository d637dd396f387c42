import ICE
import NIOCore
import Testing
import VectorFiles
import Wire

/// RFC 5769, and what other implementations wrote.
@Suite struct STUNVectorTests {
    private let password = "VOkJxbRl1RmTxUk/WvJxBt"
    private static let transaction = STUNTransactionID(high: 0xB7E7_A701, low: 0xBC34_D686_FA87_DFAE)

    @Test func theRequestOfRFC5769() throws {
        let bytes = try hex(
            "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff"
                + "80290008932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249"
                + "c1b571a280280004e57a3bcf")
        let message = try STUNMessage(parsing: bytes)
        #expect(message.messageClass == .request && message.method == .binding)
        #expect(message.transaction == Self.transaction)
        #expect(message.software == "STUN test client")
        #expect(message.priority == 1_845_494_271)
        #expect(message.iceControlled == 0x932F_F9B1_5126_3B36)
        #expect(message.username == "evtj:h6vY")
        #expect(message.hasFingerprint && message.hasIntegrity)
        #expect(message.isAuthentic(by: STUNKey(password: password)))
        #expect(!message.isAuthentic(by: STUNKey(password: password + "x")))
        #expect(STUNMessage.username(of: bytes) == "evtj:h6vY")
    }

    @Test(arguments: [
        (
            "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643"
                + "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96",
            "192.0.2.1"
        ),
        (
            "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9fa"
                + "a5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c",
            "2001:db8:1234:5678:11:2233:4455:6677"
        ),
    ])
    func theResponsesOfRFC5769(text: String, ip: String) throws {
        let bytes = try hex(text)
        let message = try STUNMessage(parsing: bytes)
        #expect(message.messageClass == .success)
        #expect(message.software == "test vector")
        let address = TransportAddress(try #require(IPAddress(ip)), port: 32853)
        #expect(message.xorMappedAddress == address)
        #expect(message.hasFingerprint)
        #expect(message.isAuthentic(by: STUNKey(password: password)))
        #expect(STUNMessage.username(of: bytes) == nil)
    }

    @Test func theLongTermRequestOfRFC5769() throws {
        let bytes = try hex(
            "000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382afe382b900000015001c"
                + "662f2f3439396b39353464364f4c33346f4c394653547679363473410014000b6578616d706c652e6f72670000080014"
                + "f67024656dd64a3e02b8e0712e85c9a28ca89666")
        let message = try STUNMessage(parsing: bytes)
        let user = "\u{30DE}\u{30C8}\u{30EA}\u{30C3}\u{30AF}\u{30B9}"
        #expect(message.username == user)
        #expect(message.nonce == "f//499k954d6OL34oL9FSTvy64sA")
        #expect(message.realm == "example.org")
        #expect(!message.hasFingerprint)
        let key = STUNKey(username: user, realm: "example.org", password: "TheMatrIX")
        #expect(message.isAuthentic(by: key))
        #expect(!message.isAuthentic(by: STUNKey(username: user, realm: "example.com", password: "TheMatrIX")))
    }

    @Test func everyVectorIsReadOrRefusedAsItSays() throws {
        for vector in try Vectors.load("stun") {
            let text = vector.input["hex"] ?? vector.output["hex"]
            let bytes = try hex(text)
            let password = (vector.output["key_utf8"] ?? vector.input["password"]) as? String
            let message = try? STUNMessage(parsing: bytes)
            if vector.output["ok"] as? Bool == true {
                let message = try #require(message, "\(vector.name)")
                if let password {
                    #expect(message.isAuthentic(by: STUNKey(password: password)), "\(vector.name)")
                }
            } else {
                let isAuthentic = message?.isAuthentic(by: STUNKey(password: password ?? "")) ?? false
                #expect(!isAuthentic, "\(vector.name)")
                let isWellFormed = (vector.output["reason"] as? String)?.contains("INTEGRITY mismatch") ?? false
                #expect((message != nil) == isWellFormed, "\(vector.name)")
            }
        }
    }

    /// Byte for byte what others write, from the parts that the vectors name.
    @Test func everyGeneratedVectorIsWrittenTheSame() throws {
        var count = 0
        for vector in try Vectors.load("stun") {
            guard let expected = vector.output["hex"] as? String else { continue }
            let bytes = try hex(expected)
            let read = try STUNMessage(parsing: bytes)
            var attributes: [STUNAttribute] = []
            if let username = vector.input["username"] as? String { attributes.append(.username(username)) }
            if let priority = vector.input["priority"] as? Int { attributes.append(.priority(UInt32(priority))) }
            if let tie = vector.input["tie_breaker_hex"] as? String {
                let number = try #require(UInt64(tie, radix: 16))
                let isControlling = vector.input["role"] as? String == "controlling"
                attributes.append(isControlling ? .iceControlling(number) : .iceControlled(number))
            }
            if vector.input["use_candidate"] as? Bool == true { attributes.append(.useCandidate) }
            if vector.input["xor_mapped"] is String {
                attributes.append(.xorMappedAddress(try #require(read.xorMappedAddress)))
            }
            if let number = vector.input["error_code"] as? Int {
                let reason = try #require(vector.input["reason"] as? String)
                attributes.append(.errorCode(STUNErrorCode(UInt16(number), reason)))
            }
            let transaction = STUNTransactionID(high: 0x0001_0203, low: 0x0405_0607_0809_0A0B)
            let message = STUNMessage(read.messageClass, transaction: transaction, attributes: attributes)
            let key = (vector.input["password"] as? String).map { STUNKey(password: $0) }
            let written = message.encoded(key: key, fingerprint: read.hasFingerprint)
            #expect(written.hexText == expected, "\(vector.name)")
            count += 1
        }
        #expect(count == 8)
    }

    @Test func thePeekFindsWhatTheReaderFinds() throws {
        for vector in try Vectors.load("stun") {
            let bytes = try hex(vector.input["hex"] ?? vector.output["hex"])
            guard let message = try? STUNMessage(parsing: bytes) else { continue }
            let expected = message.messageClass == .request ? message.username : nil
            #expect(STUNMessage.username(of: bytes) == expected, "\(vector.name)")
        }
    }
}
