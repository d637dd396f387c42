import Testing

@testable import SwiftPeer

@Suite struct BotRequestTests {
    @Test(
        "Every command of the contract is understood",
        arguments: [
            (#"{"say":"hi"}"#, .say("hi", room: nil)), (#"{"say":"hi","room":"r"}"#, .say("hi", room: "r")),
            (#"{"say":"","room":null}"#, .say("", room: nil)),
            (#"{"connect":"/ip4/1.2.3.4/tcp/1"}"#, .connect("/ip4/1.2.3.4/tcp/1")),
            (#"{"disconnect":"12D3"}"#, .disconnect("12D3")), (#"{"ping":"12D3"}"#, .ping("12D3")),
            (#"{"join":"a"}"#, .join("a")), (#"{"leave":"a"}"#, .leave("a")), (#"{"peers":true}"#, .peers),
            (#"{"connections":true}"#, .connections), (#"{"quit":true}"#, .quit),
            (#"{"direct-message":"x","to":"y"}"#, .later("direct-message")),
            (#"{"offer-file":"p","room":"r"}"#, .later("offer-file")),
            (#"{"fetch-file":"p","from":"r"}"#, .later("fetch-file")),
            (#"{"say":"hi","unknown":[{"deep":1e99}],"peers":false}"#, .say("hi", room: nil)),
        ] as [(String, BotRequest)])
    func understood(line: String, expected: BotRequest) throws {
        #expect(try BotRequest(line: Array(line.utf8)) == expected)
    }

    @Test(
        "What is no command is refused with a reason",
        arguments: [
            ("", "JSON ends too early"), ("hello", "not JSON"), ("[]", "not a JSON object"),
            ("{}", "no known command in it"),
            (#"{"say":1}"#, "\"say\" is not a string"), (#"{"say":"a","room":[]}"#, "\"room\" is not a string"),
            (#"{"quit":"yes"}"#, "\"quit\" is neither true nor false"), (#"{"quit":false}"#, "no known command in it"),
            (#"{"say":"a","quit":true}"#, "more than one command in it"), (#"{"room":"a"}"#, "no known command in it"),
        ])
    func refused(line: String, reason: String) {
        #expect(throws: BotRequest.Refused(reason: reason)) { try BotRequest(line: Array(line.utf8)) }
    }
}
