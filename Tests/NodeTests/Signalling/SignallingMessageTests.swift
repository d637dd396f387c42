import ICE
import NIOCore
import Testing
import Wire

@testable import Node

@Suite struct SignallingMessageTests {
    @Test func everyVectorIsReadAndWritten() throws {
        let vectors = try Fixture.vectors("webrtc_signaling")
        #expect(vectors.count == 7)
        for vector in vectors {
            let kind = SignallingMessage.Kind(UInt64(try #require(vector.input["type"] as? Int)))
            let data = vector.input["data"] as? String
            var bytes = ByteBuffer(bytes: Fixture.bytes(hex: vector.hex))
            let frame = try #require(try bytes.readFrame(limit: Limits.signallingMessage))
            let message = try SignallingMessage(message: frame)
            #expect(message == SignallingMessage(kind, data ?? ""), "\(vector.name)")
            #expect(bytes.readableBytes == 0)
            // A message without data is only ever read.
            guard data != nil else { continue }
            #expect(message.encoded == ByteBuffer(bytes: Fixture.bytes(hex: vector.hex)), "\(vector.name)")
        }
    }

    @Test func theJSONOfEveryVectorIsUnderstood() throws {
        let candidates = try Fixture.vectors("webrtc_signaling").filter { $0.input["type"] as? Int == 2 }
        let read = candidates.map { SignalledCandidate(json: ByteBuffer(string: $0.input["data"] as? String ?? "")) }
        guard case .candidate(let candidate) = read.first else {
            Issue.record("\(read)")
            return
        }
        #expect(candidate.address.description == "203.0.113.9:61665" && candidate.type == .serverReflexive)
        #expect(read.dropFirst().allSatisfy { $0 == .end } && read.count == 4)
    }

    @Test func aTypeThatIsNotThereIsAnOffer() throws {
        var message = ByteBuffer()
        message.writeProtobuf(field: 2, string: "x")
        #expect(try SignallingMessage(message: message) == SignallingMessage(.offer, "x"))
        #expect(throws: ProtobufError.self) { try SignallingMessage(message: ByteBuffer(bytes: [0x12, 0x05, 0x00])) }
    }

    private static let line = "candidate:1 1 udp 2130706431 192.0.2.7 5000 typ host"

    @Test(arguments: [
        #"{"candidate":"\#(line)"}"#, #"{"candidate":"\#(line)","sdpMid":null,"sdpMLineIndex":null}"#,
        #" { "x" : [1, {"y": -2.5e3}], "candidate" : "\#(line)" , "usernameFragment":"\u00e4\ud83d\ude00" } "#,
        #"{"candidate":"\u0063andidate:1 1 UDP 2130706431 192.0.2.7 5000 typ host generation 0 network-cost 10"}"#,
        #""\#(line)""#,
    ])
    func aCandidateIsFoundInEveryFormThatBrowsersUse(json: String) {
        guard case .candidate(let candidate) = SignalledCandidate(json: ByteBuffer(string: json)) else {
            Issue.record("\(json)")
            return
        }
        #expect(candidate.address.description == "192.0.2.7:5000")
    }

    @Test(arguments: [
        "{", "{}", "[]", "17", "true", #"{"candidate":7}"#, #"{"candidate":{"candidate":""}}"#, #"{"candidate":"x"}"#,
        #"{"candidate":"candidate:1 1 udp 1 8f3c.local 5000 typ host"}"#,
        #"{"candidate":"candidate:1 1 tcp 1 192.0.2.7 9 typ host tcptype active"}"#,
        #"{"candidate":"candidate:1 2 udp 1 192.0.2.7 9 typ host"}"#,
        #"{"candidate":"candidate:1 1 udp 1 224.0.0.251 5353 typ host"}"#,
        #"{"candidate":"candidate:1 1 udp 1 ff02::fb 5353 typ host"}"#,
        #"{"candidate":"candidate:1 1 udp 1 0.0.0.0 5000 typ host"}"#,
        #"{"candidate":"candidate:1 1 udp 1 192.0.2.7 0 typ host"}"#,
        #"{"candidate":"\#(line)"} x"#, #"{"candidate":"\#(line)",}"#, #"{"candidate":"\#(line)" "a":1}"#,
        #"{"candidate":"\#(line)","a":nul}"#, #"{"candidate":"\q"}"#, #"{"candidate":"\u12"}"#, "\u{7}", "nullnull",
        String(repeating: "[", count: 100_000), #"{"candidate":"\#(line)","a":[[[[[[[[1]]]]]]]]}"#,
        #"{"candidate":"\#(line)","a":""# + String(repeating: "a", count: Limits.signallingCandidate) + "\"}",
    ])
    func whatIsNoCandidateForUsEndsNothing(json: String) {
        #expect(SignalledCandidate(json: ByteBuffer(string: json)) == .useless)
    }

    @Test(arguments: ["", "null", " null ", #""""#, #"{"candidate":""}"#, #"{"candidate":null}"#])
    func everyEndIsUnderstood(json: String) {
        #expect(SignalledCandidate(json: ByteBuffer(string: json)) == .end)
    }

    @Test func ourJSONIsReadBack() throws {
        let candidate = ICECandidate.host(TransportAddress(try #require(IPAddress("2001:db8::7")), port: 4000))
        let json = SignalledCandidate.json(candidate, mid: "a\"\\\u{1}b", ufrag: "uf/+")
        let value = try JSONValue(ByteBuffer(string: json))
        #expect(value["sdpMid"]?.text == "a\"\\\u{1}b" && value["usernameFragment"]?.text == "uf/+")
        #expect(value["sdpMLineIndex"] == .number("0"))
        #expect(SignalledCandidate(json: ByteBuffer(string: json)) == .candidate(candidate))
    }

    @Test func aLoneSurrogateIsReplaced() throws {
        #expect(try JSONValue(ByteBuffer(string: #""\ud83d""#)).text == "\u{FFFD}")
        #expect(try JSONValue(ByteBuffer(string: #""\ud83dx\ude00\ud83d\u0041""#)).text == "\u{FFFD}x\u{FFFD}\u{FFFD}A")
        #expect(try JSONValue(ByteBuffer(string: #""\n\t\b\f\r\/""#)).text == "\n\t\u{8}\u{C}\r/")
        #expect(throws: JSONError.tooDeep) { try JSONValue(ByteBuffer(string: String(repeating: "[", count: 9))) }
    }

    /// Whatever a mutated message says, reading it ends, and not by a trap.
    @Test func mutatedMessagesAreReadOrRefused() {
        var entropy = Entropy.seeded(11)
        let json = #"{"candidate":"\#(Self.line)","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"\u00e4"}"#
        let original = SignallingMessage(.candidate, json).encoded
        var understood = 0
        for _ in 0..<3000 {
            var bytes = Array(original.readableBytesView)
            for _ in 0..<Int.random(in: 1...4, using: &entropy) {
                let index = Int.random(in: 0..<bytes.count, using: &entropy)
                switch Int.random(in: 0..<3, using: &entropy) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &entropy)
                case 1: bytes.remove(at: index)
                default: bytes.insert(UInt8(ascii: "\\"), at: index)
                }
            }
            var inbox = ByteBuffer(bytes: bytes)
            guard let frame = try? inbox.readFrame(limit: Limits.signallingMessage),
                let message = try? SignallingMessage(message: frame)
            else { continue }
            if case .candidate = SignalledCandidate(json: message.data) { understood += 1 }
        }
        #expect(understood > 50)
    }
}
